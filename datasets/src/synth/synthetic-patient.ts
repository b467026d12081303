import type { ChannelScale, SampleBits } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/contract';
import type { SignalGroup, SignalSource, SourceAnnotation } from '../signal-source.ts';
import { wantedChannels } from '../wanted-channels.ts';
import { BlockMaker } from './block-maker.ts';
import { makeSchedule, type Schedule } from './schedule.ts';
import { scheduleAnnotations } from './synth-annotations.ts';
import { type CheckedOptions, checkOptions, type SynthOptions } from './synth-options.ts';
import { syntheticReadings, syntheticVitals } from './vitals.ts';

/** Finished blocks that are kept; reading on, or back a little, makes none twice. */
const BLOCKS_KEPT = 3;

/** The digital range of each width. 16 bits: 0.1 µV a count; 24 bits: 1/32 µV a count, the range of a common amplifier of that width. */
const ranges: Readonly<Record<SampleBits, Omit<ChannelScale, 'label' | 'reference'>>> = {
  16: { unit: 'uV', digitalMin: -32_768, digitalMax: 32_767, physicalMin: -3276.8, physicalMax: 3276.7 },
  24: { unit: 'uV', digitalMin: -8_388_608, digitalMax: 8_388_607, physicalMin: -262_144, physicalMax: 262_143 },
};

/** A made-up patient as a signal source: never a person, always labelled synthetic, the same bytes for the same options. */
export function openSyntheticPatient(options: SynthOptions = {}): SignalSource & { readonly schedule: Schedule } {
  const checked = checkOptions(options);
  const schedule = makeSchedule(checked);
  const group = groupOf(checked);
  const blocks = new BlockMaker(checked, schedule, group.channels);
  const durationUs = Math.round((checked.samples * checked.rate.den * 1e6) / checked.rate.num);
  const kept = new RecentMap<number, ReturnType<BlockMaker['block']>>(BLOCKS_KEPT);

  const blockAt = (index: number) => {
    const known = kept.get(index) ?? blocks.block(index);
    kept.renew(index, known);
    return known;
  };

  return {
    name: `synthetic-${checked.seed}`,
    synthetic: true,
    startedAtUs: checked.startedAtUs,
    durationUs,
    groups: [group],
    vitals: syntheticVitals,
    problems: [],
    schedule,
    async read(groupIndex, from, count, channels) {
      const wanted = wantedChannels([group], groupIndex, from, count, channels);
      const read = wanted.map(() => new Int32Array(count));
      for (let done = 0; done < count; ) {
        const index = Math.floor((from + done) / blocks.blockSamples);
        const skip = from + done - index * blocks.blockSamples;
        const take = Math.min(count - done, blocks.blockSamples - skip);
        const block = blockAt(index);
        for (const [place, channel] of wanted.entries()) read[place]?.set(block.channel(channel).subarray(skip, skip + take), done);
        done += take;
      }
      return read;
    },
    async annotations(): Promise<readonly SourceAnnotation[]> {
      return scheduleAnnotations(checked, schedule, durationUs);
    },
    async numeric(stream, fromUs, toUs) {
      return syntheticReadings({ schedule, seed: checked.seed, durationUs }, stream, fromUs, toUs);
    },
    async close() {
      kept.clear();
    },
  };
}

function groupOf({ derivations, rate, bits, samples }: CheckedOptions): SignalGroup {
  const channels = derivations.map(({ label, minus }) => ({ label, ...ranges[bits], reference: minus === null ? 'infinity' : minus.name }));
  return { rate, sampleBits: bits, channels, stretches: [{ onsetUs: 0, firstSample: 0, samples }] };
}
