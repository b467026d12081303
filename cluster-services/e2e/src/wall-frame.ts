import { type NumericStream, numericFacts, numericStreams } from '@vitalwire/contract';

/** The title of the column of the first vital. */
const LEAD = numericFacts(numericStreams[0] as NumericStream).short;

/** One patient's row of a wall of at least 72 columns, cell by cell, as a person reads it. */
export type WallRow = {
  readonly name: string;
  readonly state: string; // `● quiet`, `[● quiet] 20 s`
  readonly probability: string;
  readonly eegAge: string;
  readonly heart: string;
  readonly heartAge: string;
  readonly mark: string; // `REPLAY`, or `R` where that has no room
};

/** The rows of a frame of the wall, found by the titles above them; none where the frame shows no list. */
export function rowsOf(frame: string): WallRow[] {
  const lines = frame.split('\n');
  const at = lines.findIndex((line) => /STATE +P +PATIENT +EEG/.test(line));
  const titles = lines[at];
  if (titles === undefined) return [];
  const isWide = titles.includes('EEG AGE');
  const state = titles.indexOf('STATE');
  const name = titles.indexOf('PATIENT');
  const probability = name - 6;
  const eegEnd = titles.indexOf('EEG') + (isWide ? 7 : 3);
  const eegFrom = eegEnd - (isWide ? 7 : 6);
  const heartEnd = titles.indexOf(LEAD, eegEnd) + LEAD.length;
  const heartAgeEnd = titles.indexOf('AGE', heartEnd) + 3;
  const marks = titles.includes('NEWS2-P') ? titles.indexOf('NEWS2-P') + 7 : heartAgeEnd;
  const marksEnd = marks + (isWide ? 8 : 2);
  const rows: WallRow[] = [];
  for (const line of lines.slice(at + 1)) {
    const cell = (from: number, to: number): string => line.slice(from, to).trim();
    const eegAge = cell(eegFrom, eegEnd);
    if (!isAge(eegAge) && eegAge !== '--') break; // the list is over
    rows.push({
      name: cell(name, eegFrom),
      state: cell(state, probability),
      probability: cell(probability, name - 1),
      eegAge,
      heart: cell(eegEnd, heartEnd),
      heartAge: cell(heartEnd, heartAgeEnd),
      mark: cell(marks, marksEnd),
    });
  }
  return rows;
}

/** The age that stands in a text and the oldest a value of that age can be, in ms; null where none stands. */
export function oldestMs(text: string): number | null {
  const [, under, count, unit] = /(?:(<1)|(\d+)) (s|min|h|d)\b/.exec(text) ?? [];
  if (unit === undefined) return null;
  const unitMs = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 0;
  return under === undefined ? (Number(count) + 1) * unitMs : 1_000;
}

function isAge(text: string): boolean {
  return text === '?' || oldestMs(text) !== null;
}
