import { decay, ramp } from './exact-math.ts';
import { longest, type Schedule, type Seizure, spansBetween } from './schedule.ts';
import { noiseAt, noiseWord, smoothNoiseAt } from './white-noise.ts';

const BREATHS = [12, 20] as const;
const SATURATION = [95, 99] as const;
/** A seizure takes less than this from nobody: a patient who needs help is what a test asks for, not what a demo shows. */
const LEAST_SATURATION = 92;
const AFTERWARDS_S = 180;

/** How often this patient breathes at rest; the heart follows it. */
export function breathsPerS(seed: number): number {
  return 0.24 + 0.02 * smoothNoiseAt(noiseWord(seed, 0x4ea27), -2);
}

/** Breaths per minute: slow swings, and deeper and faster after a seizure. */
export function respiratoryRateAt(schedule: Schedule, seed: number, timeS: number): number {
  const slow = 1.2 * smoothNoiseAt(noiseWord(seed, 0xb4ea7), timeS / 60);
  return within(BREATHS, 60 * breathsPerS(seed) + slow + 3.5 * strongest(schedule, timeS, { riseS: 20, forgetS: 60 }, () => 1));
}

/** Oxygen saturation in %: slow swings, and lower in a generalised seizure. */
export function saturationAt(schedule: Schedule, seed: number, timeS: number): number {
  const word = noiseWord(seed, 0x5b02);
  const rest = within(SATURATION, 97 + 0.8 * noiseAt(word, -1) + 0.9 * smoothNoiseAt(word, timeS / 90));
  const dip = strongest(schedule, timeS, { riseS: 25, forgetS: 20 }, (seizure) =>
    seizure.focus === null ? 3 + noiseAt(seizure.word, 0x02) : 0,
  );
  return Math.max(LEAST_SATURATION, rest - dip);
}

/** What the seizures around a moment do to it: each grows from its onset and is forgotten after its end; the strongest counts. */
function strongest(
  { seizures }: Schedule,
  timeS: number,
  { riseS, forgetS }: { readonly riseS: number; readonly forgetS: number },
  strengthOf: (seizure: Seizure) => number,
): number {
  return spansBetween(seizures, timeS - AFTERWARDS_S, timeS + 1, longest(seizures)).reduce((most, seizure) => {
    const part = ramp(timeS, seizure.fromS, seizure.fromS + riseS) * decay(Math.max(0, timeS - seizure.toS), forgetS);
    return Math.max(most, strengthOf(seizure) * part);
  }, 0);
}

function within([least, most]: readonly [number, number], value: number): number {
  return Math.min(most, Math.max(least, value));
}
