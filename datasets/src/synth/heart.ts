import type { SourceHeartRate } from '../signal-source.ts';
import { decay, ramp, sine } from './exact-math.ts';
import { longest, type Schedule, spansBetween } from './schedule.ts';
import { noiseWord, smoothNoiseAt } from './white-noise.ts';

// A heart needs minutes to forget a seizure.
const AFTERWARDS_S = 300;
const LEAD_S = 10;

/** One reading a second: breathing, slow swings, and faster in and after a seizure. */
export function heartRateBetween(schedule: Schedule, seed: number, fromUs: number, toUs: number, endUs: number): SourceHeartRate[] {
  const readings: SourceHeartRate[] = [];
  const last = Math.min(toUs, endUs);
  for (let atUs = Math.max(0, Math.ceil(fromUs / 1e6)) * 1e6; atUs < last; atUs += 1e6) {
    readings.push({ atUs, bpm: Math.round(heartRateAt(schedule, seed, atUs / 1e6)), kind: 'ecg' });
  }
  return readings;
}

function heartRateAt(schedule: Schedule, seed: number, timeS: number): number {
  const word = noiseWord(seed, 0x4ea27);
  const rest = 60 + 9 * (smoothNoiseAt(word, -1) + 1);
  const breathing = 2.5 * sine(timeS * (0.24 + 0.02 * smoothNoiseAt(word, -2)));
  const slow = 3 * smoothNoiseAt(word, timeS / 45);
  const near = spansBetween(schedule.seizures, timeS - AFTERWARDS_S, timeS + LEAD_S, longest(schedule.seizures));
  const faster = near.reduce((most, seizure) => {
    const onsetS = seizure.fromS + seizure.heartLagS;
    const rise = ramp(timeS, onsetS, onsetS + 14) * decay(Math.max(0, timeS - seizure.toS), 45);
    return Math.max(most, seizure.heartRise * rise);
  }, 0);
  return rest + breathing + slow + faster;
}
