export type {
  Appended,
  AppendStep,
  CaptureClaim,
  CaptureMatch,
  CapturePosition,
  ChunkDraft,
  GapDraft,
  Hole,
  NoReading,
  OutboxRow,
  OutboxState,
  Predecessor,
  SeenPoint,
  SeqRange,
  StartDraft,
} from './append.ts';
export { OutboxError, type OutboxErrorCode, outboxErrors } from './errors.ts';
export type { Replacement } from './file/repair.ts';
export { LiveLane, type LiveLaneOptions } from './live-lane.ts';
export { Outbox, type OutboxEvents, type OutboxOptions } from './outbox.ts';
export { Uplink, type UplinkOptions, type UplinkStatus } from './uplink.ts';
