import { type EegChunk, type EventChunk, isNumeric, type NumericChunk, type NumericStream, type Samples } from '@vitalwire/contract';
import { eventsInWindow } from '../replay/event-feed.ts';
import { driftToleranceUs } from '../replay/faults/patient-faults.ts';
import type { Feed } from '../replay/feed.ts';
import type { Leg } from '../replay/leg.ts';
import type { CaptureRecord, Manifest, Take } from '../replay/manifest.ts';
import { checkUnchanged, openSpec } from '../replay/source-spec.ts';
import {
  deviceUs,
  type EegDevice,
  eegOf,
  eventsOf,
  legsOf,
  numericOf,
  takeLeg,
  type VirtualPatient,
  virtualPatient,
} from '../replay/virtual-patient.ts';
import type { StoredRange } from './coverage.ts';

/** A chunk that holds readings of a replay. */
export type ReadingChunk = EegChunk | NumericChunk | EventChunk;

export type Unlike = { readonly position: number; readonly found: string; readonly expected: string };

/** What the stored readings of one capture must be: made again from the source, not from anything that was sent. */
export type Expectation = {
  /** Every reading of a chunk that begins at `position` of its capture and differs. */
  compare(chunk: ReadingChunk, position: number): Promise<Unlike[]>;
  /** How many readings the source has before the last answered one that no request has brought. */
  unsent(answered: readonly StoredRange[]): Promise<number>;
  /** Whether a sample lies in a stretch known to be a seizure. */
  isIctal(sample: number): boolean;
};

// The agent derives a chunk's time from a request's, so the last digit may be rounded the other way.
const TIME_TOLERANCE_US = 2;
const KEPT_UNLIKE = 100;

/** The patients of a replay, made again from their sources. */
export class ReplayedPatients {
  readonly #manifest: Manifest;
  readonly #opened = new Map<string, Promise<VirtualPatient>>();

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
  }

  /** What one capture must look like. */
  async expectationOf(capture: CaptureRecord): Promise<Expectation> {
    const patient = await this.#patient(capture.patient);
    const take = this.#manifest.takes.find(({ index }) => index === capture.take);
    const leg =
      take === undefined ? undefined : (capture.stream === 'event' ? [takeLeg(patient, take)] : legsOf(patient, take))[capture.leg];
    if (take === undefined || leg === undefined) throw new RangeError(`the manifest has no take ${capture.take} with leg ${capture.leg}`);
    return expectation(patient, take, leg, capture);
  }

  async close(): Promise<void> {
    for (const opened of this.#opened.values()) await opened.then((patient) => patient.close()).catch(() => {}); // what could not be opened was told
  }

  #patient(id: string): Promise<VirtualPatient> {
    const known = this.#opened.get(id) ?? this.#open(id);
    this.#opened.set(id, known);
    return known;
  }

  async #open(id: string): Promise<VirtualPatient> {
    const index = this.#manifest.patients.findIndex((patient) => patient.id === id);
    const source = this.#manifest.patients[index]?.source;
    if (source === undefined) throw new RangeError(`the manifest has no patient ${id}`);
    await checkUnchanged(source);
    return virtualPatient(id, index, await openSpec(source), this.#manifest.play);
  }
}

function expectation(patient: VirtualPatient, take: Take, leg: Leg, capture: CaptureRecord): Expectation {
  const at = (lineUs: number): number => deviceUs(patient, take, lineUs);
  const device = patient.eeg.find(({ group }) => group === capture.group);
  if (capture.stream === 'eeg' && device !== undefined) return eegExpectation(patient, take, leg, device);
  if (isNumeric(capture.stream)) return numericExpectation(patient, take, leg, capture.stream);
  const feed = eventsOf(patient, take);
  return {
    isIctal: () => false,
    unsent: (answered) => unsentOf(feed, answered),
    async compare(chunk, position) {
      if (chunk.stream !== 'event') return [];
      const expected = await feed.read(position, position + chunk.events.length);
      return expected.flatMap(({ atUs, durationUs, type, text }, offset) => {
        const one = { atUs: at(atUs), durationUs: durationUs === null ? null : Math.round(durationUs), type, text };
        const found = chunk.events[offset];
        const isSame = found?.type === type && found.text === text && found.atUs === one.atUs && found.durationUs === one.durationUs;
        return isSame ? [] : [{ position: position + offset, found: JSON.stringify(found), expected: JSON.stringify(one) }];
      });
    },
  };
}

