import { type Beat, type BonnEvent, type BonnPatient, bonnEvents, integerBetween, samplesAt, seededRandom } from '@vitalwire/datasets';
import type { Feed } from './feed.ts';

/** One beat of a virtual patient, at ms of data time. */
export type FeedBeat = { readonly atMs: number; readonly bpm: number };
/** One event of a virtual patient, at ms of data time. */
export type FeedEvent = { readonly atMs: number; readonly durationMs: number | null; readonly type: string; readonly text: string };

/** A device sends its samples in blocks of this length. */
const EEG_BLOCK_MS = 250;
const HEART_RATE_BLOCK_MS = 1_000;

/** The EEG of a patient: whole blocks of 43 samples (247.7 ms), so that a block is never a sample longer than the agent's chunk. */
export function eegFeed(patient: BonnPatient): Feed<Int16Array> {
  const { num, den } = patient.rate;
  const blockSamples = Math.floor((EEG_BLOCK_MS * num) / den / 1000);
  return {
    maxPerRequest: blockSamples * 64,
    blockAt(position) {
      const end = (Math.floor(position / blockSamples) + 1) * blockSamples;
      return { end, dueMs: sampleMs(patient, end) };
    },
    measuredBy: (dataMs) => Math.floor((dataMs * num) / den / 1000),
    read: (from, to) => samplesAt(patient, from, to - from),
  };
}

/** Beats of the MIT-BIH series from a seeded place in it, repeated as long as needed; sent once a second. */
export function heartRateFeed(beats: readonly Beat[], seed: number, index: number): Feed<FeedBeat[]> {
  const series = new BeatSeries(beats, integerBetween(0, beats.length - 1, seededRandom(seed, 0xbea7 + index)));
  return {
    maxPerRequest: 500,
    blockAt(position) {
      const dueMs = (Math.floor(series.at(position).atMs / HEART_RATE_BLOCK_MS) + 1) * HEART_RATE_BLOCK_MS;
      return { end: series.countBefore(dueMs), dueMs };
    },
    measuredBy: (dataMs) => series.countBefore(dataMs),
    read: (from, to) => Array.from({ length: to - from }, (_, offset) => series.at(from + offset)),
  };
}

/** Known truth and seams, each sent at its moment, never before it. */
export function eventFeed(patient: BonnPatient, beats: readonly Beat[]): Feed<FeedEvent[]> {
  const list = new EventList(patient, beats);
  return {
    maxPerRequest: 100,
    blockAt(position) {
      const dueMs = list.at(position).atMs;
      return { end: list.countBefore(dueMs + 1e-6), dueMs };
    },
    measuredBy: (dataMs) => list.countBefore(dataMs + 1e-6),
    read: (from, to) => Array.from({ length: to - from }, (_, offset) => list.at(from + offset)),
  };
}

function sampleMs(patient: BonnPatient, sample: number): number {
  return (sample * patient.rate.den * 1000) / patient.rate.num;
}

class BeatSeries {
  readonly #beats: readonly Beat[];
  readonly #first: number;
  readonly #loopMs: number;

  constructor(beats: readonly Beat[], first: number) {
    this.#beats = beats;
    this.#first = first;
    this.#loopMs = seriesMs(beats);
  }

  at(index: number): FeedBeat {
    const place = this.#first + index;
    const beat = this.#beats[place % this.#beats.length];
    const start = this.#beats[this.#first];
    if (beat === undefined || start === undefined) throw new RangeError('the series holds no beat');
    const loops = Math.floor(place / this.#beats.length);
    return { atMs: loops * this.#loopMs + beat.atMs - start.atMs, bpm: beat.bpm };
  }

  /** How many beats come before this moment. Beats are in order of time, so halving finds it. */
  countBefore(dataMs: number): number {
    let low = 0;
    let high = (Math.floor(dataMs / this.#loopMs) + 2) * this.#beats.length;
    if (!Number.isFinite(high)) return Number.POSITIVE_INFINITY;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle).atMs < dataMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The length of the series: its last beat is followed by the first one again after the interval the first one names. */
function seriesMs(beats: readonly Beat[]): number {
  const first = beats[0];
  const last = beats.at(-1);
  return first === undefined || last === undefined ? 0 : last.atMs - first.atMs + first.rrMs;
}

/** All events of a patient in order of time, computed as far as somebody has asked. */
class EventList {
  readonly #patient: BonnPatient;
  readonly #beatLoopMs: number;
  #events: FeedEvent[] = [];
  #knownSamples = 0;

  constructor(patient: BonnPatient, beats: readonly Beat[]) {
    this.#patient = patient;
    this.#beatLoopMs = seriesMs(beats);
  }

  at(index: number): FeedEvent {
    while (this.#events.length <= index) this.#extend();
    const event = this.#events[index];
    if (event === undefined) throw new RangeError(`no event ${index}`);
    return event;
  }

  countBefore(dataMs: number): number {
    if (!Number.isFinite(dataMs)) return Number.POSITIVE_INFINITY;
    while (sampleMs(this.#patient, this.#knownSamples) <= dataMs) this.#extend();
    const found = this.#events.findIndex((event) => event.atMs >= dataMs);
    return found === -1 ? this.#events.length : found;
  }

  /** One more round of the sequence. Whole rounds keep what is known and what follows in order. */
  #extend(): void {
    const from = this.#knownSamples;
    const to = from + this.#patient.loopSamples;
    const found = bonnEvents(this.#patient, from, to).map((event) => this.#timed(event));
    const fromMs = sampleMs(this.#patient, from);
    const toMs = sampleMs(this.#patient, to);
    for (let loop = Math.max(1, Math.ceil(fromMs / this.#beatLoopMs)); loop * this.#beatLoopMs < toMs; loop++) {
      found.push({ atMs: loop * this.#beatLoopMs, durationMs: null, type: 'replay-loop', text: 'the heart-rate series starts again' });
    }
    this.#events = [...this.#events, ...found.sort((a, b) => a.atMs - b.atMs)];
    this.#knownSamples = to;
  }

  #timed(event: BonnEvent): FeedEvent {
    return {
      atMs: sampleMs(this.#patient, event.atSample),
      durationMs: event.durationSamples === null ? null : sampleMs(this.#patient, event.durationSamples),
      type: event.type,
      text: event.text,
    };
  }
}
