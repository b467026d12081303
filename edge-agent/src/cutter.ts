import {
  type ClockState,
  type EventReading,
  limits,
  type NumericKind,
  type NumericReading,
  type NumericStream,
  type Rate,
  type SampleBits,
} from '@vitalwire/contract';
import type { AppendStep, CaptureClaim, NoReading } from '@vitalwire/outbox';
import { addStretch, type ChunkRules, chunkRules, partOf, type Stretch, tailOf, timeOfSample } from './chunker.ts';

export type ChunkStep = Extract<AppendStep, { step: 'chunk' }>;
/** What a chunk step needs to know besides its readings. */
export type CutContext = { readonly recordingId: string; readonly clock: ClockState };

/** The readings of one request, in whatever form their stream has; `from` skips those that are known already. */
export type Readings =
  | { readonly stream: 'eeg'; readonly stretch: Omit<Stretch, 'firstSample'>; readonly channels: number; readonly rate: Rate }
  | { readonly stream: NumericStream; readonly kind: NumericKind; readonly readings: readonly (NumericReading | NoReading)[] }
  | { readonly stream: 'event'; readonly events: readonly EventReading[] };

/** Turns the readings of one recording into chunks. Between requests it may hold back an open chunk. */
export interface Cutter {
  /** Chunks that are complete now; `firstSample` counts from the recording's start, `skip` readings are known already. */
  add(readings: Readings, firstSample: number, skip: number, context: CutContext): ChunkStep[];
  /** Whether what is held back is long enough to be cut at the end of a request. */
  readonly isDue: boolean;
  readonly waiting: number; // readings held back
  flush(context: CutContext): ChunkStep[];
  reset(): void;
}

export function countOf(readings: Readings): number {
  if (readings.stream === 'eeg') return readings.stretch.samplesPerChannel;
  return readings.stream === 'event' ? readings.events.length : readings.readings.length;
}

/** Readings `from` to `to` of a request as what the outbox compares with what it has. */
export function claimOf(readings: Readings, from: number, to: number): CaptureClaim['readings'] {
  if (readings.stream === 'event') return { stream: 'event', events: readings.events.slice(from, to) };
  if (readings.stream !== 'eeg') return { stream: readings.stream, readings: readings.readings.slice(from, to) };
  const { channels, rate } = readings;
  const { firstSample: _, ...part } = partOf({ ...readings.stretch, firstSample: 0 }, from, to - from, { channels, rate });
  return { stream: 'eeg', rate, channels, ...part };
}

/** When the reading at `index` was measured. */
export function timeOf(readings: Readings, index: number): number {
  if (readings.stream === 'eeg') return timeOfSample(readings.stretch.measuredAtUs, index, readings.rate);
  return (readings.stream === 'event' ? readings.events : readings.readings)[index]?.atUs ?? 0;
}

export type EegFormat = { readonly channels: number; readonly sampleBits: SampleBits; readonly rate: Rate; readonly montageHash: string };

export class EegCutter implements Cutter {
  readonly #format: EegFormat;
  readonly #rules: ChunkRules;
  #open: Stretch | null = null;

  constructor(format: EegFormat, chunkMs: number) {
    this.#format = format;
    this.#rules = chunkRules(format.channels, format.sampleBits, format.rate, chunkMs);
  }

  get waiting(): number {
    return this.#open?.samplesPerChannel ?? 0;
  }

  get isDue(): boolean {
    return this.waiting >= this.#rules.leastSamples;
  }

  add(readings: Readings, firstSample: number, skip: number, context: CutContext): ChunkStep[] {
    if (readings.stream !== 'eeg') throw new TypeError(`${readings.stream} readings in an EEG recording`);
    const stretch = tailOf({ ...readings.stretch, firstSample: firstSample - skip }, skip, this.#rules);
    const { full, open } = addStretch(this.#open, stretch, this.#rules);
    this.#open = open;
    return full.map((one) => this.#step(one, context));
  }

  flush(context: CutContext): ChunkStep[] {
    const open = this.#open;
    this.#open = null;
    return open === null ? [] : [this.#step(open, context)];
  }

  reset(): void {
    this.#open = null;
  }

  #step(stretch: Stretch, { recordingId, clock }: CutContext): ChunkStep {
    const { channels, sampleBits, rate, montageHash } = this.#format;
    const { firstSample, measuredAtUs, samplesPerChannel, samples } = stretch;
    return {
      step: 'chunk',
      chunk: {
        stream: 'eeg',
        recordingId,
        measuredAtUs,
        clock,
        firstSample,
        channels,
        samplesPerChannel,
        rate,
        montageHash,
        sampleBits,
        samples,
      },
      readings: samplesPerChannel,
      endUs: timeOfSample(measuredAtUs, samplesPerChannel, rate),
    };
  }
}

/** Readings with times of their own travel at once: they are few, and each request is answered after its commit. */
export class ReadingCutter implements Cutter {
  readonly waiting = 0;
  readonly isDue = false;

  add(readings: Readings, firstSample: number, skip: number, { recordingId, clock }: CutContext): ChunkStep[] {
    if (readings.stream === 'eeg') throw new TypeError('EEG samples in a recording of readings');
    if (readings.stream !== 'event')
      return parts(readings.readings, skip, limits.maxReadingsPerChunk, isReading).map(({ items, offset }) => ({
        step: 'chunk',
        chunk: {
          stream: readings.stream,
          recordingId,
          measuredAtUs: items[0]?.atUs ?? 0,
          clock,
          firstSample: firstSample + offset,
          kind: readings.kind,
          readings: items,
        },
        readings: items.length,
        endUs: latest(items),
      }));
    return parts(readings.events, skip, limits.maxEventsPerChunk, (_one): _one is EventReading => true).map(({ items, offset }) => ({
      step: 'chunk',
      chunk: { stream: 'event', recordingId, measuredAtUs: items[0]?.atUs ?? 0, clock, firstSample: firstSample + offset, events: items },
      readings: items.length,
      endUs: latest(items),
    }));
  }

  flush(): ChunkStep[] {
    return [];
  }

  reset(): void {}
}

function isReading(one: NumericReading | NoReading): one is NumericReading {
  return one.value !== null;
}

/** Stretches of items that are some, each with its place behind `skip`. */
function parts<T, Some extends T>(
  items: readonly T[],
  skip: number,
  most: number,
  isSome: (item: T) => item is Some,
): { items: readonly Some[]; offset: number }[] {
  const cut: { items: Some[]; offset: number }[] = [];
  let open: { items: Some[]; offset: number } | null = null;
  for (const [index, item] of items.entries()) {
    if (index < skip) continue;
    if (!isSome(item)) open = null;
    else if (open !== null && open.items.length < most) open.items.push(item);
    else {
      open = { items: [item], offset: index - skip };
      cut.push(open);
    }
  }
  return cut;
}

function latest(items: readonly { readonly atUs: number }[]): number {
  return items.reduce((most, one) => Math.max(most, one.atUs), items[0]?.atUs ?? 0);
}
