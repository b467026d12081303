import { numericFacts } from '@vitalwire/contract';
import {
  assembledLabel,
  type Beat,
  type BonnPatient,
  beatsStream,
  bonnEvents,
  bonnScale,
  integerBetween,
  openSyntheticPatient,
  readMitBeats,
  type SignalSource,
  type SourceAnnotation,
  type SourceReading,
  samplesAt,
  seededRandom,
  truthIntervals,
} from '@vitalwire/datasets';

type BonnSpec = { readonly seed: number; readonly index: number; readonly heart: 'mitdb' | 'synthetic' };

const HEART_SALT = 0xbea7;

/** One round of a made-up Bonn patient as a source, with nobody's vitals beside it; the heart beats of another person, where they are here. */
export function bonnSource(patient: BonnPatient, { seed, index, heart }: BonnSpec): SignalSource {
  const { num, den } = patient.rate;
  const usOf = (sample: number): number => (sample * den * 1_000_000) / num;
  const durationUs = usOf(patient.loopSamples);
  const beats = heart === 'mitdb' ? beatsFor(seed, index, durationUs) : null;
  const nobody = openSyntheticPatient({
    seed: seed + index,
    channels: 1,
    durationS: Math.ceil(durationUs / 1e6),
    seizures: seizuresOf(patient),
  });
  return {
    name: `Bonn, ${assembledLabel}`,
    synthetic: false,
    startedAtUs: null,
    durationUs,
    groups: [
      {
        rate: patient.rate,
        sampleBits: 16,
        channels: [{ ...bonnScale, reference: '' }],
        stretches: [{ onsetUs: 0, firstSample: 0, samples: patient.loopSamples }],
      },
    ],
    vitals: nobody.vitals.map((vital) => {
      const isBeats = beats !== null && vital.stream === beatsStream;
      return { ...vital, from: isBeats ? 'MIT-BIH record 100, another person' : `synthetic ${numericFacts(vital.stream).label}` };
    }),
    problems: [],
    read: async (_group, from, count) => [Int32Array.from(samplesAt(patient, from, count))],
    annotations: async () => [...bonnAnnotations(patient), ...(beats?.seams ?? [])].sort((a, b) => a.onsetUs - b.onsetUs),
    numeric: async (stream, fromUs, toUs) =>
      beats === null || stream !== beatsStream
        ? nobody.numeric(stream, fromUs, Math.min(toUs, durationUs))
        : beats.rates.filter(({ atUs }) => atUs >= fromUs && atUs < toUs),
    close: async () => {},
  };
}

/** Where the heart of nobody hurries. */
function seizuresOf(patient: BonnPatient): { onsetS: number; durationS: number }[] {
  const secondsOf = (sample: number): number => (sample * patient.rate.den) / patient.rate.num;
  return truthIntervals(patient, patient.loopSamples).map(({ fromSample, toSample }) => ({
    onsetS: secondsOf(fromSample),
    durationS: secondsOf(toSample - fromSample),
  }));
}

function bonnAnnotations(patient: BonnPatient): SourceAnnotation[] {
  const usOf = (sample: number): number => (sample * patient.rate.den * 1_000_000) / patient.rate.num;
  return bonnEvents(patient, 0, patient.loopSamples).flatMap(({ atSample, durationSamples, type, text }) =>
    type === 'replay-loop'
      ? []
      : [
          {
            onsetUs: usOf(atSample),
            durationUs: durationSamples === null ? null : usOf(durationSamples),
            type: type === 'seizure' ? ('seizure' as const) : ('annotation' as const),
            text,
            channels: [],
          },
        ],
  );
}

/** Beats of the MIT-BIH series from a seeded place in it, repeated as often as a round needs. */
function beatsFor(seed: number, index: number, durationUs: number): { rates: SourceReading[]; seams: SourceAnnotation[] } {
  const series: readonly Beat[] = readMitBeats();
  const rates: SourceReading[] = [];
  const seams: SourceAnnotation[] = [];
  let place = integerBetween(0, series.length - 1, seededRandom(seed, HEART_SALT + index));
  let shiftMs = -(series[place]?.atMs ?? 0);
  for (;;) {
    const beat = series[place];
    if (beat === undefined) {
      // The last beat is followed by the first one again, after the interval that one names.
      const lastUs = rates.at(-1)?.atUs ?? 0;
      const first = series[0];
      if (first === undefined) return { rates, seams };
      place = 0;
      shiftMs = lastUs / 1_000 + first.rrMs - first.atMs;
      const onsetUs = (shiftMs + first.atMs) * 1_000;
      if (onsetUs < durationUs)
        seams.push({ onsetUs, durationUs: null, type: 'annotation', text: 'the heart-rate series starts again', channels: [] });
      continue;
    }
    const atUs = (beat.atMs + shiftMs) * 1_000;
    if (atUs >= durationUs) return { rates, seams };
    rates.push({ atUs, value: beat.bpm });
    place += 1;
  }
}
