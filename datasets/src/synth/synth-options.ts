import { limits, type Rate, type SampleBits } from '@vitalwire/contract';
import { DatasetError } from '../dataset-error.ts';
import { chbMitLabels, type Derivation, derivationOf, referentialLabels } from './electrodes.ts';

export const artefactKinds = ['blink', 'muscle', 'mains', 'pop', 'lead-off', 'drift'] as const;
export type ArtefactKind = (typeof artefactKinds)[number];

/** Events per hour of each kind; a kind that is not named does not occur. */
export type ArtefactRates = Readonly<Partial<Record<ArtefactKind, number>>>;
export type WantedArtefact = { readonly kind: ArtefactKind; readonly onsetS: number; readonly durationS: number };
/** With `focus` it begins and stays near one electrode; without it is generalised. */
export type WantedSeizure = { readonly onsetS: number; readonly durationS: number; readonly focus?: string | undefined };

/** What a synthetic patient may be told; everything has a default. */
export type SynthOptions = {
  /** Same seed and options, same bytes on every machine. Default 1. */
  readonly seed?: number;
  /** How many 10-20 channels (default 19), 'chb-mit' for its 23 bipolar ones, or labels such as ['Fp1', 'F7-T7']. */
  readonly channels?: number | 'chb-mit' | readonly string[];
  /** Samples per second. Default 256/1. */
  readonly rate?: Rate;
  /** Default 3600. */
  readonly durationS?: number;
  /** Per hour (default 2; at least one if more than 0), or where they are. */
  readonly seizures?: number | readonly WantedSeizure[];
  /** 'usual' (default), 'none', rates per hour of the kinds wanted, or where they are. */
  readonly artefacts?: 'usual' | 'none' | ArtefactRates | readonly WantedArtefact[];
  readonly bits?: SampleBits; // default 16
  readonly mainsHz?: 50 | 60; // default 50
  /** Device time of the first sample; default the first second of the year 2000, so that nobody takes it for a real date. */
  readonly startedAtUs?: number;
};

export type CheckedOptions = {
  readonly seed: number;
  readonly derivations: readonly Derivation[];
  readonly rate: Rate;
  readonly durationS: number;
  readonly samples: number;
  readonly seizures: number | readonly WantedSeizure[];
  readonly artefacts: ArtefactRates | readonly WantedArtefact[];
  readonly bits: SampleBits;
  readonly mainsHz: 50 | 60;
  readonly startedAtUs: number;
};

const synthLimits = {
  maxDurationS: 7 * 86_400,
  maxRateHz: 20_000,
  minRateHz: 1,
  maxSeizureS: 600,
  minSeizureS: 2,
  /** A seizure, the quiet before and the slow waves after need so much room. */
  maxSeizuresPerHour: 60,
  maxArtefactsPerHour: 3_600,
  maxArtefactS: 3_600,
} as const;

/** What an ordinary, restless recording has per hour. */
export const usualArtefacts: ArtefactRates = { blink: 400, muscle: 20, mains: 2, pop: 8, 'lead-off': 0.5, drift: 4 };

/** Options with their defaults; every problem is named at once. */
export function checkOptions(options: SynthOptions): CheckedOptions {
  const problems: string[] = [];
  const expect = (holds: boolean, name: string, found: unknown, expected: string) => {
    if (!holds) problems.push(`${name} is ${JSON.stringify(found) ?? 'undefined'}, expected ${expected}`);
    return holds;
  };
  const seed = options.seed ?? 1;
  expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31, 'seed', seed, 'a whole number from 0 to 2147483647');

  const rate = options.rate ?? { num: 256, den: 1 };
  const parts = [rate.num, rate.den].every((part) => Number.isInteger(part) && part >= 1 && part <= limits.maxRatePart);
  const hz = rate.num / rate.den;
  expect(
    parts && hz >= synthLimits.minRateHz && hz <= synthLimits.maxRateHz,
    'rate',
    rate,
    `whole num and den, ${synthLimits.minRateHz} to ${synthLimits.maxRateHz} samples per second`,
  );

  const durationS = options.durationS ?? 3_600;
  const samples = Math.floor((durationS * rate.num) / rate.den + 1e-9);
  expect(
    durationS > 0 && durationS <= synthLimits.maxDurationS && (samples >= 1 || !parts),
    'duration',
    durationS,
    `seconds, at least one sample and at most ${synthLimits.maxDurationS}`,
  );

  const bits = options.bits ?? 16;
  expect(bits === 16 || bits === 24, 'bits', bits, '16 or 24');
  const mainsHz = options.mainsHz ?? 50;
  expect(mainsHz === 50 || mainsHz === 60, 'mains', mainsHz, '50 or 60');
  const startedAtUs = options.startedAtUs ?? Date.UTC(2000, 0, 1) * 1000;
  expect(Number.isSafeInteger(startedAtUs), 'start', startedAtUs, 'whole microseconds since 1970');

  const derivations = checkChannels(options.channels ?? 19, expect);
  const seizures = checkSeizures(options.seizures ?? 2, durationS, expect);
  const artefacts = checkArtefacts(options.artefacts ?? 'usual', durationS, hz, mainsHz, expect);
  if (problems.length > 0) throw new DatasetError('OPTION_REFUSED', problems.join('; '));
  return { seed, derivations, rate, durationS, samples, seizures, artefacts, bits, mainsHz, startedAtUs };
}

