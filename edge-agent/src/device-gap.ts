import type { ClockState, DataStream, EndReason, GapReason } from '@vitalwire/contract';
import type { GapDraft, Predecessor } from '@vitalwire/outbox';

export type NextStart = {
  readonly device: string;
  readonly stream: DataStream;
  readonly startUs: number;
  readonly nowUs: number;
  readonly clock: ClockState;
  readonly phone: boolean;
};

const LEAST_US: Record<'eeg' | 'heart-rate', number> = { eeg: 20_000, 'heart-rate': 5_000_000 };
const LONGEST_US = 31 * 86_400_000_000; // further apart the two are hardly one series: a replay of an old file, a clock that was wrong

/**
 * The stretch between two recordings of a stream that is meant to be unbroken, and why nothing was recorded in it. The agent is the
 * only one who can tell: to the cluster a silent device and a silent gateway look the same.
 */
export function gapBetween(before: Predecessor, next: NextStart): GapDraft | null {
  if (before.lastUs === null || next.phone || (next.stream !== 'eeg' && next.stream !== 'heart-rate')) return null;
  const holeUs = next.startUs - before.lastUs;
  if (holeUs < LEAST_US[next.stream] || holeUs > LONGEST_US) return null;
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
