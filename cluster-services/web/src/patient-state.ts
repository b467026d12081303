import { type AlarmInfo, type AlarmPause, numericStreams, type PatientState, type ReplayMark, type Stamp } from '@vitalwire/contract';
import { compareAlarms } from '@vitalwire/vitals';
import { type DeviceLive, isLater } from './device-live.ts';

/** A device for one moment: what was heard of it, if anything, and its alarms. */
export type DeviceNow = {
  readonly device: string;
  readonly live: DeviceLive | null;
  readonly mark: DeviceMark;
  readonly alarms: readonly AlarmInfo[];
  readonly pause: AlarmPause | null;
};
export type DeviceMark = { readonly replay: ReplayMark | null; readonly isKnown: boolean };

/** What a screen shows of whoever wears these devices: of each kind of value the latest. */
export function patientState(key: string, patient: string | null, label: string | null, devices: readonly DeviceNow[]): PatientState {
  const lives = devices.flatMap(({ live }) => live ?? []);
  const clockWrong = lives.flatMap(({ device, clockWrong: wrong }) => wrong.map(({ stream, at }) => ({ device, stream, at })));
  return {
    key,
    patient,
    label,
    devices: devices.map(({ device }) => device).sort(),
    eeg: latest(lives.map((live) => live.eeg)),
    numerics: latestNumerics(lives),
    detection: latest(lives.map((live) => live.detection)),
    alarms: devices.flatMap(({ alarms }) => alarms).sort(compareAlarms),
    pauses: devices.flatMap(({ pause }) => pause ?? []),
    replay: devices.find(({ mark }) => mark.replay !== null)?.mark.replay ?? null,
    ...(clockWrong.length === 0 ? {} : { clockWrong }),
    ...(devices.every(({ mark }) => mark.isKnown) ? {} : { replayKnown: false }),
  };
}

function latestNumerics(lives: readonly DeviceLive[]): PatientState['numerics'] {
  return numericStreams.flatMap((stream) => {
    const value = latest(lives.map((live) => live.numerics.find((one) => one.stream === stream) ?? null));
    if (value === null) return [];
    const { recordingId: _, ...shown } = value;
    return [shown];
  });
}

function latest<T extends { at: Stamp }>(values: readonly (T | null)[]): T | null {
  let best: T | null = null;
  for (const value of values) if (value !== null && (best === null || isLater(value.at, best.at))) best = value;
  return best;
}
