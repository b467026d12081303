import { bonnRate, bonnSegmentSamples, openSyntheticPatient, type SynthOptions } from '@vitalwire/datasets';

/** A synthetic patient with one channel, in memory: 173.61 Hz and one count a µV, as the recordings the detector was trained on. */
export type TestPatient = {
  readonly label: string;
  /** `count` samples from sample `from` on. */
  samplesAt(from: number, count: number): Int16Array;
  /** The seizures that begin before a sample, in order; `toSample` is not in it. */
  truthUntil(sample: number): { readonly fromSample: number; readonly toSample: number }[];
};

const FIRST_ONSET_S = 12;
const SEIZURE_S = 24;
const EVERY_S = 100;

/** The same samples for the same seed: quiet, then a seizure of 24 s at second 12 and every 100 s after it. */
export async function testPatient(seed: number, seconds = 900): Promise<TestPatient> {
  const count = Math.max(1, Math.floor((seconds - FIRST_ONSET_S - SEIZURE_S) / EVERY_S));
  const seizures = Array.from({ length: count }, (_, index) => ({ onsetS: FIRST_ONSET_S + index * EVERY_S, durationS: SEIZURE_S }));
  const samples = await oneChannel({ seed, durationS: seconds, seizures });
  const sampleAt = (second: number): number => Math.round((second * bonnRate.num) / bonnRate.den);
  return {
    label: `synthetic ${seed}`,
    samplesAt(from, wanted) {
      if (from + wanted > samples.length)
        throw new RangeError(`samples ${from} to ${from + wanted} of a test patient of ${samples.length}`);
      return samples.slice(from, from + wanted);
    },
    truthUntil: (sample) =>
      seizures
        .map(({ onsetS, durationS }) => ({ fromSample: sampleAt(onsetS), toSample: sampleAt(onsetS + durationS) }))
        .filter(({ fromSample }) => fromSample < sample),
  };
}

/** Synthetic stretches of the form of a Bonn segment (4097 samples), numbered from 1: `ictal` all of it a seizure, `calm` none. */
export type TestSegments = (kind: 'ictal' | 'calm', number: number) => Int16Array;

const SLOT_S = 32; // a segment of 23.6 s and the quiet before the next

/** The first `count` segments of either kind, the same for the same seed. */
export async function testSegments(count: number, seed = 17): Promise<TestSegments> {
  const seizures = Array.from({ length: count }, (_, index) => ({ onsetS: index * SLOT_S, durationS: SEIZURE_S }));
  const durationS = count * SLOT_S;
  const samples = { ictal: await oneChannel({ seed, durationS, seizures }), calm: await oneChannel({ seed, durationS, seizures: 0 }) };
  return (kind, number) => {
    if (number < 1 || number > count) throw new RangeError(`segment ${number} of ${count}`);
    const from = Math.round(((number - 1) * SLOT_S * bonnRate.num) / bonnRate.den);
    return samples[kind].slice(from, from + bonnSegmentSamples);
  };
}

async function oneChannel(options: SynthOptions): Promise<Int16Array> {
  const source = openSyntheticPatient({ ...options, channels: 1, rate: bonnRate, artefacts: 'none' });
  const [counts = new Int32Array(0)] = await source.read(0, 0, source.groups[0]?.stretches[0]?.samples ?? 0);
  await source.close();
  return Int16Array.from(counts, (count) => Math.max(-2048, Math.min(2047, Math.round(count / 10)))); // a count is .1 µV there
}
