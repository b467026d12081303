import type { ChannelScale } from '@vitalwire/contract';
import { type ArtefactTools, addArtefact, type Block, leadOffForm } from './artefact-waves.ts';
import { type Cells, type Colour, fillColoured, muscleNoise, pink, rhythm } from './coloured-noise.ts';
import type { Electrode } from './electrodes.ts';
import { bell, decay, ramp } from './exact-math.ts';
import { type Artefact, longest, type Schedule, type Span, spansBetween } from './schedule.ts';
import { addSpikeWave, type SeizureCourse, seizureCourse } from './spike-wave.ts';
import { electrodesOf } from './synth-annotations.ts';
import type { CheckedOptions } from './synth-options.ts';
import { noiseAt, noiseWord } from './white-noise.ts';

/** Seconds of noise every filter may need to forget how it was started. */
const CELL_S = 4;
const MAX_CELLS_PER_BLOCK = 4;
/** A block's finished samples, all channels: 8 MB. More channels or a higher rate make blocks shorter, down to one cell. */
const MAX_BLOCK_SAMPLES = 2 ** 21;
// Sources deep in the brain that several electrodes see: left and right, front, middle and back.
const regions = [
  { x: -0.4, y: 0.5 },
  { x: 0.4, y: 0.5 },
  { x: -0.6, y: 0 },
  { x: 0.6, y: 0 },
  { x: -0.35, y: -0.6 },
  { x: 0.35, y: -0.6 },
] as const;
const POSTICTAL_S = 40;
/** How far a focus reaches, in the units of `Electrode`: neighbours of the 10-20 system are about 0.5 apart. */
const FOCUS_SPREAD = 0.25;

/** A finished piece of time; a channel is computed when it is first asked for. */
export type FinishedBlock = { channel(index: number): Int32Array };

/** Makes any block of a synthetic patient from its index alone. */
export class BlockMaker {
  readonly blockSamples: number;
  readonly #options: CheckedOptions;
  readonly #schedule: Schedule;
  readonly #scales: readonly ChannelScale[];
  readonly #cells: Cells;
  readonly #electrodes: readonly Electrode[];
  readonly #gains: readonly ChannelGains[];
  readonly #levels: Levels;
  readonly #colours: { readonly pink: Colour; readonly alpha: Colour; readonly slow: Colour };
  readonly #tools: ArtefactTools;
  readonly #longest: { readonly seizureS: number; readonly artefactS: number; readonly closedS: number };

