import type { Client } from '@vitalwire/client';
import {
  type AlarmInfo,
  type AlarmLine,
  isId,
  isNumeric,
  maxPauseSeconds,
  type NumericLimits,
  NumericLimitsOf,
  type NumericStream,
  numericFacts,
  numericStreams,
  type Registry,
} from '@vitalwire/contract';
import { type Command, InvalidArgumentError } from 'commander';
import { actingUser } from '../acting-user.ts';
import { addConnectOptions, type ConnectOptions } from '../connect.ts';
import { parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { momentText, parseMoment } from '../moment.ts';
import { tableLines } from '../table.ts';
import { alarmsTable, lineCells, pauseLines } from './alarms-view.ts';
import { checkId, withClient } from './patients.ts';

type ListOptions = ConnectOptions & { json?: boolean; watch?: boolean };
type ByOptions = ConnectOptions & { by?: string };
type AckOptions = ByOptions & { allOf?: string };
type PauseOptions = ByOptions & { seconds: number };
type LimitsOptions = ByOptions & { vital?: NumericStream; low?: Limit; high?: Limit; extremeDelta?: Limit; json?: boolean };
/** `none` and not null: commander takes a null for no value at all. */
type Limit = number | 'none';
/** Whose limits are changed where none is named: the first of the table, the heart rate. */
const CHANGED_UNLESS_TOLD = numericStreams[0] as NumericStream;
const limitOptions = [
  ['low', '--low'],
  ['high', '--high'],
  ['extremeDelta', '--extreme-delta'],
] as const;
type LogOptions = ConnectOptions & { patient?: string; device?: string; from?: number; to?: number; open?: boolean; json?: boolean };

/** `vitalwire alarms`: what asks for attention, and what may be done about it. */
export const addCommand: AddCommand = (program, io) => {
  const moment = parseMoment(() => io.clock.nowMs());
  const alarms = program
    .command('alarms')
    .description('alarms that have not ended; ack, pause, resume, limits, log')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire alarms                                    what has not ended, the worst first
  vitalwire alarms list --watch                       one line per transition, until Ctrl-C
  vitalwire alarms ack 0123456789abcdef --by nurse-7  silence one alarm, never its condition
  vitalwire alarms pause p01 --seconds 60             sound off; a higher priority still sounds
  vitalwire alarms limits p01 --low 45 --high 130     limits of the heart rate, with who changed them and when
  vitalwire alarms log --patient p01 --from -12h      every transition that is stored

Alarms may be late, false or missing. Research and education software, not a medical device.`,
    );
  addConnectOptions(alarms.command('list', { isDefault: true }))
    .description('every alarm that has not ended, every pause, and whether the alarm service is alive')
    .option('--json', 'as one JSON object; with --watch one per line')
    .option('--watch', 'go on with one line per transition')
    .addHelpText(
      'after',
      '\nExample:\n  vitalwire alarms list --json\n\nExit code 1 if the alarm path is not heard: alarms may be missing.',
    )
    .action((options: ListOptions) => (options.watch === true ? watch(io, options) : list(io, options)));
  addBy(alarms.command('ack [alarm]'))
    .description('acknowledge one alarm, or all of one patient')
    .option('--all-of <patient>', 'every alarm of this patient that nobody has acknowledged')
    .addHelpText('after', '\nExample:\n  vitalwire alarms ack --all-of p01 --by nurse-7')
    .action((alarm: string | undefined, options: AckOptions) => acknowledge(io, alarm, options));
  addBy(alarms.command('pause <patient-or-device>'))
    .description(`switch the sound of a patient's or device's alarms off for at most ${maxPauseSeconds} s`)
    .option('--seconds <n>', 'how long', parseWhole(1, maxPauseSeconds), maxPauseSeconds)
    .addHelpText('after', '\nExample:\n  vitalwire alarms pause p01 --seconds 60 --by nurse-7')
    .action((of: string, options: PauseOptions) => pause(io, of, options.seconds, options));
  addBy(alarms.command('resume <patient-or-device>'))
    .description('end a pause')
    .addHelpText('after', '\nExample:\n  vitalwire alarms resume p01 --by nurse-7')
    .action((of: string, options: ByOptions) => pause(io, of, 0, options));
  addBy(alarms.command('limits [patient]'))
    .description('limits of the vitals and their history; with --low, --high or --extreme-delta those of one vital are changed')
    .option('--vital <name>', `one of ${numericStreams.join(', ')} (changed: ${CHANGED_UNLESS_TOLD} unless told)`, parseVital)
    .option('--low <value>', 'alarm below this, or none', parseLimit)
    .option('--high <value>', 'alarm above this, or none', parseLimit)
    .option('--extreme-delta <value>', 'an extreme is this far beyond a limit, or none', parseLimit)
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  vitalwire alarms limits p01 --high 130 --low none --by doctor-2\n  vitalwire alarms limits p01 --vital spo2 --low 88',
    )
    .action((patient: string | undefined, options: LimitsOptions) => limits(io, patient, options));
  addConnectOptions(alarms.command('log'))
    .description('the stored log: every transition, who asked for it, old and new')
    .option('--patient <id>', 'of all devices while this patient wore them')
    .option('--device <id>', 'of one device, gateway or service')
    .option('--from <time>', 'from this time on: 2026-11-28T10:00Z, 2026-11-28 or -2h', moment)
    .option('--to <time>', 'up to this time', moment)
    .option('--open', 'only alarms that have not ended')
    .option('--json', 'one JSON object per line')
    .addHelpText('after', '\nExample:\n  vitalwire alarms log --patient p01 --from -12h')
    .action((options: LogOptions) => log(io, options));
};

function addBy(command: Command): Command {
  return addConnectOptions(command).option('--by <id>', 'who asks for it (default: VITALWIRE_USER, else your user name)');
}

async function list(io: Io, options: ListOptions): Promise<void> {
  await withClient(io, options, async (client) => {
    const now = await client.alarms();
    if (options.json === true) printJson(io, now);
    else {
      const registry = await registryOrNull(client);
      if (now.alarms.length === 0) printLine(io, 'No alarm.');
      else for (const line of alarmsTable(now, registry)) printLine(io, line);
      for (const line of pauseLines(now)) printLine(io, line);
      if (now.path !== 'ok') printLine(io, `!!! ALARMS NOT WATCHED (alarm path: ${now.path}): alarms may be missing`);
    }
    if (now.path !== 'ok') io.exitCode(exitCodes.answerIsNo);
  });
}

async function watch(io: Io, options: ListOptions): Promise<void> {
  await withClient(io, options, async (client) => {
    if (options.json !== true) {
      const { runPlain } = await import('@vitalwire/tui');
      await runPlain({ client, signal: io.signal, write: (line) => printLine(io, line), only: 'alarms' });
      return;
    }
    const stream = client.live(
      { streams: ['alarm'] },
      {
        onMessage: (message) => {
          if (message.stream === 'alarm') printJson(io, message);
        },
        onLink: (condition) => noteLine(io, `connection: ${condition}`),
      },
    );
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      else io.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    stream.close();
  });
}

async function acknowledge(io: Io, alarm: string | undefined, options: AckOptions): Promise<void> {
  if ((alarm === undefined) === (options.allOf === undefined))
    throw new CliError('WRONG_ARGUMENT', "give an alarm's id, or --all-of and a patient; 'vitalwire alarms' shows both");
  if (alarm !== undefined && !/^[0-9a-f]{16}$/.test(alarm))
    throw new CliError('WRONG_ARGUMENT', `'${alarm}' is not an alarm's id: 16 hexadecimal digits, as 'vitalwire alarms' shows them`);
  if (options.allOf !== undefined) checkId('patient', options.allOf);
  const by = actingUser(io, options.by);
  await withClient(io, options, async (client) => {
    const wanted = alarm !== undefined ? [{ alarmId: alarm }] : await unacknowledgedOf(client, options.allOf ?? '');
    if (wanted.length === 0) return noteLine(io, `${options.allOf} has no alarm that asks for attention`);
    for (const { alarmId } of wanted) {
      await client.acknowledgeAlarm(alarmId, by);
      noteLine(io, `${alarmId} acknowledged by ${by}`);
    }
  });
}

async function unacknowledgedOf(client: Client, patient: string): Promise<AlarmInfo[]> {
  const { patients } = await client.state();
  const found = patients.find(({ key }) => key === patient);
  if (found === undefined) throw unknownPatient(patient);
  return found.alarms.filter(({ state }) => state === 'active' || state === 'latched');
}

async function pause(io: Io, of: string, seconds: number, options: ByOptions): Promise<void> {
  checkId('patient or device', of);
  const by = actingUser(io, options.by);
  await withClient(io, options, async (client) => {
    for (const device of await devicesOf(client, of)) {
      await client.pauseAlarms(device, seconds, by);
      noteLine(
        io,
        seconds === 0
          ? `${device}: sound on again, by ${by}`
          : `${device}: sound off for ${seconds} s by ${by}; a higher priority still sounds`,
      );
    }
  });
}

// A patient's id means everything the patient wears; any other id is a device's own.
async function devicesOf(client: Client, id: string): Promise<string[]> {
  const { patients } = await client.state();
  const patient = patients.find(({ key }) => key === id);
  if (patient !== undefined) {
    if (patient.devices.length === 0) throw new CliError('WRONG_ARGUMENT', `${id} wears no device that has been heard: nothing to pause`);
    return patient.devices;
  }
  if (patients.some(({ devices }) => devices.includes(id))) return [id];
  throw new CliError('WRONG_ARGUMENT', `neither a patient nor a device that has been heard is called ${id}; see 'vitalwire patients'`);
}

async function limits(io: Io, patient: string | undefined, options: LimitsOptions): Promise<void> {
  const { low, high, extremeDelta } = options;
  const isChange = low !== undefined || high !== undefined || extremeDelta !== undefined;
  if (patient !== undefined) checkId('patient', patient);
  if (isChange && patient === undefined)
    throw new CliError('WRONG_ARGUMENT', 'say whose limits: vitalwire alarms limits <patient> --high 130');
  const by = isChange ? actingUser(io, options.by) : '';
  await withClient(io, options, async (client) => {
    if (patient !== undefined && isChange) await changeLimits(client, patient, by, options);
    const isAsked = (one: { readonly patient: string; readonly stream: NumericStream }) =>
      (patient === undefined || one.patient === patient) && (options.vital === undefined || one.stream === options.vital);
    const all = await client.allAlarmLimits();
    const changes = all.changes.filter(isAsked);
    const set = (patient === undefined ? all.limits : await client.alarmLimits(patient)).filter(isAsked);
    if (options.json === true) return printJson(io, { limits: set, changes });
    if (set.length === 0) printLine(io, `Nobody has limits of their own; the usual ones: ${usualText()}.`);
    else {
      const rows = set.map(({ patient: id, stream, limits, changedAtUs, changedBy }) => [
        id,
        stream,
        ...limitCells(limits),
        changedBy ?? 'the default',
        changedAtUs === null ? '--' : momentText(changedAtUs),
      ]);
      for (const line of tableLines([['PATIENT', 'VITAL', 'LOW', 'HIGH', 'EXTREME', 'SET BY', 'SET AT'], ...rows])) printLine(io, line);
    }
    if (changes.length === 0) return;
    printLine(io, '');
    const rows = changes.map(({ patient: id, stream, atUs, by: who, before, after }) => [
      momentText(atUs),
      id,
      stream,
      who,
      before === null ? 'the default' : limitCells(before).join(' '),
      limitCells(after).join(' '),
    ]);
    for (const line of tableLines([['CHANGED AT', 'PATIENT', 'VITAL', 'BY', 'BEFORE', 'AFTER'], ...rows])) printLine(io, line);
  });
}

async function changeLimits(client: Client, patient: string, by: string, options: LimitsOptions): Promise<void> {
  const { vital: stream = CHANGED_UNLESS_TOLD, low, high, extremeDelta } = options;
  const before = (await client.alarmLimits(patient)).find((one) => one.stream === stream)?.limits;
  if (before === undefined) throw new CliError('WRONG_ARGUMENT', `the cluster knows no ${stream}: it is of an older release`);
  const limits: NumericLimits = {
    low: changed(before.low, low),
    high: changed(before.high, high),
    extremeDelta: changed(before.extremeDelta, extremeDelta),
  };
  const problem = limitsProblem(stream, limits);
  if (problem !== null) throw new CliError('WRONG_ARGUMENT', problem);
  await client.putAlarmLimits(patient, stream, { limits, by });
}

/** What has to be said of limits nobody can mean, in the words of the command; null = these can be meant. */
function limitsProblem(stream: NumericStream, limits: NumericLimits): string | null {
  const place = NumericLimitsOf(stream).safeParse(limits).error?.issues[0]?.path[0];
  const { label, unit, limits: bounds } = numericFacts(stream);
  for (const [name, option] of limitOptions)
    if (name === place) return `${label}: ${option} must be from ${bounds[name][0]} to ${bounds[name][1]} ${unit}, or none`;
  const { low, high } = limits;
  return low !== null && high !== null && low >= high ? `low (${low}) must be below high (${high})` : null;
}

function usualText(): string {
  return numericStreams
    .map((stream) => ({ label: numericFacts(stream).label, ...numericFacts(stream).limits.usual }))
    .filter(({ low, high }) => low !== null || high !== null)
    .map(({ label, low, high, extremeDelta }) => {
      const sides = [low === null ? '' : `low ${low}`, high === null ? '' : `high ${high}`].filter(Boolean);
      return [`${label} ${sides.join(', ')}`, ...(extremeDelta === null ? [] : [`extreme ${extremeDelta} beyond`])].join(', ');
    })
    .join('; ');
}

function changed(before: number | null, wanted: Limit | undefined): number | null {
  if (wanted === undefined) return before;
  return wanted === 'none' ? null : wanted;
}

function limitCells({ low, high, extremeDelta }: NumericLimits): string[] {
  return [low, high, extremeDelta].map((limit) => (limit === null ? 'none' : String(limit)));
}

async function log(io: Io, options: LogOptions): Promise<void> {
  const { patient, device, from, to } = options;
  if (patient !== undefined && device !== undefined) throw new CliError('WRONG_ARGUMENT', 'give --patient or --device, not both');
  for (const id of [patient, device]) if (id !== undefined && !isId(id)) throw new CliError('WRONG_ARGUMENT', `'${id}' is not an id`);
  if (from !== undefined && to !== undefined && from >= to) throw new CliError('WRONG_ARGUMENT', '--from must be before --to');
  const query = {
    ...(patient === undefined ? {} : { patient }),
    ...(device === undefined ? {} : { device }),
    ...(from === undefined ? {} : { fromUs: from }),
    ...(to === undefined ? {} : { toUs: to }),
    open: options.open === true ? ('true' as const) : ('false' as const),
  };
  await withClient(io, options, async (client) => {
    const lines: AlarmLine[] = [];
    for await (const line of client.eachAlarmLine(query)) {
      if (options.json === true) printJson(io, line);
      else lines.push(line);
      if (io.signal.aborted) return;
    }
    if (options.json === true) return;
    if (lines.length === 0) printLine(io, 'No alarm is stored there.');
    else
      for (const line of tableLines([['AT', 'DEVICE', 'ALARM', 'WHAT', 'STATE', 'BY', 'FROM', 'TEXT'], ...lines.map(lineCells)]))
        printLine(io, line);
  });
}

async function registryOrNull(client: Client): Promise<Registry | null> {
  try {
    return await client.registry();
  } catch {
    return null; // alarms are shown also while the database is away
  }
}

function unknownPatient(patient: string): CliError {
  return new CliError('WRONG_ARGUMENT', `no patient ${patient} is known; see 'vitalwire patients'`);
}

/** A number, or `none`, which takes a limit away; what the vital allows is asked where it is known. */
function parseLimit(text: string): Limit {
  if (text === 'none') return text;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number, or none.');
  return value;
}

function parseVital(text: string): NumericStream {
  if (!isNumeric(text)) throw new InvalidArgumentError(`Give one of ${numericStreams.join(', ')}.`);
  return text;
}
