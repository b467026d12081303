import { maxSamplesPerChannel, type Rate, type SampleBits, type Samples } from '@vitalwire/contract';

/** Consecutive samples of one recording, channel after channel. */
export type Stretch = {
  readonly firstSample: number; // index since the recording's start
  readonly measuredAtUs: number; // of the first sample, by the device's clock
  readonly samplesPerChannel: number;
  readonly samples: Samples;
};

export type ChunkRules = {
  readonly channels: number;
  readonly rate: Rate;
  readonly fullSamples: number; // per channel: a chunk ends when it holds these
  readonly leastSamples: number; // per channel: a request's end is a chunk's end when the open chunk holds these
};

/** How long an open chunk that is too short to be cut waits for more. */
export const WAIT_MS = 100;
const JITTER_US = 5_000;

/** A chunk ends after `chunkMs`, or earlier where a message would grow too large. */
export function chunkRules(channels: number, bits: SampleBits, rate: Rate, chunkMs: number): ChunkRules {
  const samplesIn = (ms: number): number => Math.ceil((ms * rate.num) / (1_000 * rate.den));
  const fullSamples = Math.max(1, Math.min(samplesIn(chunkMs), maxSamplesPerChannel(channels, bits)));
  return { channels, rate, fullSamples, leastSamples: Math.min(fullSamples, Math.max(1, samplesIn(WAIT_MS))) };
}

/** When sample number `index` was measured, counted from a moment and a rate. */
export function timeOfSample(startUs: number, index: number, rate: Rate): number {
  return startUs + Math.round((index * rate.den * 1_000_000) / rate.num);
}

/**
 * Puts a stretch behind what is open and takes off what is full. A stretch whose time does not continue the open chunk's closes it
 * first, so that no device time is ever smoothed away.
 */
export function addStretch(open: Stretch | null, stretch: Stretch, rules: ChunkRules): { full: Stretch[]; open: Stretch | null } {
  const full: Stretch[] = [];
  let current = open;
  if (current !== null && !continues(current, stretch, rules.rate)) {
    full.push(current);
    current = null;
  }
  let taken = 0;
  while (taken < stretch.samplesPerChannel) {
    const room = rules.fullSamples - (current?.samplesPerChannel ?? 0);
    const count = Math.min(room, stretch.samplesPerChannel - taken);
    const part = partOf(stretch, taken, count, rules);
    current = current === null ? part : join(current, part, rules.channels);
    taken += count;
    if (current.samplesPerChannel >= rules.fullSamples) {
      full.push(current);
      current = null;
    }
  }
  return { full, open: current };
}

/** The rest of a stretch from sample `from` on: the new tail of a request of which the beginning is known. */
export function tailOf(stretch: Stretch, from: number, rules: Pick<ChunkRules, 'channels' | 'rate'>): Stretch {
  return partOf(stretch, from, stretch.samplesPerChannel - from, rules);
}

/** Samples `start` to `start + count` of a stretch. */
export function partOf(from: Stretch, start: number, count: number, rules: Pick<ChunkRules, 'channels' | 'rate'>): Stretch {
  if (start === 0 && count === from.samplesPerChannel) return from;
  const samples = emptyLike(from.samples, count * rules.channels);
  for (let channel = 0; channel < rules.channels; channel += 1) {
    const at = channel * from.samplesPerChannel + start;
    samples.set(from.samples.subarray(at, at + count), channel * count);
  }
  return {
    firstSample: from.firstSample + start,
    measuredAtUs: timeOfSample(from.measuredAtUs, start, rules.rate),
    samplesPerChannel: count,
    samples,
  };
}

function continues(open: Stretch, next: Stretch, rate: Rate): boolean {
  const expectedUs = timeOfSample(open.measuredAtUs, open.samplesPerChannel, rate);
  const toleranceUs = Math.max(JITTER_US, timeOfSample(0, 1, rate));
  return Math.abs(next.measuredAtUs - expectedUs) <= toleranceUs;
}

function join(a: Stretch, b: Stretch, channels: number): Stretch {
  const samplesPerChannel = a.samplesPerChannel + b.samplesPerChannel;
  const samples = emptyLike(a.samples, samplesPerChannel * channels);
  for (let channel = 0; channel < channels; channel += 1) {
    const at = channel * samplesPerChannel;
    samples.set(a.samples.subarray(channel * a.samplesPerChannel, (channel + 1) * a.samplesPerChannel), at);
    samples.set(b.samples.subarray(channel * b.samplesPerChannel, (channel + 1) * b.samplesPerChannel), at + a.samplesPerChannel);
  }
  return { firstSample: a.firstSample, measuredAtUs: a.measuredAtUs, samplesPerChannel, samples };
}

function emptyLike(samples: Samples, length: number): Samples {
  return samples instanceof Int16Array ? new Int16Array(length) : new Int32Array(length);
}
