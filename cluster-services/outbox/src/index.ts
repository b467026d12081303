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
export { Outbox, type OutboxEvents, type OutboxOptions } from './outbox.ts';
export { LiveLane, type LiveLaneOptions } from './send/live-lane.ts';
export { Uplink, type UplinkOptions, type UplinkStatus } from './send/uplink.ts';
