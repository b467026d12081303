import { parseDecimal, toMicros } from '../decimal.ts';
import { quoted } from '../problem-list.ts';
import type { SourceAnnotation, SourceProblem } from '../signal-source.ts';
import { type AnnotationFile, byOnset } from './annotation-file.ts';
import { seizureMeaning } from './seizure-words.ts';

/** The columns of SzCORE, in the order its reader wants. */
const szcoreColumns = ['onset', 'duration', 'eventType', 'confidence', 'channels', 'dateTime', 'recordingDuration'] as const;

/** Reads a BIDS events file, of SzCORE (`eventType`) or plain (`trial_type`). Background rows say that there is nothing and are left out. */
export function parseEventsTsv(text: string): AnnotationFile {
  const annotations: SourceAnnotation[] = [];
  const problems: SourceProblem[] = [];
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const names = header.split('\t').map((name) => name.trim());
  const column = (...wanted: string[]) => names.findIndex((name) => wanted.includes(name));
  const columns = {
    onset: column('onset'),
    duration: column('duration'),
    type: column('eventType', 'trial_type'),
    channels: column('channels', 'channel'),
  };
  const tell = (line: number, field: string, found: string, expected: string) =>
    problems.push({ field, at: line, unit: 'line', found: quoted(found), expected });
  for (const field of ['onset', 'duration', 'type'] as const) {
    if (columns[field] === -1) tell(1, 'columns', header, `a column ${field === 'type' ? 'eventType or trial_type' : field}`);
  }
  if (columns.onset === -1 || columns.type === -1) return { annotations, problems };
  for (const [index, row] of lines.entries()) {
    if (row.trim() === '') continue;
    const line = index + 2;
    const cells = row.split('\t').map((cell) => cell.trim());
    if (cells.length !== names.length) tell(line, 'cells', String(cells.length), String(names.length));
    const onsetUs = microsOf(cells[columns.onset]);
    if (onsetUs === null) {
      tell(line, 'onset', cells[columns.onset] ?? '', 'seconds; the row is left out');
      continue;
    }
    const durationText = cells[columns.duration] ?? 'n/a';
    const durationUs = isUnknown(durationText) ? null : microsOf(durationText);
    if (!isUnknown(durationText) && (durationUs === null || durationUs < 0)) tell(line, 'duration', durationText, 'seconds or n/a');
    const eventType = cells[columns.type] ?? '';
    if (eventType === 'bckg') continue;
    annotations.push({
      onsetUs,
      durationUs: durationUs !== null && durationUs < 0 ? null : durationUs,
      type: seizureMeaning(eventType) === null ? 'annotation' : 'seizure',
      text: eventType,
      channels: channelsOf(cells[columns.channels]),
    });
  }
  return { annotations: annotations.sort(byOnset), problems };
}

/** What `writeEventsTsv` needs to know of a recording. */
export type TsvRecording = { readonly startedAtUs: number | null; readonly durationUs: number };

/** A SzCORE events file: its seizures, or one background row over all when there is none, because an empty table has no length. */
export function szcoreTsv(annotations: readonly SourceAnnotation[], recording: TsvRecording): string {
  const dateTime = recording.startedAtUs === null ? 'n/a' : dateTimeText(recording.startedAtUs);
  const length = secondsText(recording.durationUs);
  const seizures = annotations.filter(({ type }) => type === 'seizure').toSorted(byOnset);
  const rows = seizures.map(({ onsetUs, durationUs, channels }) => [
    secondsText(onsetUs),
    durationUs === null ? 'n/a' : secondsText(durationUs),
    'sz', // the reader of SzCORE fails on a type it does not know
    'n/a',
    channels.length === 0 ? 'n/a' : channels.map((label) => label.replace(/[\t\r\n,]/g, ' ')).join(','),
    dateTime,
    length,
  ]);
  const background = ['0.00', length, 'bckg', 'n/a', 'n/a', dateTime, length];
  return [szcoreColumns, ...(rows.length === 0 ? [background] : rows)].map((row) => `${row.join('\t')}\n`).join('');
}

/** Two decimals as the reference implementation's `%.2f` rounds: what lies exactly between goes to the even digit, where `toFixed` goes up. */
function secondsText(us: number): string {
  const isBetween = us % 125_000 === 0 && us % 10_000 !== 0; // .125, .375, .625 and .875 are the only such seconds a double can hold
  if (!isBetween) return (us / 1e6).toFixed(2);
  const below = Math.floor(us / 10_000);
  return ((below + (below % 2 === 0 ? 0 : 1)) / 100).toFixed(2);
}

function dateTimeText(us: number): string {
  return new Date(Math.floor(us / 1e6) * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

function microsOf(text: string | undefined): number | null {
  const decimal = parseDecimal(text ?? '');
  return decimal === null ? null : toMicros(decimal);
}

function isUnknown(text: string): boolean {
  return text === 'n/a' || text === '' || text === 'nan';
}

function channelsOf(text: string | undefined): string[] {
  if (text === undefined || isUnknown(text) || text === 'all') return [];
  return text
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
}
