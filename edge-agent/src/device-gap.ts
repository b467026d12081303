import { type ClockState, type DataStream, type EndReason, type GapReason, isNumeric, numericFacts } from '@vitalwire/contract';
import type { GapDraft, Predecessor } from '@vitalwire/outbox';

export type NextStart = {
  readonly device: string;
  readonly stream: DataStream;
  readonly startUs: number;
  readonly nowUs: number;
  readonly clock: ClockState;
  readonly phone: boolean;
};

const LEAST_OF_EEG_US = 20_000;
const LEAST_OF_NUMERICS_US = 5_000_000;
const LONGEST_US = 31 * 86_400_000_000; // further apart the two are hardly one series: a replay of an old file, a clock that was wrong

/**
 * The stretch between two recordings of a stream that is meant to be unbroken, and why nothing was recorded in it. The agent is the
 * only one who can tell: to the cluster a silent device and a silent gateway look the same.
 */
export function gapBetween(before: Predecessor, next: NextStart): GapDraft | null {
  const leastUs = leastOf(next.stream);
  if (before.lastUs === null || next.phone || leastUs === null) return null;
  const holeUs = next.startUs - before.lastUs;
  if (holeUs < leastUs || holeUs > LONGEST_US) return null;
  return {
    measuredAtUs: next.nowUs,
    clock: next.clock,
    subject: before.recordingId,
    of: next.stream,
    device: next.device,
    fromSeq: null,
    toSeq: null,
    fromUs: before.lastUs,
    toUs: next.startUs,
    reason: reasonAfter(before.endReason),
  };
}

/** What is shorter is no hole; null: the stream is not meant to be unbroken. */
function leastOf(stream: DataStream): number | null {
  if (stream === 'eeg') return LEAST_OF_EEG_US;
  return isNumeric(stream) && !numericFacts(stream).isSpot ? LEAST_OF_NUMERICS_US : null;
}

function reasonAfter(reason: EndReason | null): GapReason {
  switch (reason) {
    case 'crash':
    case 'stopped':
      return 'agent-down';
    case null:
      return 'unknown';
    default:
      return 'device-off';
  }
}
