import type { ChannelScale, SampleBits, Samples } from '@vitalwire/contract';
import type { Absence, PlayLine } from '../play-line.ts';
import type { Fault, FaultKind, FaultOf, FaultScript } from './fault-script.ts';
import { hashNormal, hashWord } from './hash-noise.ts';

const LONGEST_REQUEST_US = 16_000_000;

/** A script as one patient meets it; patients count from 0. */
export type PatientFaults = { readonly script: FaultScript | null; readonly patient: number };

/** The faults of these kinds that are meant for the patient, with their number in the script. */
export function faultsOf<Kind extends FaultKind>(
  { script, patient }: PatientFaults,
  ...kinds: readonly Kind[]
): { readonly fault: FaultOf<Kind>; readonly number: number }[] {
  return (script?.script ?? []).flatMap((fault, number) =>
    isKind(fault, kinds) && (fault.patients === undefined || fault.patients.includes(patient + 1)) ? [{ fault, number }] : [],
  );
}

function isKind<Kind extends FaultKind>(fault: Fault, kinds: readonly Kind[]): fault is FaultOf<Kind> {
  return (kinds as readonly FaultKind[]).includes(fault.fault);
}

/** When the patient's devices measure nothing, or lose it: neither is ever sent. */
export function absencesOf(faults: PatientFaults): Absence[] {
  return faultsOf(faults, 'gap', 'link-cut')
    .filter(({ fault }) => fault.fault === 'gap' || fault.buffer === 'lose')
    .map(({ fault }) => spanOf(fault));
}

/** When the patient's devices start again: off for a while, and a new capture after it. In order, none inside another. */
export function restartsOf(faults: PatientFaults): Absence[] {
  const spans = faultsOf(faults, 'device-restart')
    .map(({ fault }) => spanOf(fault))
    .sort((a, b) => a.fromUs - b.fromUs);
  const merged: Absence[] = [];
  for (const span of spans) {
    const before = merged.at(-1);
    if (before !== undefined && span.fromUs <= before.toUs)
      merged[merged.length - 1] = { fromUs: before.fromUs, toUs: Math.max(before.toUs, span.toUs) };
    else merged.push(span);
  }
  return merged;
}

/** When no request leaves the devices. */
export function cutsOf(faults: PatientFaults): Absence[] {
  return faultsOf(faults, 'link-cut').map(({ fault }) => spanOf(fault));
}

/** By how much the devices' clock is wrong at a moment of the line: it runs off during a drift and is set right at its end. */
export function driftUs(faults: PatientFaults, lineUs: number): number {
  let sum = 0;
  for (const { fault } of faultsOf(faults, 'drift')) {
    const sinceUs = lineUs - fault.at;
    if (sinceUs >= 0 && sinceUs < fault.for) sum += (sinceUs * fault.ppm) / 1e6;
  }
  return sum;
}

/** A request names the time of its first sample only: by how much the others may seem to be off while the clock drifts. */
export function driftToleranceUs(faults: PatientFaults, lineUs: number): number {
  return faultsOf(faults, 'drift')
    .filter(({ fault }) => lineUs >= fault.at && lineUs < fault.at + fault.for)
    .reduce((sum, { fault }) => sum + (LONGEST_REQUEST_US * Math.abs(fault.ppm)) / 1e6, 0);
}

/** Where the devices' clock changes its speed: no request spans it. */
export function clockSeamsOf(faults: PatientFaults): number[] {
  return faultsOf(faults, 'drift').flatMap(({ fault }) => [fault.at, fault.at + fault.for]);
}

export type DisturbedDevice = {
  readonly channels: readonly ChannelScale[];
  readonly sampleBits: SampleBits;
  readonly group: number;
  readonly line: PlayLine;
};

const signalFaults = ['lead-off', 'saturation', 'hum', 'noise'] as const;
type SignalFault = FaultOf<(typeof signalFaults)[number]>;

/** What the script does to the samples of a device, in place; null where it does nothing. Samples stand channel after channel. */
export function disturbanceOf(
  faults: PatientFaults,
  device: DisturbedDevice,
): ((samples: Samples, position: number, count: number) => void) | null {
  const effects = faultsOf(faults, ...signalFaults).map(({ fault, number }) => ({
    from: device.line.firstAt(fault.at),
    to: device.line.firstAt(fault.at + fault.for),
    rows: device.channels.flatMap((scale, row) => (isHit(fault, scale.label) ? [{ row, effect: effectOf(fault, scale, device) }] : [])),
    word: hashWord(faults.script?.seed ?? 0, number, faults.patient, device.group),
  }));
  if (effects.every(({ rows }) => rows.length === 0)) return null;
  return (samples, position, count) => {
    for (const { from, to, rows, word } of effects) {
      const first = Math.max(from, position);
      const last = Math.min(to, position + count);
      for (const { row, effect } of rows) {
        const channelWord = hashWord(word, row);
        for (let at = first; at < last; at += 1) {
          const index = row * count + at - position;
          samples[index] = effect(samples[index] ?? 0, at, channelWord);
        }
      }
    }
  };
}

type Effect = (value: number, position: number, word: number) => number;

function effectOf(fault: SignalFault, scale: ChannelScale, { sampleBits, line }: DisturbedDevice): Effect {
  const limit = sampleBits === 16 ? 0x8000 : 0x800000;
  const low = Math.max(-limit, scale.digitalMin);
  const high = Math.min(limit - 1, scale.digitalMax);
  const clamp = (value: number): number => Math.min(high, Math.max(low, Math.round(value)));
  switch (fault.fault) {
    case 'lead-off': {
      const rest = fault.form === 'high' ? high : fault.form === 'low' ? low : clamp((low + high) / 2);
      return () => rest;
    }
    case 'saturation': {
      const middle = (low + high) / 2;
      return (value) => clamp(middle + (value - middle) * fault.gain);
    }
    case 'hum': {
      const height = digitalOf(fault.amplitudeUv, scale);
      return (value, position) => clamp(value + height * Math.sin(2 * Math.PI * fault.hz * (line.timeUs(position) / 1e6)));
    }
    case 'noise': {
      const height = digitalOf(fault.amplitudeUv, scale);
      return (value, position, word) => clamp(value + height * hashNormal(hashWord(word, position)));
    }
  }
}

const perUv: Readonly<Record<string, number>> = { nv: 1_000, mv: 1e-3, v: 1e-6 }; // anything else counts as µV

/** How many digital steps so many µV are. */
function digitalOf(uv: number, { unit, digitalMin, digitalMax, physicalMin, physicalMax }: ChannelScale): number {
  const physical = uv * (perUv[unit.trim().toLowerCase()] ?? 1);
  return (physical * (digitalMax - digitalMin)) / Math.max(1e-30, Math.abs(physicalMax - physicalMin));
}

function isHit({ channels }: SignalFault, label: string): boolean {
  return channels === undefined || channels.some((one) => one.trim().toLowerCase() === label.trim().toLowerCase());
}

function spanOf(fault: Fault): Absence {
  return { fromUs: fault.at, toUs: fault.at + fault.for };
}
