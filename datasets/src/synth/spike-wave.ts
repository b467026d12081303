import { bell, ramp, sine } from './exact-math.ts';
import type { Seizure } from './schedule.ts';
import { smoothNoiseAt } from './white-noise.ts';

/** One cycle of spike and slow wave: mean 0, standard deviation 1, the spike negative as it is on the scalp. */
const cycleShape: Float64Array = makeCycle(1024);

/** The course of one seizure over a block: how many cycles have passed, and how strong it is in µV (standard deviation). */
export type SeizureCourse = { readonly seizure: Seizure; readonly cycles: Float64Array; readonly uv: Float64Array };

/** Half strength within a second, full strength after a third; slower and slower; ends within half a second. Zero outside. */
export function seizureCourse(seizure: Seizure, timesS: Float64Array): SeizureCourse {
  const lastsS = seizure.toS - seizure.fromS;
  const cycles = new Float64Array(timesS.length);
  const uv = new Float64Array(timesS.length);
  const slowing = (seizure.endHz - seizure.startHz) / (2 * lastsS);
  for (let index = 0; index < timesS.length; index++) {
    const t = (timesS[index] ?? 0) - seizure.fromS;
    if (t < -1 || t > lastsS) continue;
    const phase = (seizure.startHz + slowing * t) * t + 0.06 * smoothNoiseAt(seizure.word, t * 0.8);
    cycles[index] = phase;
    const growth = 0.55 * ramp(t, 0, 0.8) + 0.45 * ramp(t, 0.8, 0.8 + lastsS / 3);
    const fading = 1 - ramp(t, lastsS - 0.5, lastsS);
    uv[index] = seizure.peakUv * growth * fading * (1 + 0.12 * smoothNoiseAt(seizure.word ^ 0x55, phase));
  }
  return { seizure, cycles, uv };
}

/** Adds a seizure to a channel: `gain` is the channel's share, `delayCycles` how much later the wave arrives there. */
export function addSpikeWave(values: Float32Array, course: SeizureCourse, gain: number, delayCycles: number): void {
  const { cycles, uv } = course;
  for (let index = 0; index < values.length; index++) {
    const strength = uv[index] ?? 0;
    if (strength === 0) continue;
    const cycle = (cycles[index] ?? 0) - delayCycles;
    const place = (cycle - Math.floor(cycle)) * cycleShape.length;
    const before = Math.floor(place);
    const low = cycleShape[before] ?? 0;
    const high = cycleShape[before + 1 === cycleShape.length ? 0 : before + 1] ?? 0;
    values[index] = (values[index] ?? 0) + gain * strength * (low + (high - low) * (place - before));
  }
}

function makeCycle(length: number): Float64Array {
  const shape = Float64Array.from({ length }, (_, index) => {
    const phase = index / length;
    const spike = -1.5 * bell(phase - 0.12, 0.032) + 0.55 * bell(phase - 0.24, 0.04);
    const dome = phase > 0.3 ? sine((phase - 0.3) / 1.4) : 0; // half a turn over the rest of the cycle
    return spike - 1.05 * dome * dome;
  });
  const mean = shape.reduce((sum, value) => sum + value, 0) / length;
  const variance = shape.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / length;
  return shape.map((value) => (value - mean) / Math.sqrt(variance));
}
