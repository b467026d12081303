import { parseEventsTsv, szcoreTsv } from '@vitalwire/datasets';
import type { TimeEvent } from '@vitalwire/vitals';
import { CliError } from '../errors.ts';

/** The seizures of a table of events (SzCORE, BIDS), in order, and how long its recording is; null = the table does not say. */
export type EventsTable = { readonly seizures: readonly TimeEvent[]; readonly recordingS: number | null };

/** Reads a table strictly: a row that a reader of recordings would leave out with a word would change a score without one. */
export function readEventsTable(text: string, file: string): EventsTable {
  const refuse = (line: number | null, what: string): CliError =>
    new CliError('TABLE_REFUSED', `${file}${line === null ? '' : `, line ${line}`}: ${what}`);
  const { annotations, problems } = parseEventsTsv(text);
  for (const { field, at, found, expected } of problems) throw refuse(at, `${field} is ${found}, expected ${expected}`);
  const rows = text.split(/\r?\n/).flatMap((row, index) => (index === 0 || row.trim() === '' ? [] : [{ row, line: index + 1 }]));
  if (rows.length === 0) throw refuse(2, 'the table has no row; without a seizure it has one row bckg over the whole recording');
  const seizures = annotations.map(({ onsetUs, durationUs, type, text: eventType }) => {
    if (type !== 'seizure') throw refuse(null, `eventType '${eventType}' at ${onsetUs / 1e6} s is neither bckg nor a seizure (sz, sz_…)`);
    if (durationUs === null) throw refuse(null, `the seizure at ${onsetUs / 1e6} s has no duration`);
    if (onsetUs < 0) throw refuse(null, `the seizure at ${onsetUs / 1e6} s begins before the recording`);
    const startS = onsetUs / 1e6;
    return { startS, endS: startS + durationUs / 1e6 }; // added as the reference implementation adds them
  });
  return { seizures, recordingS: recordingSeconds(text, rows, refuse) };
}

/** A table that SzCORE's own reader takes; without an event, one row `bckg` over the whole recording. */
export function eventsTable(
  events: readonly TimeEvent[],
  recording: { readonly durationS: number; readonly startedAtUs: number | null },
): string {
  const seizures = events.map(({ startS, endS }) => ({
    onsetUs: Math.round(startS * 1e6),
    durationUs: Math.round((endS - startS) * 1e6),
    type: 'seizure' as const,
    text: '',
    channels: [],
  }));
  return szcoreTsv(seizures, { startedAtUs: recording.startedAtUs, durationUs: Math.round(recording.durationS * 1e6) });
}

function recordingSeconds(
  text: string,
  rows: readonly { readonly row: string; readonly line: number }[],
  refuse: (line: number, what: string) => CliError,
): number | null {
  const column = (/^[^\r\n]*/.exec(text)?.[0] ?? '').split('\t').findIndex((name) => name.trim() === 'recordingDuration');
  let recordingS: number | null = null;
  for (const { row, line } of column === -1 ? [] : rows) {
    const cell = row.split('\t')[column]?.trim() ?? '';
    if (['', 'n/a', 'nan'].includes(cell.toLowerCase())) continue;
    const said = /^\d+(\.\d+)?$/.test(cell) ? Number(cell) : Number.NaN;
    if (Number.isNaN(said)) throw refuse(line, `recordingDuration is '${cell.slice(0, 40)}', expected seconds`);
    if (recordingS !== null && said !== recordingS) throw refuse(line, `recordingDuration is ${said}, the rows before say ${recordingS}`);
    recordingS = said;
  }
  return recordingS;
}
