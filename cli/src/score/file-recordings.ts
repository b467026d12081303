import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { orderedEvents } from '@vitalwire/vitals';
import { CliError } from '../errors.ts';
import { type EventsTable, readEventsTable } from './events-table.ts';
import type { ScoredRecording } from './scored-recording.ts';

export type FilesWish = {
  readonly reference: string; // a table, or a folder of them
  readonly hypothesis: string;
  readonly durationS?: number | undefined; // where the tables do not say how long the recording is
};

const MAX_TABLES = 10_000;
const MAX_TABLE_BYTES = 16 * 1024 * 1024;
const DEPTH = 8;

/** Pairs of tables: two files, or every table of a folder with the one at the same place in the other. */
export function readFileRecordings({ reference, hypothesis, durationS }: FilesWish): ScoredRecording[] {
  const isFolder = isDirectory(reference);
  if (isFolder !== isDirectory(hypothesis)) {
    throw new CliError(
      'WRONG_ARGUMENT',
      `--reference and --hypothesis must both be files or both be folders: ${reference} and ${hypothesis}`,
    );
  }
  if (!isFolder) return [scoredPair(pairOf(reference, hypothesis, path.basename(reference)), readTable(hypothesis), durationS)];
  const places = tablesIn(reference);
  if (places.length === 0) throw new CliError('NOTHING_TO_SCORE', `${reference} holds no table (*.tsv)`);
  const answered = new Set(tablesIn(hypothesis));
  const unasked = [...answered].filter((place) => !places.includes(place));
  if (unasked.length > 0) {
    throw new CliError(
      'TABLE_REFUSED',
      `${path.join(hypothesis, unasked[0] ?? '')} has no table at the same place in ${reference}${unasked.length > 1 ? ` (and ${unasked.length - 1} more)` : ''}`,
    );
  }
  return places.map((place) => {
    const file = path.join(hypothesis, place);
    return scoredPair(pairOf(path.join(reference, place), file, place), answered.has(place) ? readTable(file) : null, durationS);
  });
}

type Pair = { readonly table: EventsTable; readonly reference: string; readonly hypothesis: string; readonly place: string };

function pairOf(reference: string, hypothesis: string, place: string): Pair {
  return { table: readTable(reference), reference, hypothesis, place };
}

function scoredPair(
  { table, reference, hypothesis, place }: Pair,
  answer: EventsTable | null,
  wantedS: number | undefined,
): ScoredRecording {
  const durationS = table.recordingS ?? wantedS;
  if (durationS === undefined)
    throw new CliError('TABLE_REFUSED', `${reference} does not say how long its recording is (recordingDuration); give it with --duration`);
  if (durationS < 1)
    throw new CliError('TABLE_REFUSED', `${reference}: its recording lasts ${durationS} s; nothing under 1 s can be scored`);
  const answeredS = answer?.recordingS ?? durationS;
  // The reference implementation's sample scoring refuses it too; half a second is rounding.
  if (Math.abs(answeredS - durationS) > 0.5)
    throw new CliError('TABLE_REFUSED', `${hypothesis} speaks of a recording of ${answeredS} s, ${reference} of one of ${durationS} s`);
  const notes: string[] = [];
  if (answer === null) notes.push('has no hypothesis: it counts as nothing detected');
  const inOrder = (events: EventsTable['seizures'], file: string) => {
    const ordered = orderedEvents(events, durationS);
    if (ordered.length < events.length)
      notes.push(`${events.length - ordered.length} events of ${path.basename(file)} lie inside another or outside the recording`);
    return ordered;
  };
  return {
    subject: subjectOf(place),
    name: place,
    startedAtUs: null,
    durationS,
    recordedS: durationS,
    monitoredS: durationS, // tables say nothing of it: all of it is taken for judged
    reference: inOrder(table.seizures, reference),
    hypotheses: [
      {
        name: 'file',
        alarms: inOrder(answer?.seizures ?? [], hypothesis).map((event) => ({ ...event, raisedS: event.startS })),
        signals: null,
      },
    ],
    source: '',
    speed: null,
    windows: null,
    notes,
  };
}

/** The subject of a table by its place: `sub-01` anywhere in it, else its folder, else the file itself. */
export function subjectOf(place: string): string {
  const bids = /(?:^|[/\\])(sub-[A-Za-z0-9]+)/.exec(place)?.[1];
  if (bids !== undefined) return bids;
  const [folder, ...rest] = place.split(/[/\\]/);
  return rest.length > 0 && folder !== undefined ? folder : path.basename(place, '.tsv');
}

function readTable(file: string): EventsTable {
  let text: string;
  try {
    if (statSync(file).size > MAX_TABLE_BYTES) throw new CliError('TABLE_REFUSED', `${file} is larger than ${MAX_TABLE_BYTES} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError('TABLE_REFUSED', `${file} cannot be read: check the path`, { cause });
  }
  return readEventsTable(text, file);
}

function isDirectory(file: string): boolean {
  try {
    return statSync(file).isDirectory();
  } catch (cause) {
    throw new CliError('TABLE_REFUSED', `${file} cannot be read: check the path`, { cause });
  }
}

/** Every table below a folder, by its place in it. */
function tablesIn(folder: string, below = '', depth = 0): string[] {
  if (depth > DEPTH) throw new CliError('TABLE_REFUSED', `${path.join(folder, below)}: folders are more than ${DEPTH} deep`);
  const found = readdirSync(path.join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const place = path.join(below, entry.name);
    if (entry.isDirectory()) return tablesIn(folder, place, depth + 1);
    return entry.name.endsWith('.tsv') ? [place] : [];
  });
  if (found.length > MAX_TABLES) throw new CliError('TABLE_REFUSED', `${folder} holds more than ${MAX_TABLES} tables`);
  return found.sort();
}
