import { chainRate } from '@vitalwire/vitals';
import { openBackend } from '../backend.ts';
import { buildNetwork } from '../network.ts';
import { loadStreamDetector, probabilitiesOf } from '../stream-detector.ts';
import { parseStreamModel, type StreamGolden } from '../stream-model.ts';
import type { LabelledSegment } from './segments.ts';

export type Speed = {
  readonly processor: string;
  readonly oneWindowMs: { readonly median: number; readonly p99: number }; // samples pushed, gate, filters, features, network: one channel
  readonly networkPerSecond: { readonly batch1: number; readonly batch32: number; readonly batch256: number }; // windows through the network
  readonly channelsPerCore: number; // channels of live EEG that one core keeps up with, everything included
};

const scale = { label: 'EEG', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -2048, physicalMax: 2047, reference: '' };

/** What one core does, on wasm, in processor time: what other programs took of the machine meanwhile is not counted. */
export async function measureSpeed(
  bytes: Uint8Array,
  golden: StreamGolden,
  segments: readonly LabelledSegment[],
  processor: string,
): Promise<Speed> {
  const model = parseStreamModel(bytes);
  const detector = await loadStreamDetector({ backend: 'wasm', model, golden });
  const hop = 174;
  const timesMs: number[] = [];
  const inputs: Float64Array[] = [];
  for (const segment of segments) {
    const stream = detector.openStream(chainRate, [scale]);
    const samples = Float64Array.from(segment.samples);
    for (let from = 0; from + hop <= samples.length; from += hop) {
      const began = processorMs();
      const windows = stream.push({ firstSample: from, samplesPerChannel: hop, samples: samples.subarray(from, from + hop) });
      const scores = detector.score(windows);
      if (scores[0]?.probability == null) continue;
      timesMs.push(processorMs() - began);
      inputs.push(...windows.flatMap(({ channels }) => channels.flatMap(({ input }) => (input === null ? [] : [input]))));
    }
  }
  const network = buildNetwork(await openBackend('wasm'), model.members);
  const perSecond = (batch: number) => {
    const rows = Array.from({ length: batch }, (_, index) => inputs[index % inputs.length] ?? new Float64Array(0));
    const began = processorMs();
    let windows = 0;
    while (processorMs() - began < 400) {
      probabilitiesOf(model, network, rows);
      windows += batch;
    }
    return Math.round((1000 * windows) / (processorMs() - began));
  };
  const warm = timesMs.slice(timesMs.length >> 1).sort((a, b) => a - b); // the first half waits for the compiler
  const speed = {
    processor,
    oneWindowMs: { median: round(warm[warm.length >> 1]), p99: round(warm[Math.floor(0.99 * warm.length)]) },
    networkPerSecond: { batch1: perSecond(1), batch32: perSecond(32), batch256: perSecond(256) },
    channelsPerCore: Math.floor(1000 / (warm.reduce((sum, value) => sum + value, 0) / warm.length)),
  };
  network.dispose();
  detector.dispose();
  return speed;
}

/** User and system time of this process, to the microsecond. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function round(value = Number.NaN): number {
  return Number(value.toFixed(3));
}
