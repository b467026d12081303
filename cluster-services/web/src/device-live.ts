import { type ClockWrong, type Detection, inTableOrder, type PatientState, type ReplayMark, type Stamp } from '@vitalwire/contract';
import { recentRule, type ScoredWindow } from '@vitalwire/vitals';

/** The newest value of a vital, and of which recording it is. */
export type NumericLive = PatientState['numerics'][number] & { readonly recordingId: string };

/** What is known of one device: its latest values, and of which recordings they are. */
export type DeviceLive = {
  device: string;
  gateway: string;
  eeg: NonNullable<PatientState['eeg']> | null;
  numerics: NumericLive[]; // one a vital, in the order of their table
  detection: NonNullable<PatientState['detection']> | null;
  windows: { subject: string; modelHash: string; scored: ScoredWindow[] }; // the latest few of one recording
  clockWrong: { stream: ClockWrong['stream']; recordingId: string; at: Stamp }[]; // what came from the future, one a stream
  replay: ReplayMark | null; // as last known: what holds for recordings whose start was not seen
};

export function unheardDevice(device: string, gateway: string): DeviceLive {
  return {
    device,
    gateway,
    eeg: null,
    numerics: [],
    detection: null,
    windows: { subject: '', modelHash: '', scored: [] },
    clockWrong: [],
    replay: null,
  };
}

/** Replaces the value of its vital if it was measured later. */
export function takeNumeric(live: DeviceLive, value: NumericLive): boolean {
  const known = live.numerics.find(({ stream }) => stream === value.stream);
  if (!isLater(value.at, known?.at)) return false;
  live.numerics = inTableOrder([...live.numerics.filter(({ stream }) => stream !== value.stream), value]);
  return true;
}

/** The windows that decide the state word, the new one among them; another recording or model begins anew. */
export function takeWindow(live: DeviceLive, detection: Detection): readonly ScoredWindow[] {
  const { subject, modelHash, seq, probability, verdict, channelProbabilities, everyS } = detection;
  const channels = channelProbabilities.flatMap((value, channel) => (value !== null && value >= recentRule.on ? [channel] : []));
  if (live.windows.subject !== subject || live.windows.modelHash !== modelHash) live.windows = { subject, modelHash, scored: [] };
  const others = live.windows.scored.filter((scored) => scored.window !== seq);
  live.windows.scored = [...others, { window: seq, probability, verdict, channels, everyS }].slice(-2 * recentRule.windows);
  return live.windows.scored;
}

/** Of which recordings the values are that are shown of a device. */
export function recordingsOf({ eeg, numerics, detection, windows, clockWrong }: DeviceLive): string[] {
  const recordings = new Set([...clockWrong, ...numerics].map(({ recordingId }) => recordingId));
  if (eeg !== null) recordings.add(eeg.recordingId);
  if (detection !== null && windows.subject !== '') recordings.add(windows.subject);
  return [...recordings];
}

export function isLater(stamp: Stamp, than: Stamp | undefined): boolean {
  return than === undefined || correctedUs(stamp) > correctedUs(than);
}

/** By the cluster's clock as well as it is known; nothing was measured after it was received. */
function correctedUs(stamp: Stamp): number {
  return Math.min(stamp.measuredAtUs + (stamp.clockOffsetUs ?? 0), stamp.receivedAtUs);
}
