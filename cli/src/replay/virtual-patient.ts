import { type ChannelScale, limits, type NumericStream, type Rate, type SampleBits, type Samples } from '@vitalwire/contract';
import type { SignalSource, SourceAnnotation, SourceProblem, SourceVital } from '@vitalwire/datasets';
import { CliError } from '../errors.ts';
import { type EegSignal, eegFeed } from './eeg-feed.ts';
import { eventFeed, type LineEvent } from './event-feed.ts';
import { absencesOf, clockSeamsOf, disturbanceOf, driftUs, type PatientFaults, restartsOf } from './faults/patient-faults.ts';
import type { Feed } from './feed.ts';
import type { Leg } from './leg.ts';
import type { Play, Take } from './manifest.ts';
import { type LineReading, numericFeed } from './numeric-feed.ts';
import { type Absence, PlayLine, type PlayWindow, periodOf } from './play-line.ts';
import { clipped } from './wire-text.ts';

/** One EEG device of a virtual patient: the channels of a source that share rate and width. */
export type EegDevice = {
  readonly device: string;
  readonly group: number;
  readonly rate: Rate;
  readonly sampleBits: SampleBits;
  readonly channels: readonly ChannelScale[];
  readonly signal: EegSignal;
};

/** The device that measures every numeric vital of a patient, as a monitor at the bedside does. */
export type Monitor = {
  readonly device: string;
  readonly vitals: readonly Required<SourceVital>[];
  readonly source: Pick<SignalSource, 'numeric'>;
};

/** A source as a patient: which devices it wears and what each of them will measure at which moment of the line. */
export type VirtualPatient = {
  readonly id: string;
  readonly index: number;
  readonly sourceName: string; // at most 64 bytes, no person's name: it stands in the REPLAY mark
  readonly synthetic: boolean;
  readonly problems: readonly SourceProblem[];
  readonly eeg: readonly EegDevice[];
  readonly monitor: Monitor | null;
  readonly eventDevice: string;
  readonly window: PlayWindow;
  readonly periodUs: number;
  readonly staggerUs: number;
  readonly annotations: readonly SourceAnnotation[];
  readonly absences: readonly Absence[];
  readonly restarts: readonly Absence[];
  readonly faults: PatientFaults;
  close(): Promise<void>;
};

const SEARCH_US = 600_000_000;

/** Makes a patient of an opened source, and closes a source that cannot be one. Nothing of it is read but its annotations. */
export async function virtualPatient(id: string, index: number, source: SignalSource, play: Play): Promise<VirtualPatient> {
  try {
    return await patientOf(id, index, source, play);
  } catch (cause) {
    await source.close();
    throw cause;
  }
}

async function patientOf(id: string, index: number, source: SignalSource, play: Play): Promise<VirtualPatient> {
  const window = windowOf(source, play);
  const chosen = source.groups.flatMap((group, number) => {
    const channels = group.channels.flatMap(({ label }, channel) => (isWanted(label, play.channels) ? [channel] : []));
    return channels.length === 0 ? [] : [{ group, number, channels }];
  });
  checkChannels(source, play.channels);
  const periodUs = periodOf(
    chosen.map(({ group }) => group),
    window.durationUs,
  );
  const faults: PatientFaults = { script: play.faults, patient: index };
  const absences = absencesOf(faults);
  const eeg = chosen.map(({ group, number, channels }, order): EegDevice => {
    if (channels.length > limits.maxChannels)
      throw new CliError(
        'WRONG_ARGUMENT',
        `${source.name} has ${channels.length} channels of one rate, a device sends at most ${limits.maxChannels}: name those to send with --channels`,
      );
    const scales = channels.map((channel) => onTheWire(group.channels[channel]));
    const line = new PlayLine(group, window, { periodUs, absences, seamsUs: clockSeamsOf(faults) });
    const disturb = disturbanceOf(faults, { channels: scales, sampleBits: group.sampleBits, group: number, line });
    return {
      device: order === 0 ? `${id}-eeg` : `${id}-eeg-${order + 1}`,
      group: number,
      rate: group.rate,
      sampleBits: group.sampleBits,
      channels: scales,
      signal: { source, group: number, channels, sampleBits: group.sampleBits, line, ...(disturb === null ? {} : { disturb }) },
    };
  });
  const monitor = await monitorOf(id, source, window, play);
  if (eeg.length === 0 && monitor === null)
    throw new CliError(
      'WRONG_ARGUMENT',
      `${source.name} holds no signals, only ${(await source.annotations()).length} annotations: nothing to play`,
    );
  return {
    id,
    index,
    sourceName: clipped(play.name ?? source.name, limits.maxNameBytes),
    synthetic: source.synthetic,
    problems: source.problems,
    eeg,
    monitor,
    eventDevice: eeg[0]?.device ?? monitorId(id),
    window,
    periodUs,
    staggerUs: index * play.staggerUs,
    annotations: await source.annotations(),
    absences,
    restarts: restartsOf(faults),
    faults,
    close: () => source.close(),
  };
}

