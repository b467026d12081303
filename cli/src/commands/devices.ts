import { type DevicePut, deviceKinds } from '@vitalwire/contract';
import { Option } from 'commander';
import { actingUser } from '../acting-user.ts';
import { addConnectOptions, type ConnectOptions } from '../connect.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, type Io, noteLine, printJson, printLine } from '../io.ts';
import { momentText, parseMoment } from '../moment.ts';
import { tableLines } from '../table.ts';
import { checkId, withClient } from './patients.ts';

type ListOptions = ConnectOptions & { json?: boolean };
type PutOptions = ConnectOptions & { kind: DevicePut['kind']; label?: string; gateway?: string };
type MoveOptions = ConnectOptions & { gateway: string; from?: number; by?: string };

/** `vitalwire devices`: what is registered, what sends, and who wears it. */
export const addCommand: AddCommand = (program, io) => {
  const devices = program
    .command('devices')
    .description('devices, whose they are, who wears them and when they last sent; put, move')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire devices                                            registered devices, and those that send without being so
  vitalwire devices put eeg-7 --kind eeg --gateway gateway-1   register, or change what is given
  vitalwire devices move eeg-7 --gateway gateway-2             give it to another gateway, on record
  vitalwire patients assign p01 --device eeg-7                 say who wears it`,
    );
  addConnectOptions(devices.command('list', { isDefault: true }))
    .description('every device, also those that only send')
    .option('--json', 'as one JSON object')
    .addHelpText('after', '\nExample:\n  vitalwire devices list --json')
    .action((options: ListOptions) => list(io, options));
  addConnectOptions(devices.command('put <device>'))
    .description('register a device, or change what is given')
    .addOption(new Option('--kind <kind>', 'what it measures').choices([...deviceKinds]).makeOptionMandatory())
    .option('--label <text>', 'how screens call it, at most 40 characters')
    .option('--gateway <id>', 'the gateway it belongs to; without it the first that sends as this device')
    .addHelpText('after', '\nExample:\n  vitalwire devices put eeg-7 --kind eeg --label "EEG, ward 3"')
    .action((device: string, options: PutOptions) => put(io, device, options));
  addConnectOptions(devices.command('move <device>'))
    .description('give a device to another gateway; only its own gateway speaks for a device, and the move is recorded')
    .requiredOption('--gateway <id>', 'the gateway it belongs to from then on')
    .option(
      '--from <time>',
      'since when (default: now)',
      parseMoment(() => io.clock.nowMs()),
    )
    .option('--by <id>', 'who moves it (default: VITALWIRE_USER, else your user name)')
    .addHelpText('after', '\nExample:\n  vitalwire devices move eeg-7 --gateway gateway-2 --from -10m --by keeper-1')
    .action((device: string, options: MoveOptions) => move(io, device, options));
};

async function list(io: Io, options: ListOptions): Promise<void> {
  await withClient(io, options, async (client) => {
    const [{ devices, assignments, owners = [] }, latest] = [await client.registry(), await client.latest({})];
    const nowUs = client.nowUs();
    const sending = new Map(latest.devices.map((one) => [one.device, one]));
    const ownerOf = new Map(owners.map((owner) => [owner.device, owner.gateway])); // the last is the present one
    const ids = [...new Set([...devices.map(({ id }) => id), ...sending.keys()])].sort();
    const all = ids.map((id) => {
      const registered = devices.find((one) => one.id === id);
      const worn = assignments.find((one) => one.device === id && one.fromUs <= nowUs && (one.toUs === null || nowUs < one.toUs));
      const last = sending.get(id);
      const lastMeasuredAtUs = Math.max(last?.eeg?.measuredAtUs ?? 0, ...(last?.numerics ?? []).map((one) => one.measuredAtUs));
      return {
        device: id,
        registered: registered !== undefined,
        kind: registered?.kind ?? null,
        label: registered?.label ?? null,
        gateway: ownerOf.get(id) ?? registered?.gateway ?? null,
        patient: worn?.patient ?? null,
        lastMeasuredAtUs: lastMeasuredAtUs === 0 ? null : lastMeasuredAtUs,
      };
    });
    if (options.json === true) return printJson(io, { devices: all });
    if (all.length === 0) return printLine(io, 'No device is registered, and none has sent anything yet.');
    const rows = all.map((one) => [
      one.device,
      one.kind ?? 'not registered',
      one.label ?? '--',
      one.gateway ?? '--',
      one.patient ?? 'unassigned',
      one.lastMeasuredAtUs === null ? 'never' : momentText(one.lastMeasuredAtUs),
    ]);
    for (const line of tableLines([['DEVICE', 'KIND', 'LABEL', 'GATEWAY', 'PATIENT', 'LAST STORED READING'], ...rows])) printLine(io, line);
  });
}

async function put(io: Io, device: string, options: PutOptions): Promise<void> {
  checkId('device', device);
  const { kind, label, gateway } = options;
  if (label !== undefined && Buffer.byteLength(label) > 40) throw new CliError('WRONG_ARGUMENT', '--label is longer than 40 bytes');
  if (gateway !== undefined) checkId('gateway', gateway);
  await withClient(io, options, (client) =>
    client.putDevice(device, { kind, ...(label === undefined ? {} : { label }), ...(gateway === undefined ? {} : { gateway }) }),
  );
  noteLine(io, `${device} is registered as ${kind}`);
}

async function move(io: Io, device: string, { gateway, from, by, ...options }: MoveOptions): Promise<void> {
  checkId('device', device);
  checkId('gateway', gateway);
  const mover = actingUser(io, by);
  const { owners } = await withClient(io, options, (client) =>
    client.moveDevice(device, { gateway, by: mover, ...(from === undefined ? {} : { fromUs: from }) }),
  );
  const [last, before] = [owners.at(-1), owners.at(-2)];
  if (last === undefined) return;
  const since = last.fromUs === null ? 'from the beginning' : `from ${momentText(last.fromUs)} on`;
  noteLine(
    io,
    `${device} belongs to ${last.gateway} ${since}${before === undefined ? '' : `; before that to ${before.gateway}`}, says ${last.by}`,
  );
}
