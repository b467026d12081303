import type { ChannelScale, Rate, ReplayMark } from '@vitalwire/contract';
import type { AppendStep, CaptureMatch, Hole, SeqRange } from '@vitalwire/outbox';
import type { Cutter, Readings } from './cutter.ts';

/** What stays the same through a recording; a change begins a new one. */
export type RecordingForm = {
  readonly rate: Rate | null;
  readonly channels: readonly ChannelScale[];
  readonly montageHash: string;
  readonly replay: ReplayMark | null;
  readonly source: string;
  readonly key: string; // differs when any of it, or the sample width or kind, differs
};

export type StreamRequest = {
  readonly captureId: string;
  readonly firstSample: number | 'next'; // 'next': a sender without an index of its own
  readonly readings: Readings;
  readonly form: RecordingForm;
  readonly makeCutter: () => Cutter;
  readonly end: boolean;
  readonly extra?: readonly AppendStep[]; // committed together with the readings
};

export type StreamAnswer = {
  readonly accepted: number;
  readonly repeated: number;
  readonly nextSample: number;
  readonly recordings: readonly SeqRange[];
};

/** Samples that come after later ones of the same capture: they were passed over, and a recording cannot go back. */
export class SkippedSamples extends Error {
  override readonly name = 'SkippedSamples';

  constructor(captureId: string, { from, to }: Hole) {
    super(`samples ${from} to ${to - 1} of capture '${captureId}' were passed over before; the request has some of them`);
  }
}

/** Readings at a place that the capture has passed, and that are not, or cannot be shown to be, the ones it has there. */
export class NoRepeat extends Error {
  override readonly name = 'NoRepeat';
  readonly why: 'other' | 'unknown';

  constructor(captureId: string, match: Exclude<CaptureMatch, { kind: 'same' }>) {
    super(
      match.kind === 'other'
        ? `capture '${captureId}' has other readings at sample ${match.sample}: what is stored there was measured at ${timeText(match.storedAtUs)}, what came now at ${timeText(match.claimedAtUs)}`
        : `sample ${match.sample} of capture '${captureId}' was taken before, and is no longer here to tell a repeat from another reading`,
    );
    this.why = match.kind;
  }
}

/** Ranges of the same recording as one. */
export function mergeRanges(ranges: readonly SeqRange[]): SeqRange[] {
  const merged = new Map<string, SeqRange>();
  for (const range of ranges) {
    const known = merged.get(range.recordingId);
    merged.set(range.recordingId, {
      recordingId: range.recordingId,
      firstSeq: Math.min(known?.firstSeq ?? range.firstSeq, range.firstSeq),
      lastSeq: Math.max(known?.lastSeq ?? range.lastSeq, range.lastSeq),
    });
  }
  return [...merged.values()];
}

function timeText(us: number): string {
  const ms = Math.floor(us / 1000);
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${us} µs`;
}
