import { seededRandom } from './seeded-random.ts';

/** Changes a window of microvolts the way a bad electrode, cable or setting would. */
export type Disturbance = {
  readonly name: string;
  readonly apply: (window: Float64Array, rateHz: number, random: () => number) => Float64Array;
};

export const disturbances: readonly Disturbance[] = [
  { name: 'none', apply: (window) => window },
  { name: 'polarity flipped', apply: (window) => window.map((value) => -value) },
  { name: 'DC +1000 µV', apply: (window) => window.map((value) => value + 1000) },
  { name: 'gain × 0.2', apply: (window) => window.map((value) => value * 0.2) },
  { name: 'gain × 0.5', apply: (window) => window.map((value) => value * 0.5) },
  { name: 'gain × 2', apply: (window) => window.map((value) => value * 2) },
  { name: 'gain × 5', apply: (window) => window.map((value) => value * 5) },
  {
    name: '50 Hz hum, 100 µV',
    apply: (window, rateHz) => window.map((value, index) => value + 100 * Math.sin((2 * Math.PI * 50 * index) / rateHz)),
  },
  { name: 'white noise, SD 50 µV', apply: (window, _, random) => window.map((value) => value + 50 * gaussian(random)) },
  { name: '10 % of samples zeroed', apply: (window, _, random) => window.map((value) => (random() < 0.1 ? 0 : value)) },
];

/** Signals no brain made, 178 samples at a time. */
export const probes: readonly { readonly name: string; at(index: number, rateHz: number, random: () => number): number }[] = [
  { name: 'flat line', at: () => 0 },
  { name: 'on the rail', at: () => 2047 },
  { name: 'square wave 3 Hz', at: (index, rateHz) => 200 * Math.sign(Math.sin((2 * Math.PI * 3 * index) / rateHz) || 1) },
  {
    name: 'square wave 3 Hz with noise',
    at: (index, rateHz, random) => 200 * Math.sign(Math.sin((2 * Math.PI * 3 * index) / rateHz) || 1) + 5 * gaussian(random),
  },
  { name: 'sine 3 Hz', at: (index, rateHz) => 200 * Math.sin((2 * Math.PI * 3 * index) / rateHz) },
  { name: 'pure 50 Hz hum', at: (index, rateHz) => 100 * Math.sin((2 * Math.PI * 50 * index) / rateHz) },
  { name: 'electrode pops', at: (_, __, random) => (random() < 0.02 ? 1500 * gaussian(random) : 8 * gaussian(random)) },
  { name: 'white noise, SD 200 µV', at: (_, __, random) => 200 * gaussian(random) },
  { name: 'muscle bursts', at: (index, _, random) => (Math.floor(index / 90) % 2 === 0 ? 10 : 150) * gaussian(random) },
];

/** `count` windows of a probe, the same every time. */
export function probeWindows(probe: (typeof probes)[number], count: number, windowSamples: number, rateHz: number): Float64Array[] {
  const random = seededRandom(1);
  return Array.from({ length: count }, (_, window) =>
    Float64Array.from({ length: windowSamples }, (__, index) =>
      Math.max(-2048, Math.min(2047, probe.at(window * windowSamples + index, rateHz, random))),
    ),
  );
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
}
