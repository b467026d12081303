import type { SampleBits } from '@vitalwire/contract';
import type { SignalGroup, SignalSource, SourceAnnotation, SourceProblem } from './signal-source.ts';
import { wantedChannels } from './wanted-channels.ts';

export type MemoryGroup = Omit<SignalGroup, 'sampleBits' | 'stretches'> & {
  readonly sampleBits?: SampleBits; // 16 when not given
  readonly samples: readonly Int32Array[]; // one array per channel
};

/** A source whose samples are all in memory: one unbroken stretch per group, from the start on. */
export function memorySource(parts: {
  readonly name: string;
  readonly synthetic?: boolean;
  readonly startedAtUs?: number | null;
  readonly groups: readonly MemoryGroup[];
  readonly annotations?: readonly SourceAnnotation[];
  readonly problems?: readonly SourceProblem[];
}): SignalSource {
  const groups = parts.groups.map(({ rate, sampleBits = 16, channels, samples }) => {
    const length = samples[0]?.length ?? 0;
    return { rate, sampleBits, channels, stretches: length === 0 ? [] : [{ onsetUs: 0, firstSample: 0, samples: length }], samples };
  });
  return {
    name: parts.name,
    synthetic: parts.synthetic ?? false,
    startedAtUs: parts.startedAtUs ?? null,
    durationUs: Math.max(0, ...groups.map(({ rate, samples }) => Math.round(((samples[0]?.length ?? 0) * rate.den * 1e6) / rate.num))),
    groups: groups.map(({ rate, sampleBits, channels, stretches }) => ({ rate, sampleBits, channels, stretches })),
    vitals: [],
    problems: parts.problems ?? [],
    async read(group, from, count, channels) {
      const samples = groups[group]?.samples ?? [];
      return wantedChannels(groups, group, from, count, channels).flatMap((channel) => samples[channel]?.slice(from, from + count) ?? []);
    },
    annotations: () => Promise.resolve(parts.annotations ?? []),
    numeric: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}
