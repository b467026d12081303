import type { Client } from '@vitalwire/client';
import { isId, type Registry } from '@vitalwire/contract';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, type Io, noteLine, printJson, printLine } from '../io.ts';
import { momentText, parseMoment } from '../moment.ts';
import { tableLines } from '../table.ts';

type ListOptions = ConnectOptions & { json?: boolean };
type PutOptions = ConnectOptions & { label?: string; notes?: string };
type AssignOptions = ConnectOptions & { device: string; from?: number; to?: number };

/** `vitalwire patients`: who is known, and who wears what. */
export const addCommand: AddCommand = (program, io) => {
  const moment = parseMoment(() => io.clock.nowMs());
  const patients = program
    .command('patients')
    .description('patients and the devices they wear; put, assign')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire patients                                        who is known, and what they wear now
  vitalwire patients put p01 --label "Bed 4"                register, or change the label
  vitalwire patients assign p01 --device eeg-7              from now on p01 wears eeg-7
  vitalwire patients assign p01 --device eeg-7 --from 2026-11-22T08:00Z --to now`,
    );
  addConnectOptions(patients.command('list', { isDefault: true }))
    .description('every patient and what they wear now')
    .option('--json', 'as one JSON object, with all assignments')
    .addHelpText('after', '\nExample:\n  vitalwire patients list --json')
    .action((options: ListOptions) => list(io, options));
  addConnectOptions(patients.command('put <patient>'))
    .description('register a patient, or change what is given')
    .option('--label <text>', 'how screens call the patient, at most 40 characters; no name is needed')
    .option('--notes <text>', 'for people, shown nowhere else')
    .addHelpText('after', '\nExample:\n  vitalwire patients put p01 --label "Bed 4"')
    .action((patient: string, options: PutOptions) => put(io, patient, options));
  addConnectOptions(patients.command('assign <patient>'))
    .description('say which device a patient wears, and when')
    .requiredOption('--device <id>', 'the device')
    .option('--from <time>', 'since when (default: now)', moment)
    .option('--to <time>', 'until when (default: until further notice)', moment)
    .addHelpText('after', '\nExample:\n  vitalwire patients assign p01 --device eeg-7 --from -2h')
    .action((patient: string, options: AssignOptions) => assign(io, patient, options));
};

async function list(io: Io, options: ListOptions): Promise<void> {
  await withClient(io, options, async (client) => {
    const registry = await client.registry();
    if (options.json === true) return printJson(io, { patients: registry.patients, assignments: registry.assignments });
    if (registry.patients.length === 0) return printLine(io, 'No patient is registered yet.');
    const rows = registry.patients.map(({ id, label }) => [id, label ?? '--', wornNow(registry, id, client.nowUs())]);
    for (const line of tableLines([['PATIENT', 'LABEL', 'WEARS NOW'], ...rows])) printLine(io, line);
  });
}

async function put(io: Io, patient: string, options: PutOptions): Promise<void> {
  checkId('patient', patient);
  const { label, notes } = options;
  if (label !== undefined && label.length > 40) throw new CliError('WRONG_ARGUMENT', '--label is longer than 40 characters');
  await withClient(io, options, (client) =>
    client.putPatient(patient, { ...(label === undefined ? {} : { label }), ...(notes === undefined ? {} : { notes }) }),
  );
  noteLine(io, `${patient} is registered`);
}

async function assign(io: Io, patient: string, options: AssignOptions): Promise<void> {
  checkId('patient', patient);
  checkId('device', options.device);
  const toUs = options.to ?? null;
  await withClient(io, options, async (client) => {
    const fromUs = options.from ?? client.nowUs();
    if (toUs !== null && toUs <= fromUs) throw new CliError('WRONG_ARGUMENT', '--from must be before --to');
    await client.putAssignment({ device: options.device, patient, fromUs, toUs });
    noteLine(io, `${patient} wears ${options.device} from ${momentText(fromUs)} ${toUs === null ? 'on' : `to ${momentText(toUs)}`}`);
  });
}

/** Opens a client, and closes it whatever happens. */
export async function withClient<T>(io: Io, options: ConnectOptions, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(io, options);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

export function checkId(what: string, id: string): void {
  if (!isId(id)) throw new CliError('WRONG_ARGUMENT', `'${id}' is not a ${what} id: 1 to 63 letters, digits, dots, hyphens or underscores`);
}

function wornNow({ assignments }: Registry, patient: string, nowUs: number): string {
  const worn = assignments.filter((one) => one.patient === patient && one.fromUs <= nowUs && (one.toUs === null || nowUs < one.toUs));
  return worn.length === 0 ? '--' : worn.map(({ device }) => device).join(', ');
}
