import type { RecordingInfo } from '@vitalwire/contract';

/** The recordings of one capture: what is scored as a whole. */
export type CaptureGroup = {
  readonly device: string;
  readonly patient: string | null;
  readonly captureId: string | null;
  readonly recordings: readonly RecordingInfo[]; // in order of time
};

/** Recordings by device and capture; one without a capture stands alone. */
export function captureGroups(recordings: readonly RecordingInfo[]): CaptureGroup[] {
  const groups = new Map<string, RecordingInfo[]>();
  for (const recording of recordings) {
    const key = `${recording.device} ${recording.captureId ?? recording.recordingId}`;
    groups.set(key, [...(groups.get(key) ?? []), recording]);
  }
  return [...groups.values()]
    .map((members) => members.toSorted((a, b) => a.startedAtUs - b.startedAtUs))
    .flatMap((members) => {
      const [first] = members;
      if (first === undefined) return [];
      const patient = members.find((one) => one.patient !== null)?.patient ?? null;
      return [{ device: first.device, patient, captureId: first.captureId, recordings: members }];
    })
    .toSorted((a, b) => (a.patient ?? a.device).localeCompare(b.patient ?? b.device) || startOf(a) - startOf(b));
}

/**
 * The captures of events that annotate a capture of EEG. A replay names its captures alike but for the stream; where no name
 * fits, whatever the device said during that time.
 */
export function annotatingGroups(eeg: CaptureGroup, events: readonly CaptureGroup[], endUs: number): CaptureGroup[] {
  const named = events.filter(
    ({ captureId }) => captureId !== null && eeg.captureId !== null && stemOf(captureId) === stemOf(eeg.captureId),
  );
  if (named.length > 0) return named;
  return events.filter((one) => one.device === eeg.device && startOf(one) < endUs && lastOf(one) >= startOf(eeg));
}

function stemOf(captureId: string): string {
  return captureId.replace(/-(eeg|event|heart-rate)(?=-|$)/, '');
}

function startOf({ recordings }: CaptureGroup): number {
  return recordings[0]?.startedAtUs ?? 0;
}

function lastOf({ recordings }: CaptureGroup): number {
  return Math.max(...recordings.map(({ endedAtUs }) => endedAtUs ?? Number.POSITIVE_INFINITY));
}
