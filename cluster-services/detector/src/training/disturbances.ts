/** Changes a signal of microvolts the way a bad electrode, cable or setting would. `strength` 1 is what the report measures. */
export type Disturbance = {
  readonly name: string;
  readonly learnt: boolean; // shown to the network in training, at strengths around 1
  readonly apply: (signal: Float64Array, rateHz: number, random: () => number, strength?: number) => Float64Array;
};

const gain = (factor: number): Disturbance => ({
  name: `gain × ${factor}`,
  learnt: false,
  apply: (signal) => signal.map((value) => value * factor),
});

export const disturbances: readonly Disturbance[] = [
  { name: 'none', learnt: false, apply: (signal) => signal },
  { name: 'polarity flipped', learnt: false, apply: (signal) => signal.map((value) => -value) },
  { name: 'DC +1000 µV', learnt: false, apply: (signal) => signal.map((value) => value + 1000) },
  gain(0.2),
  gain(0.5),
  gain(2),
  gain(5),
  {
    name: '50 Hz hum, 100 µV',
    learnt: true,
    apply: (signal, rateHz, _, strength = 1) =>
      signal.map((value, index) => value + strength * 100 * Math.sin((2 * Math.PI * 50 * index) / rateHz)),
  },
  {
    name: 'white noise, SD 50 µV',
    learnt: true,
    apply: (signal, _, random, strength = 1) => signal.map((value) => value + strength * 50 * gaussian(random)),
  },
  {
    name: '10 % of samples zeroed',
    learnt: false, // the gate knows it
    apply: (signal, _, random, strength = 1) => signal.map((value) => (random() < 0.1 * strength ? 0 : value)),
  },
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

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
}