type Expect = (holds: boolean, name: string, found: unknown, expected: string) => boolean;

function checkChannels(channels: number | 'chb-mit' | readonly string[], expect: Expect): Derivation[] {
  const wanted = `1 to ${limits.maxChannels}`;
  if (typeof channels === 'number') {
    const fits = expect(
      Number.isInteger(channels) && channels >= 1 && channels <= limits.maxChannels,
      'channels',
      channels,
      `${wanted}, 'chb-mit' or labels`,
    );
    return fits ? checkChannels(referentialLabels(channels), expect) : [];
  }
  const labels = channels === 'chb-mit' ? chbMitLabels : channels;
  expect(labels.length >= 1 && labels.length <= limits.maxChannels, 'channels', labels.length, `${wanted} labels`);
  return labels.flatMap((label) => {
    const derivation = derivationOf(label);
    expect(derivation !== null, 'channel', label, 'an electrode of the 10-10 system (Fp1, T7) or two of them (F7-T7)');
    return derivation ?? [];
  });
}

function checkSeizures(seizures: number | readonly WantedSeizure[], durationS: number, expect: Expect): number | readonly WantedSeizure[] {
  if (typeof seizures === 'number') {
    const most = synthLimits.maxSeizuresPerHour;
    expect(seizures >= 0 && seizures <= most, 'seizures', seizures, `0 to ${most} per hour, or where they are`);
    expect(!(seizures > 0) || durationS >= 60, 'duration', durationS, 'at least 60 s where seizures are placed by rate');
    return seizures;
  }
  const sorted = [...seizures].sort((a, b) => a.onsetS - b.onsetS);
  for (const [index, seizure] of sorted.entries()) {
    const { onsetS, durationS: lasts } = seizure;
    const next = sorted[index + 1];
    expect(
      lasts >= synthLimits.minSeizureS && lasts <= synthLimits.maxSeizureS,
      `duration of the seizure at ${onsetS} s`,
      lasts,
      `${synthLimits.minSeizureS} to ${synthLimits.maxSeizureS} s`,
    );
    if (seizure.focus !== undefined)
      expect(derivationOf(seizure.focus)?.minus === null, 'focus', seizure.focus, 'an electrode of the 10-10 system, such as T7');
    expect(onsetS >= 0 && onsetS + lasts <= durationS, 'seizure', seizure, `inside the recording of ${durationS} s`);
    if (next !== undefined) expect(next.onsetS >= onsetS + lasts, 'seizure', next, `after the end of the one at ${onsetS} s`);
  }
  return sorted;
}

function checkArtefacts(
  artefacts: 'usual' | 'none' | ArtefactRates | readonly WantedArtefact[],
  durationS: number,
  hz: number,
  mainsHz: number,
  expect: Expect,
): ArtefactRates | readonly WantedArtefact[] {
  const hears = hz > 2 * mainsHz;
  if (artefacts === 'none') return {};
  if (artefacts === 'usual') return hears ? usualArtefacts : { ...usualArtefacts, mains: 0 };
  const knownKind = (kind: string) =>
    expect(
      artefactKinds.some((known) => known === kind),
      'artefact',
      kind,
      `one of ${artefactKinds.join(', ')}`,
    );
  const audible = (kind: string) =>
    expect(kind !== 'mains' || hears, 'rate', hz, `more than ${2 * mainsHz} samples per second for an artefact of ${mainsHz} Hz mains`);
  if (isPlaced(artefacts)) {
    for (const artefact of artefacts) {
      knownKind(artefact.kind);
      audible(artefact.kind);
      const { onsetS, durationS: lasts } = artefact;
      expect(lasts > 0 && lasts <= synthLimits.maxArtefactS, `duration of ${artefact.kind}`, lasts, `up to ${synthLimits.maxArtefactS} s`);
      expect(onsetS >= 0 && onsetS + lasts <= durationS, 'artefact', artefact, `inside the recording of ${durationS} s`);
    }
    return artefacts;
  }
  for (const [kind, perHour] of Object.entries(artefacts)) {
    knownKind(kind);
    if (perHour > 0) audible(kind);
    expect(
      perHour >= 0 && perHour <= synthLimits.maxArtefactsPerHour,
      `artefacts ${kind}`,
      perHour,
      `0 to ${synthLimits.maxArtefactsPerHour} per hour`,
    );
  }
  return artefacts;
}

function isPlaced(artefacts: ArtefactRates | readonly WantedArtefact[]): artefacts is readonly WantedArtefact[] {
  return Array.isArray(artefacts);
}
