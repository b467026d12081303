import type { RecordingInfo } from '@vitalwire/contract';
import { streams } from '../replay/manifest.ts';

/** The recordings of one run of a device: what is scored as a whole. */
export type CaptureGroup = {
  readonly device: string;
  readonly patient: string | null;
  readonly captureId: string | null; // of the first recording
  readonly recordings: readonly RecordingInfo[]; // in order of time
};

/** Recordings by device and run; one without a capture stands alone. */
export function captureGroups(recordings: readonly RecordingInfo[]): CaptureGroup[] {
  const runs = Map.groupBy(
    recordings,
    ({ device, captureId, recordingId }) => `${device} ${captureId === null ? recordingId : runOf(captureId)}`,
  );
  return [...runs.values()]
    .map((members) => members.toSorted((a, b) => a.startedAtUs - b.startedAtUs))
    .flatMap((members) => {
      const [first] = members;
      if (first === undefined) return [];
      const patient = members.find((one) => one.patient !== null)?.patient ?? null;
      return [{ device: first.device, patient, captureId: first.captureId, recordings: members }];
    })
    .toSorted((a, b) => (a.patient ?? a.device).localeCompare(b.patient ?? b.device) || startOf(a) - startOf(b));
}

/** The events that annotate a run of EEG: those a replay sent with it; where no name fits, whatever the device said during that time. */
export function annotatingGroups(eeg: CaptureGroup, events: readonly CaptureGroup[], endUs: number): CaptureGroup[] {
  const named = events.filter(({ captureId }) => captureId !== null && eeg.captureId !== null && runOf(captureId) === runOf(eeg.captureId));
  if (named.length > 0) return named;
  return events.filter((one) => one.device === eeg.device && startOf(one) < endUs && lastOf(one) >= startOf(eeg));
}

/**
 * What a replay's captures of one patient at one speed have in common: `bonn-1-…-p01-eeg2-0.3-late-77` → `bonn-1-…-p01-0`. They differ by
 * stream, by leg (a device that was started again) and by what was overtaken.
 */
export function runOf(captureId: string): string {
  return captureId
    .replace(/-late-\d+$/, '')
    .replace(/(-\d+)\.\d+$/, '$1')
    .replace(streamInName, '');
}

const streamInName = new RegExp(`-(${streams.join('|')})\\d*(?=(-\\d+)?$)`);

function startOf({ recordings }: CaptureGroup): number {
  return recordings[0]?.startedAtUs ?? 0;
}

function lastOf({ recordings }: CaptureGroup): number {
  return Math.max(...recordings.map(({ endedAtUs }) => endedAtUs ?? Number.POSITIVE_INFINITY));
}
