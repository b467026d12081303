import { type Cells, type Colour, fillColoured } from './coloured-noise.ts';
import type { Electrode } from './electrodes.ts';
import { bell, decay, ramp, sine } from './exact-math.ts';
import type { Artefact } from './schedule.ts';
import { noiseAt } from './white-noise.ts';

/** One block of time as the artefacts see it. */
export type Block = {
  readonly cells: Cells;
  readonly firstCell: number;
  readonly timesS: Float64Array;
  readonly scratch: Float32Array; // a cell longer than the block
};

export type ArtefactTools = { readonly muscle: Colour; readonly mainsHz: number; readonly electrodes: readonly Electrode[] };

/** How much of an artefact an electrode catches, 0 to 1. Lead-off is not a wave: see `leadOffAt`. */
export function catches(artefact: Artefact, electrode: Electrode, electrodes: readonly Electrode[]): number {
  switch (artefact.kind) {
    case 'blink': // the eyes move in front of the forehead
      return electrode.y > 0 ? electrode.y * electrode.y * (1 - 0.35 * electrode.x * electrode.x) : 0;
    case 'muscle': {
      // the jaw muscle of one side, of both, or the forehead
      const side = artefact.place < 0.4 ? -1 : artefact.place < 0.8 ? 1 : 0;
      const near = side === 0 ? bell(Math.abs(electrode.x) - 0.85, 0.25) : bell(electrode.x - 0.85 * side, 0.3);
      return near * bell(electrode.y - 0.15, 0.45);
    }
    case 'mains': // everywhere, worst where the contact is worst
      return 0.4 + 0.6 * Math.abs(noiseAt(artefact.word, electrodes.indexOf(electrode)));
    case 'pop':
    case 'lead-off':
      return electrode === chosen(artefact, electrodes) ? 1 : 0;
    case 'drift': {
      const middle = chosen(artefact, electrodes);
      return bell(electrode.x - middle.x, 0.25) * bell(electrode.y - middle.y, 0.25);
    }
  }
}

/** Adds an artefact to an electrode's potential in µV. */
export function addArtefact(values: Float32Array, artefact: Artefact, electrode: Electrode, block: Block, tools: ArtefactTools): void {
  const share = catches(artefact, electrode, tools.electrodes);
  if (share < 0.02 || artefact.kind === 'lead-off') return;
  if (artefact.kind === 'muscle') {
    addMuscle(values, artefact, share, tools.electrodes.indexOf(electrode), block, tools.muscle);
    return;
  }
  const wave = waveOf(artefact, tools.mainsHz);
  for (let index = 0; index < values.length; index++) {
    const time = block.timesS[index] ?? 0;
    if (time < artefact.fromS) continue;
    if (time >= artefact.toS) break;
    values[index] = (values[index] ?? 0) + share * wave(time - artefact.fromS, time);
  }
}

/** What a channel shows while its electrode is off: stuck at one end of the range, or dead. */
export function leadOffForm(artefact: Artefact): 'high' | 'low' | 'flat' {
  return artefact.form < 0.35 ? 'high' : artefact.form < 0.7 ? 'low' : 'flat';
}

function waveOf(artefact: Artefact, mainsHz: number): (sinceOnsetS: number, timeS: number) => number {
  const { kind, strength, form } = artefact;
  const lastsS = artefact.toS - artefact.fromS;
  const sign = form < 0.5 ? -1 : 1;
  switch (kind) {
    case 'blink': {
      const uv = 120 + 160 * strength;
      const deviation = Math.min(0.09, lastsS / 5);
      return (t) => uv * (bell(t - lastsS * 0.4, deviation) - 0.18 * bell(t - lastsS * 0.85, deviation)) * ramp(lastsS - t, 0, 0.03);
    }
    case 'mains': {
      const uv = 30 + 120 * strength;
      return (t, time) => uv * edges(t, lastsS, 0.2) * (sine(mainsHz * time + form) + 0.15 * sine(3 * mainsHz * time));
    }
    case 'pop': {
      const uv = sign * (200 + 500 * strength);
      return (t) => uv * ramp(t, -0.004, 0.004) * decay(t, lastsS / 5) * ramp(lastsS - t, 0, lastsS / 4);
    }
    case 'drift': {
      const uv = sign * (150 + 300 * strength);
      return (t) => uv * edges(t, lastsS, lastsS / 3) * sine((0.06 + 0.1 * form) * t);
    }
    case 'muscle':
    case 'lead-off':
      return () => 0;
  }
}

function addMuscle(values: Float32Array, artefact: Artefact, share: number, electrodeIndex: number, block: Block, colour: Colour): void {
  const noise = new Float32Array(values.length);
  fillColoured(noise, block.scratch, block.cells, block.firstCell, (artefact.word + Math.imul(electrodeIndex, 0x9e3779b1)) | 0, colour);
  const uv = share * (40 + 80 * artefact.strength);
  const lastsS = artefact.toS - artefact.fromS;
  for (let index = 0; index < values.length; index++) {
    const t = (block.timesS[index] ?? 0) - artefact.fromS;
    if (t < 0 || t >= lastsS) continue;
    values[index] = (values[index] ?? 0) + uv * edges(t, lastsS, Math.min(0.15, lastsS / 4)) * (noise[index] ?? 0);
  }
}

/** 1 inside, smooth at both ends. */
function edges(t: number, lastsS: number, edgeS: number): number {
  return ramp(t, 0, edgeS) * ramp(lastsS - t, 0, edgeS);
}

function chosen(artefact: Artefact, electrodes: readonly Electrode[]): Electrode {
  const electrode = electrodes[Math.floor(artefact.place * electrodes.length)];
  if (electrode === undefined) throw new RangeError('a montage has at least one electrode');
  return electrode;
}
