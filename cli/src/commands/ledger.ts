import { isId, isUuid, type Ledger, type LedgerClockStep, type LedgerQuery, type LedgerSpan, type Range } from '@vitalwire/contract';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, exitCodes, type Io, printJson, printLine } from '../io.ts';
import { momentText, parseMoment } from '../moment.ts';
import { tableLines } from '../table.ts';

type LedgerOptions = ConnectOptions & { recording?: string; device?: string; patient?: string; from?: number; to?: number; json?: boolean };

const MAX_LINES = 200;

/** `vitalwire ledger`: what is recorded, and what is not and why. */
export const addCommand: AddCommand = (program, io) => {
  const moment = parseMoment(() => io.clock.nowMs());
  addConnectOptions(program.command('ledger'))
    .description('account for every reading: stored, quarantined, declared lost or missing; for a time range also why nothing was recorded')
    .option('--patient <id>', 'of all devices while this patient wore them')
    .option('--device <id>', 'of one device')
    .option('--recording <uuid>', 'of one recording')
    .option('--from <time>', 'from this time on: 2026-11-22T10:00Z, 2026-11-22 or -2h', moment)
    .option('--to <time>', 'up to this time', moment)
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire ledger --patient p01 --from -2h --to now
  vitalwire ledger --device eeg-p01 --from 2026-11-22 --to 2026-11-23 --json

Exit code 1 if a reading is quarantined, declared lost or missing. Times are the device's own.`,
    )
    .action((options: LedgerOptions) => ledger(io, options));
};

async function ledger(io: Io, options: LedgerOptions): Promise<void> {
  const query = queryOf(options); // before anything is asked
  const client = await connect(io, options);
  try {
    const answer = await client.ledger(query);
    if (options.json === true) printJson(io, answer);
    else for (const line of ledgerLines(answer)) printLine(io, line);
    const { quarantined, declaredLost, missing } = answer.totals;
    if (quarantined + declaredLost + missing > 0) io.exitCode(exitCodes.answerIsNo);
  } finally {
    await client.close();
  }
}

function queryOf({ recording, device, patient, from, to }: LedgerOptions): LedgerQuery {
  if ([recording, device, patient].filter((one) => one !== undefined).length !== 1)
    throw new CliError('WRONG_ARGUMENT', 'give exactly one of --patient, --device and --recording');
  if (recording !== undefined && !isUuid(recording)) throw new CliError('WRONG_ARGUMENT', `--recording ${recording} is not a recording id`);
  for (const id of [device, patient]) if (id !== undefined && !isId(id)) throw new CliError('WRONG_ARGUMENT', `'${id}' is not an id`);
  if (from !== undefined && to !== undefined && from >= to) throw new CliError('WRONG_ARGUMENT', '--from must be before --to');
  return {
    ...(recording === undefined ? {} : { recording }),
    ...(device === undefined ? {} : { device }),
    ...(patient === undefined ? {} : { patient }),
    ...(from === undefined ? {} : { fromUs: from }),
    ...(to === undefined ? {} : { toUs: to }),
  };
}

/** The ledger for people: the spans of time first, then the recordings, then the sums. */
export function ledgerLines(ledger: Ledger): string[] {
  if (ledger.recordings.length === 0 && ledger.spans.length === 0) return ['Nothing is recorded there.'];
  const spans = [['DEVICE', 'STREAM', 'FROM', 'TO', 'WHAT'], ...ledger.spans.map(spanCells)];
  const recordings = [
    ['RECORDING', 'STREAM', 'STATE', 'CHUNKS', 'READINGS', 'NOT STORED'],
    ...ledger.recordings.map((one) => [
      one.recordingId,
      one.stream,
      one.state,
      String(one.chunksStored),
      String(one.samplesStored),
      notStored(one),
    ]),
  ];
  const { totals } = ledger;
  return [
    ...shortened(tableLines(spans)),
    ...shortened((ledger.clockSteps ?? []).map(stepLine)),
    '',
    ...shortened(tableLines(recordings)),
    '',
    `${totals.recordings} recordings, ${totals.chunksStored} chunks with ${totals.samplesStored} readings per channel stored; ` +
      `${totals.missing} chunks missing, ${totals.declaredLost} declared lost, ${totals.quarantined} quarantined`,
  ];
}

function spanCells({ device, stream, fromUs, toUs, state, reason, readings }: LedgerSpan): string[] {
  const recorded = readings === undefined ? 'recorded' : `recorded: ${readings} readings`;
  const what = state === 'recorded' ? recorded : reason === null ? 'not recorded' : `not recorded: ${reasonText(reason)}`;
  return [device, stream, momentText(fromUs), momentText(toUs), what];
}

function stepLine({ device, stream, recordingId, seq, fromUs, toUs }: LedgerClockStep): string {
  return `the clock of ${device} (${stream}) was set at chunk ${seq} of ${recordingId}: from ${momentText(fromUs)} to ${momentText(toUs)}`;
}

function reasonText(reason: NonNullable<LedgerSpan['reason']>): string {
  return reason.replaceAll('-', ' ');
}

function notStored({ missing, declaredLost, quarantined }: Ledger['recordings'][number]): string {
  const parts = [
    ...missing.map((range) => `missing ${rangeText(range)}`),
    ...declaredLost.map(({ range, reason }) => `${reasonText(reason)} ${rangeText(range)}`),
    ...quarantined.map((range) => `quarantined ${rangeText(range)}`),
  ];
  return parts.length <= 4 ? parts.join(', ') : `${parts.slice(0, 4).join(', ')} and ${parts.length - 4} more`;
}

function rangeText({ from, to }: Range): string {
  return from === to ? String(from) : `${from}-${to}`;
}

function shortened(lines: readonly string[]): string[] {
  if (lines.length <= MAX_LINES) return [...lines];
  return [...lines.slice(0, MAX_LINES), `... and ${lines.length - MAX_LINES} more; --json has all of them`];
}
