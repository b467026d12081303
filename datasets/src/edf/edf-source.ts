import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { SampleBits } from '@vitalwire/contract';
import { annotationOf, joinChannels, pairSeizures } from '../annotations/seizure-words.ts';
import { DatasetError } from '../dataset-error.ts';
import { toNumber } from '../decimal.ts';
import { ProblemList } from '../problem-list.ts';
import { shortName } from '../short-name.ts';
import type { SignalGroup, SignalSource, SourceAnnotation, Stretch } from '../signal-source.ts';
import { wantedChannels } from '../wanted-channels.ts';
import { type EdfHeader, type EdfSignal, headerBytesOf, parseHeader } from './header.ts';
import { fixedHeaderBytes } from './layout.ts';
import { isPadding } from './padding.ts';
import { RecordFile } from './record-file.ts';
import { type RawAnnotation, type Run, readTimeline } from './timeline.ts';

/** A source that also tells what its header says, for people who look at files. */
export type EdfSource = SignalSource & { readonly header: EdfHeader; readonly records: number };

/** Opens an EDF, EDF+, BDF or BDF+ file. Headers and annotations are read once, samples when they are asked for. */
export async function openEdf(path: string): Promise<EdfSource> {
  const file = basename(path);
  const handle = await open(path, 'r');
  try {
    const problems = new ProblemList();
    const fixed = await readStart(handle, fixedHeaderBytes);
    const length = headerBytesOf(file, fixed);
    const bytes = await readStart(handle, length);
    if (bytes.length < length) {
      throw new DatasetError('DATA_FILE_MALFORMED', {
        file,
        at: bytes.length,
        unit: 'byte',
        field: 'header',
        found: `the end of the file after ${bytes.length} bytes`,
        expected: `${length} bytes for its ${length / fixedHeaderBytes - 1} signals`,
      });
    }
    const header = parseHeader(file, bytes, problems);
    const { size } = await handle.stat();
    const records = countRecords(header, size, problems);
    const recordFile = new RecordFile(file, handle, header, records);
    const { runs, annotations } = await readTimeline(header, recordFile, problems);
    return new OpenedEdf({ file, handle, header, recordFile, runs, annotations, problems });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

type Opened = {
  readonly file: string;
  readonly handle: FileHandle;
  readonly header: EdfHeader;
  readonly recordFile: RecordFile;
  readonly runs: readonly Run[];
  readonly annotations: readonly RawAnnotation[];
  readonly problems: ProblemList;
};

type OpenGroup = SignalGroup & { readonly signals: readonly EdfSignal[] };

class OpenedEdf implements EdfSource {
  readonly name: string;
  readonly synthetic: boolean;
  readonly header: EdfHeader;
  readonly records: number;
  readonly startedAtUs: number | null;
  readonly durationUs: number;
  readonly groups: readonly OpenGroup[];
  readonly vitals = [];
  readonly problems;
  readonly #opened: Opened;
  readonly #annotations: readonly SourceAnnotation[];

  constructor(opened: Opened) {
    const { file, header, recordFile, runs, annotations, problems } = opened;
    this.#opened = opened;
    this.synthetic = header.synthetic;
    // Whoever sees the name alone must know it too.
    this.name = shortName(header.synthetic && !/^synthetic/i.test(file) ? `synthetic ${file}` : file);
    this.header = header;
    this.records = recordFile.records;
    this.startedAtUs = header.startedAtUs;
    const padding = annotations.filter(isPadding);
    this.#annotations = pairSeizures(joinChannels(annotations.filter((one) => !isPadding(one)).map(annotationOf)));
    this.groups = groupsOf(header, runs, padding);
    this.durationUs = this.groups.length > 0 ? endOfRuns(this.groups) : endOfAnnotations(this.#annotations);
    this.problems = problems.list();
  }

  async read(group: number, from: number, count: number, channels?: readonly number[]): Promise<Int32Array[]> {
    const channelNumbers = wantedChannels(this.groups, group, from, count, channels);
    const { signals, stretches } = this.groups[group] ?? { signals: [], stretches: [] };
    const wanted = channelNumbers.flatMap((channel) => signals[channel] ?? []);
    const arrays = wanted.map(() => new Int32Array(count));
    const perRecord = signals[0]?.samplesPerRecord ?? 1;
    for (const [index, stretch] of stretches.entries()) {
      const firstRecord = this.#opened.runs[index]?.firstRecord ?? 0;
      const stop = Math.min(from + count, stretch.firstSample + stretch.samples);
      let at = Math.max(from, stretch.firstSample);
      while (at < stop) {
        const inStretch = at - stretch.firstSample;
        const inRecord = inStretch % perRecord;
        const samples = Math.min(perRecord - inRecord, stop - at);
        const record = firstRecord + Math.floor(inStretch / perRecord);
        for (const [channel, signal] of wanted.entries()) {
          await this.#copy(record, signal, inRecord, arrays[channel]?.subarray(at - from, at - from + samples));
        }
        at += samples;
      }
    }
    return arrays;
  }

  annotations(): Promise<readonly SourceAnnotation[]> {
    return Promise.resolve(this.#annotations);
  }

  numeric(): Promise<[]> {
    return Promise.resolve([]);
  }

  async close(): Promise<void> {
    await this.#opened.handle.close();
  }

  async #copy(record: number, signal: EdfSignal, inRecord: number, to: Int32Array | undefined): Promise<void> {
    if (to === undefined) return;
    const sampleBytes = this.header.format === 'BDF' ? 3 : 2;
    const offset = signal.offsetInRecord + inRecord * sampleBytes;
    decode(await this.#opened.recordFile.bytes(record, offset, to.length * sampleBytes), sampleBytes, to);
  }
}

function decode(bytes: Uint8Array, sampleBytes: 2 | 3, to: Int32Array): void {
  if (sampleBytes === 2) {
    for (let i = 0, p = 0; i < to.length; i += 1, p += 2) to[i] = (((bytes[p] ?? 0) | ((bytes[p + 1] ?? 0) << 8)) << 16) >> 16;
  } else {
    for (let i = 0, p = 0; i < to.length; i += 1, p += 3) {
      to[i] = (((bytes[p] ?? 0) | ((bytes[p + 1] ?? 0) << 8) | ((bytes[p + 2] ?? 0) << 16)) << 8) >> 8;
    }
  }
}

/** How many whole records are there, and what the header says otherwise. */
function countRecords(header: EdfHeader, size: number, problems: ProblemList): number {
  const { headerBytes, recordBytes, declaredRecords } = header;
  const data = Math.max(0, size - headerBytes);
  const whole = recordBytes === 0 ? 0 : Math.floor(data / recordBytes);
  const tell = (field: string, at: number, found: string, expected: string) => problems.add({ field, at, unit: 'byte', found, expected });
  if (recordBytes === 0) tell('samples per record', 0, 'no signal with samples', 'at least one');
  if (declaredRecords === null || declaredRecords < 0) {
    if (declaredRecords !== null) tell('number of data records', 236, `${declaredRecords} (unknown)`, `${whole}, as many as there are`);
    const rest = data - whole * recordBytes;
    if (rest > 0) tell('data records', headerBytes + whole * recordBytes, `${rest} bytes of a record that is cut`, `${recordBytes} bytes`);
    return whole;
  }
  if (whole < declaredRecords) {
    const rest = data - whole * recordBytes;
    const cut = rest === 0 ? '' : ` and ${rest} bytes of one of ${recordBytes} bytes`;
    const lostSeconds = (declaredRecords - whole) * toNumber(header.recordDuration);
    const missing = `${declaredRecords} records; ${declaredRecords - whole} are missing${lostSeconds > 0 ? ` (${lostSeconds} s)` : ''}`;
    tell('data records', headerBytes + whole * recordBytes, `the end of the file after ${whole} whole records${cut}`, missing);
    return whole;
  }
  const extra = data - declaredRecords * recordBytes;
  if (extra > 0)
    tell('data records', size - extra, `${extra} bytes after the last of ${declaredRecords} records; not read`, 'the end of the file');
  return declaredRecords;
}

/** Signals of one rate make a group, in the order of the file. */
function groupsOf(header: EdfHeader, runs: readonly Run[], padding: readonly RawAnnotation[]): OpenGroup[] {
  const sampleBits: SampleBits = header.format === 'BDF' ? 24 : 16;
  const byRate = new Map<number, EdfSignal[]>();
  for (const signal of header.signals) {
    if (signal.rate === null) continue;
    const same = byRate.get(signal.samplesPerRecord);
    if (same === undefined) byRate.set(signal.samplesPerRecord, [signal]);
    else same.push(signal);
  }
  return [...byRate].map(([perRecord, signals]) => ({
    rate: signals[0]?.rate ?? { num: 1, den: 1 },
    sampleBits,
    channels: signals.map(({ scale }) => scale),
    stretches: stretchesOf(header, runs, perRecord, padding),
    signals,
  }));
}

function stretchesOf(header: EdfHeader, runs: readonly Run[], perRecord: number, padding: readonly RawAnnotation[]): Stretch[] {
  const recordUs = toNumber(header.recordDuration) * 1e6;
  let firstSample = 0;
  return runs.map(({ onsetUs, records }) => {
    const endUs = onsetUs + records * recordUs;
    const pad = padding.find((one) => one.onsetUs < endUs && one.onsetUs > endUs - recordUs);
    const padded = pad === undefined ? 0 : Math.round(((endUs - pad.onsetUs) / recordUs) * perRecord);
    const stretch = { onsetUs, firstSample, samples: records * perRecord - padded };
    firstSample += stretch.samples;
    return stretch;
  });
}

function endOfRuns(groups: readonly SignalGroup[]): number {
  const ends = groups.map(({ stretches, rate }) => {
    const last = stretches.at(-1);
    return last === undefined ? 0 : last.onsetUs + Math.round((last.samples * rate.den * 1e6) / rate.num);
  });
  return Math.max(0, ...ends);
}

function endOfAnnotations(annotations: readonly SourceAnnotation[]): number {
  let end = 0;
  for (const { onsetUs, durationUs } of annotations) end = Math.max(end, onsetUs + (durationUs ?? 0));
  return end;
}

async function readStart(handle: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