function numericExpectation(patient: VirtualPatient, take: Take, leg: Leg, stream: NumericStream): Expectation {
  const feed = numericOf(patient, stream, leg);
  const kind = patient.monitor?.vitals.find((vital) => vital.stream === stream)?.kind;
  return {
    isIctal: () => false,
    unsent: (answered) => unsentOf(feed, answered),
    async compare(chunk, position) {
      if (chunk.stream !== stream) return [];
      const expected = await feed.read(position, position + chunk.readings.length);
      return expected.flatMap(({ atUs, value }, offset) => {
        const one = { atUs: deviceUs(patient, take, atUs), value, kind };
        const reading = chunk.readings[offset];
        const isSame = reading?.value === value && reading?.atUs === one.atUs && chunk.kind === kind;
        const found = JSON.stringify(reading === undefined ? null : { ...reading, kind: chunk.kind });
        return isSame ? [] : [{ position: position + offset, found, expected: JSON.stringify(one) }];
      });
    },
  };
}

function eegExpectation(patient: VirtualPatient, take: Take, leg: Leg, device: EegDevice): Expectation {
  const { line } = device.signal;
  const first = line.completeBy(leg.fromUs);
  const feed = eegOf(device, leg, take.speed ?? Number.POSITIVE_INFINITY);
  const samples = new ReadAhead(feed, device.channels.length);
  const seizures = eventsInWindow(patient).filter(({ type }) => type === 'seizure');
  return {
    unsent: (answered) => unsentOf(feed, answered),
    isIctal(sample) {
      const lineUs = line.timeUs(first + sample);
      const inRoundUs = patient.window.loop ? lineUs % patient.periodUs : lineUs;
      return seizures.some(({ atUs, durationUs }) => inRoundUs >= atUs && inRoundUs < atUs + (durationUs ?? 0));
    },
    async compare(chunk, position) {
      if (chunk.stream !== 'eeg') return [];
      const unlike: Unlike[] = [];
      const lineUs = line.timeUs(first + position);
      const expectedUs = deviceUs(patient, take, lineUs);
      if (Math.abs(chunk.measuredAtUs - expectedUs) > TIME_TOLERANCE_US + driftToleranceUs(patient.faults, lineUs))
        unlike.push({ position, found: `measured at ${chunk.measuredAtUs} us`, expected: `${expectedUs} us` });
      if (chunk.channels !== device.channels.length)
        return [...unlike, { position, found: `${chunk.channels} channels`, expected: `${device.channels.length}` }];
      const count = chunk.samplesPerChannel;
      const expected = await samples.read(position, count);
      for (let index = 0; index < expected.length && unlike.length < KEPT_UNLIKE; index += 1) {
        const found = chunk.samples[index];
        if (found !== expected[index])
          unlike.push({ position: position + (index % count), found: String(found), expected: String(expected[index] ?? 'no sample') });
      }
      return unlike;
    },
  };
}

/** Reads a little more than is asked for: chunks come in order, and a file is read best in large pieces. */
class ReadAhead {
  readonly #feed: Feed<Samples>;
  readonly #channels: number;
  #from = 0;
  #count = 0;
  #samples: Samples = new Int16Array(0);

  constructor(feed: Feed<Samples>, channels: number) {
    this.#feed = feed;
    this.#channels = channels;
  }

  /** The samples of a chunk, channel after channel; those that the source does not have are left out. */
  async read(position: number, count: number): Promise<(number | undefined)[] | Samples> {
    if (position < this.#from || position + count > this.#from + this.#count) await this.#load(position, count);
    const offset = position - this.#from;
    if (offset === 0 && count === this.#count) return this.#samples;
    const wanted: (number | undefined)[] = [];
    for (let channel = 0; channel < this.#channels; channel += 1) {
      for (let index = 0; index < count; index += 1) {
        const isThere = offset + index >= 0 && offset + index < this.#count;
        wanted.push(isThere ? this.#samples[channel * this.#count + offset + index] : undefined);
      }
    }
    return wanted;
  }

  async #load(position: number, count: number): Promise<void> {
    let end = position;
    for (;;) {
      const block = await this.#feed.blockAt(end);
      if (block === null || block.begin !== end) break;
      end = block.end;
      if (end >= position + Math.max(count, this.#feed.maxPerRequest)) break;
    }
    this.#from = position;
    this.#count = end - position;
    this.#samples = await this.#feed.read(position, end);
  }
}

/** How many positions before the end of the last range no range has. */
async function unsentOf(feed: Feed<unknown>, ranges: readonly StoredRange[]): Promise<number> {
  const until = ranges.reduce((most, { to }) => Math.max(most, to), 0);
  const sorted = ranges.toSorted((a, b) => a.from - b.from);
  let unsent = 0;
  let next = 0;
  for (let block = await feed.blockAt(0); block !== null && block.begin < until; block = await feed.blockAt(block.end)) {
    const end = Math.min(block.end, until);
    while (next < sorted.length && (sorted[next]?.to ?? 0) <= block.begin) next += 1;
    let covered = 0;
    for (let index = next; index < sorted.length && (sorted[index]?.from ?? 0) < end; index += 1) {
      const { from, to } = sorted[index] as StoredRange;
      covered += Math.min(to, end) - Math.max(from, block.begin);
    }
    unsent += end - block.begin - covered;
  }
  return unsent;
}
