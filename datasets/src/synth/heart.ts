import { breathsPerS } from './breath.ts';
import { decay, ramp, sine } from './exact-math.ts';
import { longest, type Schedule, spansBetween } from './schedule.ts';
import { noiseWord, smoothNoiseAt } from './white-noise.ts';

// A heart needs minutes to forget a seizure.
const AFTERWARDS_S = 300;
const LEAD_S = 10;

/** Beats per minute: breathing, slow swings, and faster in and after a seizure. */
export function heartRateAt(schedule: Schedule, seed: number, timeS: number): number {
  const word = noiseWord(seed, 0x4ea27);
  const rest = 60 + 9 * (smoothNoiseAt(word, -1) + 1);
  const breathing = 2.5 * sine(timeS * breathsPerS(seed));
  const slow = 3 * smoothNoiseAt(word, timeS / 45);
  const near = spansBetween(schedule.seizures, timeS - AFTERWARDS_S, timeS + LEAD_S, longest(schedule.seizures));
  const faster = near.reduce((most, seizure) => {
    const onsetS = seizure.fromS + seizure.heartLagS;
    const rise = ramp(timeS, onsetS, onsetS + 14) * decay(Math.max(0, timeS - seizure.toS), 45);
    return Math.max(most, seizure.heartRise * rise);
  }, 0);
  return rest + breathing + slow + faster;
}