  constructor(options: CheckedOptions, schedule: Schedule, scales: readonly ChannelScale[]) {
    const rateHz = options.rate.num / options.rate.den;
    const cell = Math.max(16, Math.ceil(CELL_S * rateHz));
    const fitting = Math.floor(MAX_BLOCK_SAMPLES / (cell * scales.length));
    this.blockSamples = cell * Math.min(MAX_CELLS_PER_BLOCK, Math.max(1, fitting));
    this.#options = options;
    this.#schedule = schedule;
    this.#scales = scales;
    this.#cells = { samples: cell, rateHz };
    this.#electrodes = electrodesOf(options);
    this.#levels = levelsOf(options.seed);
    this.#gains = channelGains(options, this.#levels);
    this.#colours = { pink: pink(rateHz), alpha: rhythm(rateHz, this.#levels.alphaHz, 1), slow: rhythm(rateHz, 1.6, 1) };
    this.#tools = { muscle: muscleNoise(rateHz), mainsHz: options.mainsHz, electrodes: this.#electrodes };
    this.#longest = {
      seizureS: longest(schedule.seizures),
      artefactS: longest(schedule.artefacts),
      closedS: longest(schedule.eyesClosed),
    };
  }

  block(index: number): FinishedBlock {
    const { samples, rate } = this.#options;
    const first = index * this.blockSamples;
    const count = Math.min(this.blockSamples, samples - first);
    const timesS = new Float64Array(count);
    for (let sample = 0; sample < count; sample++) timesS[sample] = ((first + sample) * rate.den) / rate.num;
    const scratch = new Float32Array(count + this.#cells.samples);
    const block: Block = { cells: this.#cells, firstCell: first / this.#cells.samples, timesS, scratch };
    const [fromS, toS] = [timesS[0] ?? 0, (timesS[count - 1] ?? 0) + rate.den / rate.num];
    const shared = this.#sharedSources(block, fromS, toS);
    const artefacts = spansBetween(this.#schedule.artefacts, fromS, toS, this.#longest.artefactS);
    const potentials = new Map<Electrode, Float32Array>();
    const finished = new Map<number, Int32Array>();

    const potentialOf = (electrode: Electrode): Float32Array => {
      const known = potentials.get(electrode);
      if (known !== undefined) return known;
      const values = this.#noise(block, noiseWord(this.#options.seed, 0xe1ec, this.#electrodes.indexOf(electrode)), this.#colours.pink);
      for (let sample = 0; sample < count; sample++) values[sample] = (values[sample] ?? 0) * this.#levels.localUv;
      for (const artefact of artefacts) addArtefact(values, artefact, electrode, block, this.#tools);
      potentials.set(electrode, values);
      return values;
    };

    return {
      channel: (channel) => {
        const known = finished.get(channel) ?? this.#finish(channel, shared, artefacts, block, potentialOf);
        finished.set(channel, known);
        return known;
      },
    };
  }

  #sharedSources(block: Block, fromS: number, toS: number): Shared {
    const { seed } = this.#options;
    const near = spansBetween(this.#schedule.seizures, fromS - POSTICTAL_S, toS, this.#longest.seizureS);
    const quiet = this.#alphaStrength(block.timesS, fromS, toS);
    const sources = [
      ...regions.map((_, region) => this.#noise(block, noiseWord(seed, 0x2e61, region), this.#colours.pink)),
      ...[0, 1].map((side) => multiply(this.#noise(block, noiseWord(seed, 0xa1fa, side), this.#colours.alpha), quiet)),
    ];
    sources.push(near.length === 0 ? new Float32Array(block.timesS.length) : this.#slowWaves(block, near));
    const courses = near.filter((seizure) => seizure.toS > fromS - 1).map((seizure) => seizureCourse(seizure, block.timesS));
    return { sources, courses };
  }

  /** What is left for a while when a seizure is over. */
  #slowWaves(block: Block, seizures: readonly Span[]): Float32Array {
    const strength = block.timesS.map((time) =>
      seizures.reduce((most, { toS }) => {
        const left = decay(time - toS, POSTICTAL_S / 3) * ramp(toS + POSTICTAL_S - time, 0, 10);
        return Math.max(most, ramp(time, toS - 0.5, toS) * left);
      }, 0),
    );
    return multiply(this.#noise(block, noiseWord(this.#options.seed, 0x510e), this.#colours.slow), strength);
  }

  /** Eyes closed and no seizure: alpha is there, coming and going within half a second. */
  #alphaStrength(timesS: Float64Array, fromS: number, toS: number): Float64Array {
    const closed = spansBetween(this.#schedule.eyesClosed, fromS - 1, toS + 1, this.#longest.closedS);
    const seizures = spansBetween(this.#schedule.seizures, fromS - 1, toS + 1, this.#longest.seizureS);
    return timesS.map((time) => {
      const shut = closed.reduce(
        (most, span) => Math.max(most, ramp(time, span.fromS, span.fromS + 0.5) * ramp(span.toS - time, 0, 0.5)),
        0,
      );
      const seized = seizures.reduce(
        (most, span) => Math.max(most, ramp(time, span.fromS - 0.3, span.fromS) * ramp(span.toS - time, -0.5, 0)),
        0,
      );
      return (0.12 + 0.88 * shut) * (1 - seized);
    });
  }

  #noise(block: Block, word: number, colour: Colour): Float32Array {
    const values = new Float32Array(block.timesS.length);
    fillColoured(values, block.scratch, block.cells, block.firstCell, word, colour);
    return values;
  }

  #finish(
    channel: number,
    { sources, courses }: Shared,
    artefacts: readonly Artefact[],
    block: Block,
    potentialOf: (electrode: Electrode) => Float32Array,
  ): Int32Array {
    const [scale, gains] = [this.#scales[channel], this.#gains[channel]];
    if (scale === undefined || gains === undefined) throw new RangeError(`channel ${channel}`);
    const uv = potentialOf(gains.plus).slice();
    if (gains.minus !== null) subtract(uv, potentialOf(gains.minus));
    addSources(uv, sources, gains.sources);
    for (const course of courses) {
      const { focus } = course.seizure;
      addSpikeWave(uv, course, focus === null ? gains.seizure : focalShare(gains, focus), gains.delayCycles);
    }
    const digital = toDigital(uv, scale);
    for (const artefact of artefacts)
      if (artefact.kind === 'lead-off') takeOff(digital, artefact, gains, scale, block.timesS, this.#electrodes);
    return digital;
  }
}

type Shared = { readonly sources: readonly Float32Array[]; readonly courses: readonly SeizureCourse[] };

/** What is particular to one patient, in µV (standard deviations) and Hz. */
type Levels = {
  readonly localUv: number;
  readonly regionUv: number;
  readonly alphaUv: number;
  readonly alphaHz: number;
  readonly slowUv: number;
};

type ChannelGains = {
  readonly plus: Electrode;
  readonly minus: Electrode | null;
  readonly sources: readonly number[]; // µV per unit of each shared source
  readonly seizure: number; // about 1 or -1
  readonly delayCycles: number;
};

function levelsOf(seed: number): Levels {
  const draw = (place: number) => (noiseAt(noiseWord(seed, 0x1e7e1), place) + 1) / 2;
  const quietUv = 15 + 6 * draw(0);
  return {
    localUv: 0.7 * quietUv,
    regionUv: 0.7 * quietUv,
    alphaUv: 20 + 10 * draw(1),
    alphaHz: 8.7 + 2.6 * draw(2),
    slowUv: 18 + 10 * draw(3),
  };
}

function channelGains(options: CheckedOptions, levels: Levels): ChannelGains[] {
  const electrodes = electrodesOf(options);
  const named = (electrode: Electrode) => electrodes.find(({ name }) => name === electrode.name) ?? electrode;
  const raw = options.derivations.map(({ plus, minus }) => ({
    plus: named(plus),
    minus: minus === null ? null : named(minus),
    sources: difference(sourceGains(plus, levels), minus === null ? null : sourceGains(minus, levels)),
    spread: seizureSpread(plus) - (minus === null ? 0 : seizureSpread(minus)),
  }));
  const sizes = raw.map(({ spread }) => Math.abs(spread)).sort((a, b) => a - b);
  const middle = sizes[Math.floor(sizes.length / 2)] || 1;
  return raw.map(({ plus, minus, sources, spread }) => {
    // A real bipolar channel may cancel a generalised seizure out; here every channel shows it, at 0.75 to 1.25 of the middle one.
    const size = Math.min(1.25, Math.max(0.75, Math.abs(spread) / middle));
    const y = minus === null ? plus.y : (plus.y + minus.y) / 2;
    return { plus, minus, sources, seizure: spread < 0 ? -size : size, delayCycles: 0.05 * (1 - y) };
  });
}

/** In the order of the shared sources: regions, alpha of either side, slow waves after a seizure. */
function sourceGains({ x, y }: Electrode, levels: Levels): number[] {
  const near = regions.map((region) => bell(x - region.x, 0.45) * bell(y - region.y, 0.45));
  const size = Math.sqrt(near.reduce((sum, gain) => sum + gain * gain, 1e-9));
  const back = 0.12 + 0.88 * ramp(-y, -0.2, 0.85);
  const right = ramp(x, -0.7, 0.7);
  return [
    ...near.map((gain) => (gain / size) * levels.regionUv),
    levels.alphaUv * back * Math.sqrt(1 - right),
    levels.alphaUv * back * Math.sqrt(right),
    levels.slowUv * (0.6 + 0.4 * y),
  ];
}

/** What a channel sees of a seizure near one electrode: nearly all there, a seventh at the next electrodes, nothing at the other side. */
function focalShare({ plus, minus }: ChannelGains, focus: Electrode): number {
  return nearness(plus, focus) - (minus === null ? 0 : nearness(minus, focus));
}

function nearness({ x, y }: Electrode, focus: Electrode): number {
  return bell(x - focus.x, FOCUS_SPREAD) * bell(y - focus.y, FOCUS_SPREAD);
}

/** Generalised, strongest over the middle of the forehead. */
function seizureSpread({ x, y }: Electrode): number {
  return 0.35 + 0.65 * bell(x, 0.55) * bell(y - 0.45, 0.55);
}

function takeOff(
  digital: Int32Array,
  artefact: Artefact,
  { plus, minus }: ChannelGains,
  scale: ChannelScale,
  timesS: Float64Array,
  electrodes: readonly Electrode[],
): void {
  const off = electrodes[Math.floor(artefact.place * electrodes.length)];
  if (off !== plus && off !== minus) return;
  const form = leadOffForm(artefact);
  const zero = Math.round((scale.digitalMin + scale.digitalMax) / 2);
  const up = (form === 'high') === (off === plus);
  const stuck = form === 'flat' ? zero : up ? scale.digitalMax : scale.digitalMin;
  for (let index = 0; index < digital.length; index++) {
    const time = timesS[index] ?? 0;
    if (time >= artefact.fromS && time < artefact.toS) digital[index] = stuck;
  }
}

function toDigital(uv: Float32Array, { digitalMin, digitalMax, physicalMin, physicalMax }: ChannelScale): Int32Array {
  const countsPerUv = (digitalMax - digitalMin) / (physicalMax - physicalMin);
  const offset = digitalMin - physicalMin * countsPerUv + 0.5;
  const digital = new Int32Array(uv.length);
  for (let index = 0; index < uv.length; index++) {
    const count = Math.floor((uv[index] ?? 0) * countsPerUv + offset);
    digital[index] = count < digitalMin ? digitalMin : count > digitalMax ? digitalMax : count;
  }
  return digital;
}

/** Three sources in one pass over the samples, for three times fewer loads and stores of the sum; there are nine. */
function addSources(values: Float32Array, sources: readonly Float32Array[], gains: readonly number[]): void {
  for (let index = 0; index < sources.length; index += 3) {
    const [first, second, third] = sources.slice(index, index + 3);
    if (first === undefined || second === undefined || third === undefined) throw new RangeError('sources come in threes');
    const [a = 0, b = 0, c = 0] = gains.slice(index, index + 3);
    for (let sample = 0; sample < values.length; sample++) {
      values[sample] = (values[sample] ?? 0) + a * (first[sample] ?? 0) + b * (second[sample] ?? 0) + c * (third[sample] ?? 0);
    }
  }
}

function subtract(values: Float32Array, other: Float32Array): void {
  for (let index = 0; index < values.length; index++) values[index] = (values[index] ?? 0) - (other[index] ?? 0);
}

function multiply(values: Float32Array, by: Float64Array): Float32Array {
  for (let index = 0; index < values.length; index++) values[index] = (values[index] ?? 0) * (by[index] ?? 0);
  return values;
}

function difference(plus: readonly number[], minus: readonly number[] | null): number[] {
  return plus.map((gain, index) => gain - (minus?.[index] ?? 0));
}