/** The stretches that captures of a take play: one, or one between any two restarts of the device. */
export function legsOf(patient: VirtualPatient, take: Take): Leg[] {
  const takeFromUs = take.fromUs - patient.staggerUs;
  const legs: Leg[] = [];
  let fromUs = takeFromUs;
  for (const restart of patient.restarts) {
    if (restart.toUs <= fromUs) continue;
    if (restart.fromUs > fromUs) legs.push({ fromUs, toUs: restart.fromUs, takeFromUs });
    fromUs = restart.toUs;
  }
  return [...legs, { fromUs, toUs: null, takeFromUs }];
}

/** What the device of a group sends in a leg. */
export function eegOf(device: EegDevice, leg: Leg, speed: number): Feed<Samples> {
  return eegFeed(device.signal, leg, speed);
}

/** What the monitor sends of one vital in a leg. */
export function numericOf({ monitor, window, periodUs, absences }: VirtualPatient, stream: NumericStream, leg: Leg): Feed<LineReading[]> {
  if (monitor === null) throw new RangeError(`the patient has no device that measures ${stream}`);
  return numericFeed({ source: monitor.source, stream, window, periodUs, absences }, leg);
}

/** Events are the replay's own words, not a device's: no restart cuts them. */
export function eventsOf(patient: VirtualPatient, take: Take): Feed<LineEvent[]> {
  const { annotations, window, periodUs } = patient;
  return eventFeed({ annotations, window, periodUs }, takeLeg(patient, take), take.opening);
}

export function takeLeg({ staggerUs }: VirtualPatient, take: Take): Leg {
  const fromUs = take.fromUs - staggerUs;
  return { fromUs, toUs: null, takeFromUs: fromUs };
}

/** What a device's clock says at a moment of the line. */
export function deviceUs(patient: VirtualPatient, take: Take, lineUs: number): number {
  return Math.round(take.baseUs + lineUs - take.fromUs + patient.staggerUs + driftUs(patient.faults, lineUs));
}

function windowOf(source: SignalSource, { startUs, durationUs, loop }: Play): PlayWindow {
  const leftUs = source.durationUs - startUs;
  if (leftUs <= 0) {
    throw new CliError('WRONG_ARGUMENT', `--start is ${startUs / 1e6} s, but ${source.name} lasts ${source.durationUs / 1e6} s`);
  }
  return { startUs, durationUs: Math.min(leftUs, durationUs ?? leftUs), loop };
}

function isWanted(label: string, wanted: readonly string[] | null): boolean {
  return wanted === null || wanted.some((one) => sameLabel(one, label));
}

function sameLabel(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}

function checkChannels(source: SignalSource, wanted: readonly string[] | null): void {
  const known = source.groups.flatMap(({ channels }) => channels.map(({ label }) => label));
  const unknown = (wanted ?? []).filter((label) => !known.some((one) => sameLabel(one, label)));
  if (unknown.length > 0)
    throw new CliError(
      'WRONG_ARGUMENT',
      `--channels: ${source.name} has no ${unknown.join(', ')}; it has ${known.slice(0, 64).join(', ')}`,
    );
}

function onTheWire(scale: ChannelScale | undefined): ChannelScale {
  if (scale === undefined) throw new RangeError('the source has no such channel');
  const { label, unit, reference } = scale;
  return {
    ...scale,
    label: clipped(label, limits.maxLabelBytes),
    unit: clipped(unit, limits.maxUnitBytes),
    reference: clipped(reference, limits.maxReferenceBytes),
  };
}

/** The name that stands on disk since monitors knew the heart rate alone; a patient who is played again keeps the device. */
function monitorId(id: string): string {
  return `${id}-hr`;
}

/** A source without numbers gets no device for them, and a vital without readings in the window is not sent: empty ones would look like faults. */
async function monitorOf(id: string, source: SignalSource, window: PlayWindow, play: Play): Promise<Monitor | null> {
  const vitals: Required<SourceVital>[] = [];
  for (const { stream, kind, from = play.name ?? source.name } of source.vitals) {
    if (await hasReadings(source, stream, window)) vitals.push({ stream, kind, from: clipped(from, limits.maxReasonBytes) });
  }
  return vitals.length === 0 ? null : { device: monitorId(id), vitals, source };
}

async function hasReadings(source: SignalSource, stream: NumericStream, { startUs, durationUs }: PlayWindow): Promise<boolean> {
  for (let fromUs = startUs; fromUs < startUs + durationUs; fromUs += SEARCH_US) {
    if ((await source.numeric(stream, fromUs, Math.min(fromUs + SEARCH_US, startUs + durationUs))).length > 0) return true;
  }
  return false;
}
