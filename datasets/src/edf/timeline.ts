import { toNumber } from '../decimal.ts';
import type { ProblemList } from '../problem-list.ts';
import type { EdfHeader } from './header.ts';
import type { RecordFile } from './record-file.ts';
import { parseTals, type Tal } from './tal.ts';

/** An unbroken run of records. */
export type Run = { readonly onsetUs: number; readonly firstRecord: number; readonly records: number };

/** An annotation of the file as it stands there. */
export type RawAnnotation = { readonly onsetUs: number; readonly durationUs: number | null; readonly text: string };

export type Timeline = { readonly runs: readonly Run[]; readonly annotations: readonly RawAnnotation[] };

/** More than any recording has; what comes after is told, not kept. */
const MAX_ANNOTATIONS = 500_000;

/** The annotations of one record are read up to here. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;

/** Two records follow each other when their times agree this well and within half a sample. */
const MAX_TOLERANCE_US = 500_000;

/** Reads the times and annotations of all records. A plain file, and a record that tells no time, follows what was before. */
export async function readTimeline(header: EdfHeader, file: RecordFile, problems: ProblemList): Promise<Timeline> {
  const recordUs = toNumber(header.recordDuration) * 1e6;
  const runs = new RunBuilder(header, recordUs, problems);
  const annotations: RawAnnotation[] = [];
  const lists = header.signals.filter((signal) => signal.isAnnotations);
  if (lists.length === 0) {
    runs.addRest(file.records);
    if (header.kind !== 'plain') {
      problems.add({
        field: 'signals',
        at: null,
        unit: null,
        found: `no annotation signal in a file of kind +${header.kind}`,
        expected: 'at least one',
      });
    }
    return { runs: runs.list(), annotations };
  }
  const sampleBytes = header.format === 'BDF' ? 3 : 2;
  for (let record = 0; record < file.records; record += 1) {
    let onsetUs: number | null = null;
    for (const [index, signal] of lists.entries()) {
      const length = Math.min(signal.samplesPerRecord * sampleBytes, MAX_LIST_BYTES);
      const bytes = await file.bytes(record, signal.offsetInRecord, length);
      const at = header.headerBytes + record * header.recordBytes + signal.offsetInRecord;
      const { tals, faults } = parseTals(bytes);
      for (const fault of faults) {
        problems.add({ field: 'annotations', at: at + fault.offset, unit: 'byte', found: fault.found, expected: fault.expected });
      }
      const [first] = tals;
      if (index === 0 && first !== undefined && first.texts[0] === '') onsetUs = first.onsetUs;
      for (const tal of tals) keepTexts(tal, annotations, problems);
    }
    runs.add(record, onsetUs);
  }
  if (annotations.length > MAX_ANNOTATIONS) annotations.length = MAX_ANNOTATIONS;
  return { runs: runs.list(), annotations: annotations.sort((a, b) => a.onsetUs - b.onsetUs) };
}

function keepTexts(tal: Tal, annotations: RawAnnotation[], problems: ProblemList): void {
  for (const text of tal.texts) {
    if (text === '') continue; // time-keeping
    annotations.push({ onsetUs: tal.onsetUs, durationUs: tal.durationUs, text });
    if (annotations.length !== MAX_ANNOTATIONS + 1) continue;
    problems.add({
      field: 'annotations',
      at: null,
      unit: null,
      found: 'more',
      expected: `at most ${MAX_ANNOTATIONS}; the rest is left out`,
    });
  }
  if (annotations.length > MAX_ANNOTATIONS + 1) annotations.length = MAX_ANNOTATIONS + 1;
}

/** Puts records together as long as their times go on where the run would be; small differences do not add up. */
class RunBuilder {
  readonly #header: EdfHeader;
  readonly #recordUs: number;
  readonly #toleranceUs: number;
  readonly #problems: ProblemList;
  readonly #runs: { onsetUs: number; firstRecord: number; records: number }[] = [];
  #toldInterruption = false;

  constructor(header: EdfHeader, recordUs: number, problems: ProblemList) {
    this.#header = header;
    this.#recordUs = recordUs;
    this.#problems = problems;
    const most = Math.max(1, ...header.signals.filter(({ rate }) => rate !== null).map((signal) => signal.samplesPerRecord));
    this.#toleranceUs = Math.min(MAX_TOLERANCE_US, recordUs / most / 2);
  }

  add(record: number, onsetUs: number | null): void {
    const run = this.#runs.at(-1);
    if (run === undefined) {
      this.#runs.push({ onsetUs: onsetUs ?? 0, firstRecord: record, records: 1 });
      if (onsetUs === null) this.#tell(record, 'no time', 'the time of the record, first in its annotations; read as 0');
      return;
    }
    const expectedUs = run.onsetUs + run.records * this.#recordUs;
    const follows = onsetUs === null || Math.abs(onsetUs - expectedUs) <= this.#toleranceUs || this.#recordUs === 0;
    if (follows) {
      run.records += 1;
      if (onsetUs === null) this.#tell(record, 'no time', 'the time of the record, first in its annotations; read as following');
    } else if (onsetUs < expectedUs) {
      run.records += 1;
      this.#tell(record, `${onsetUs / 1e6} s`, `${expectedUs / 1e6} s or later; read as following`);
    } else {
      this.#runs.push({ onsetUs, firstRecord: record, records: 1 });
      this.#tellInterruption(record, onsetUs, expectedUs);
    }
  }

  addRest(records: number): void {
    if (records > 0) this.#runs.push({ onsetUs: 0, firstRecord: 0, records });
  }

  list(): Run[] {
    return this.#runs;
  }

  #tellInterruption(record: number, onsetUs: number, expectedUs: number): void {
    if (this.#header.kind === 'D' || this.#toldInterruption) return;
    this.#toldInterruption = true;
    const found = `${onsetUs / 1e6} s, although the header says continuous; read as interrupted`;
    this.#tell(record, found, `${expectedUs / 1e6} s, or a file of kind +D`);
  }

  #tell(record: number, found: string, expected: string): void {
    const at = this.#header.headerBytes + record * this.#header.recordBytes;
    this.#problems.add({ field: 'time of a data record', at, unit: 'byte', found, expected });
  }
}
