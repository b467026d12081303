import { ProblemList } from './problem-list.ts';
import type { SignalSource, SourceProblem } from './signal-source.ts';
import { samplesOf } from './wanted-channels.ts';

/** Samples of all channels that are looked at in one go. */
const BLOCK_SAMPLES = 1 << 20;

/** Reads a source whole, in bounded memory, and returns all problems: those it was opened with, and samples outside their declared range. */
export async function validateSource(source: SignalSource, signal?: AbortSignal): Promise<SourceProblem[]> {
  const problems = new ProblemList();
  problems.addAll(source.problems);
  for (const [index, group] of source.groups.entries()) {
    const samples = samplesOf(group);
    const step = Math.max(1, Math.floor(BLOCK_SAMPLES / group.channels.length));
    const outside = group.channels.map(() => ({ count: 0, first: -1, least: 0, most: 0 }));
    for (let from = 0; from < samples; from += step) {
      signal?.throwIfAborted();
      const arrays = await source.read(index, from, Math.min(step, samples - from));
      for (const [channel, values] of arrays.entries()) {
        const scale = group.channels[channel];
        const counted = outside[channel];
        if (scale === undefined || counted === undefined) continue;
        for (let at = 0; at < values.length; at += 1) {
          const value = values[at] ?? 0;
          if (value >= scale.digitalMin && value <= scale.digitalMax) continue;
          if (counted.count === 0) counted.first = from + at;
          counted.count += 1;
          counted.least = Math.min(counted.least, value);
          counted.most = Math.max(counted.most, value);
        }
      }
    }
    for (const [channel, { count, first, least, most }] of outside.entries()) {
      if (count === 0) continue;
      const { label, digitalMin, digitalMax } = group.channels[channel] ?? { label: '', digitalMin: 0, digitalMax: 0 };
      problems.add({
        field: `samples of '${label}' (group ${index}, channel ${channel})`,
        at: null,
        unit: null,
        found: `${count} of ${samples} outside, from sample ${first} on, ${least} to ${most}; kept as they are`,
        expected: `${digitalMin} to ${digitalMax}`,
      });
    }
  }
  return problems.list();
}
