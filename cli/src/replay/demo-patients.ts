import { integerBetween, type Random, seededRandom, tenTwenty } from '@vitalwire/datasets';
import type { SynthSettings } from './source-spec.ts';

type PlacedSeizure = { onsetS: number; durationS: number; focus?: string };

const DURATION_S = 3_600;
const SALT = 0xde40;
/** Of eight patients these have the whole head; the others one channel, as a simple device gives. */
const GENERALISED = 0;
const FOCAL = 1;
/** And this one has no seizure: a wall on which everybody seizes shows nothing. */
const WELL = 3;
// The first seizure begins in the first 20 s, so that a short demo shows one; after it minutes pass.
const FIRST_ONSET_S = { from: 8, to: 15 } as const;
const BETWEEN_S = { from: 150, to: 420 } as const;
const LASTS_S = { from: 25, to: 50 } as const;
const LEFT_OUT_AT_END_S = 60;

/**
 * A synthetic patient of the demo: background, alpha, blinks and muscle, a heart that follows, and seizures with known truth, the same for
 * the same seed and index. Every eighth has focal seizures as well.
 */
export function demoPatient(seed: number, index: number): SynthSettings {
  const random = seededRandom(seed, SALT, index);
  const place = index % 8;
  const electrode = tenTwenty[integerBetween(0, tenTwenty.length - 1, random)] ?? 'Cz';
  return {
    seed: seed + index,
    durationS: DURATION_S,
    channels: place === GENERALISED || place === FOCAL ? 19 : [electrode],
    artefacts: 'usual',
    seizures: place === WELL ? 0 : seizures(random, place === FOCAL ? electrode : null),
  };
}

/** Generalised ones, or generalised and focal ones by turns. */
function seizures(random: Random, focus: string | null): PlacedSeizure[] {
  const placed: PlacedSeizure[] = [];
  let onsetS = integerBetween(FIRST_ONSET_S.from, FIRST_ONSET_S.to, random);
  while (onsetS < DURATION_S - LEFT_OUT_AT_END_S) {
    const durationS = integerBetween(LASTS_S.from, LASTS_S.to, random);
    placed.push({ onsetS, durationS, ...(focus !== null && placed.length % 2 === 1 ? { focus } : {}) });
    onsetS += durationS + integerBetween(BETWEEN_S.from, BETWEEN_S.to, random);
  }
  return placed;
}
