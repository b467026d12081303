import type { TimeEvent } from '@vitalwire/vitals';
import { CliError } from '../errors.ts';

// The table of events that SzCORE and BIDS use, columns as its reference implementation (epilepsy2bids 0.0.7) writes them.

const columns = ['onset', 'duration', 'eventType', 'confidence', 'channels', 'dateTime', 'recordingDuration'] as const;
const MAX_ROWS = 100_000;

/** The seizures of a table, in its order, and how long its recording is; null = the table does not say. */
export type EventsTable = { readonly seizures: readonly TimeEvent[]; readonly recordingS: number | null };

/** Reads a table; `bckg` rows are no events. What it cannot read it names by line and column. */
export function parseEventsTsv(text: string, file: string): EventsTable {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const refuse = (line: number, what: string): CliError => new CliError('TABLE_REFUSED', `${file}, line ${line}: ${what}`);
  const header = (lines[0] ?? '').split('\t').map((name) => name.trim());
  for (const name of ['onset', 'duration', 'eventType'] as const) {
    if (!header.includes(name))
      throw refuse(1, `no column '${name}'; found '${shortened(header.join(' '))}', expected ${columns.join(', ')}, separated by tabs`);
  }
  const seizures: TimeEvent[] = [];
  let recordingS: number | null = null;
  let rows = 0;
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '') continue;
    rows += 1;
    if (rows > MAX_ROWS) throw refuse(index + 1, `more than ${MAX_ROWS} rows`);
    const cells = line.split('\t');
    const cell = (name: (typeof columns)[number]): string => cells[header.indexOf(name)]?.trim() ?? '';
    const secondsIn = (name: 'onset' | 'duration' | 'recordingDuration'): number => {
      const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell(name)) ? Number(cell(name)) : Number.NaN;
      if (!Number.isFinite(value) || value < 0)
        throw refuse(index + 1, `${name} is '${shortened(cell(name))}', expected seconds, 0 or more`);
      return value;
    };
    if (header.includes('recordingDuration') && !['', 'n/a', 'nan'].includes(cell('recordingDuration').toLowerCase())) {
      const said = secondsIn('recordingDuration');
      if (recordingS !== null && said !== recordingS)
        throw refuse(index + 1, `recordingDuration is ${said}, the rows before say ${recordingS}`);
      recordingS = said;
    }
    const type = cell('eventType');
    if (type === 'bckg') continue;
    if (!/^sz(_[A-Za-z_]+)?$/.test(type)) throw refuse(index + 1, `eventType is '${shortened(type)}', expected bckg, sz or a kind of sz_…`);
    const startS = secondsIn('onset');
    seizures.push({ startS, endS: startS + secondsIn('duration') });
  }
  if (rows === 0) throw refuse(2, 'the table has no row; without a seizure it has one row bckg over the whole recording');
  return { seizures, recordingS };
}

/** Writes a table that the reference implementation reads; without an event, one row `bckg` over the whole recording. */
export function eventsTsv(
  events: readonly TimeEvent[],
  recording: { readonly durationS: number; readonly startedAtUs: number | null },
): string {
  const { durationS, startedAtUs } = recording;
  const dateTime = startedAtUs === null ? 'n/a' : new Date(startedAtUs / 1000).toISOString().slice(0, 19).replace('T', ' ');
  const row = (startS: number, lastsS: number, type: 'sz' | 'bckg'): string =>
    [startS.toFixed(2), lastsS.toFixed(2), type, 'n/a', 'n/a', dateTime, durationS.toFixed(2)].join('\t');
  const rows = events.map(({ startS, endS }) => row(startS, endS - startS, 'sz'));
  return `${[columns.join('\t'), ...(rows.length === 0 ? [row(0, durationS, 'bckg')] : rows)].join('\n')}\n`;
}

function shortened(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
