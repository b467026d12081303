import type {
  ClockState,
  DataStream,
  EegDraft,
  EndReason,
  EventChunk,
  EventReading,
  Gap,
  Message,
  NumericChunk,
  NumericReading,
  NumericStream,
  QualityChunk,
  Rate,
  RecordingStart,
  Samples,
} from '@vitalwire/contract/wire';

type Unnumbered<T> = T extends unknown ? Omit<T, 'seq'> : never;

/** A chunk before it has a seq: only the transaction that inserts it gives one. */
export type ChunkDraft = Unnumbered<EegDraft | NumericChunk | EventChunk | QualityChunk>;
export type StartDraft = Omit<RecordingStart, 'stream' | 'recordingId' | 'seq' | 'kind'>;
export type GapDraft = Omit<Gap, 'stream' | 'recordingId' | 'seq'>;

/** One step of an append. The steps of one append are committed together, or not at all. */
export type AppendStep =
  | { readonly step: 'start'; readonly start: StartDraft }
  | { readonly step: 'chunk'; readonly chunk: ChunkDraft; readonly readings: number /* per channel */; readonly endUs: number }
  | { readonly step: 'end'; readonly recordingId: string; readonly reason: EndReason; readonly clock: ClockState }
  | { readonly step: 'gap'; readonly gap: GapDraft }
  | {
      readonly step: 'capture';
      readonly device: string;
      readonly stream: DataStream;
      readonly captureId: string;
      readonly fromSample: number; // where the appender believes the capture to be; anything else refuses the append
      readonly nextSample: number;
      readonly hole: Hole | null; // samples the device passed over: they must not be taken for repeats if they come after all
    }
  | { readonly step: 'seen'; readonly device: string; readonly metric: string; readonly points: readonly SeenPoint[] }
  | { readonly step: 'message'; readonly device: string; readonly message: Message }; // numbered by the sender itself: alarms, status

/** A point of a phone export, known by its instant; the digest tells whether a later one carries other values. */
export type SeenPoint = { readonly atUs: number; readonly digest: number };

/** Which seqs of which recordings an append was given. */
export type SeqRange = { readonly recordingId: string; readonly firstSeq: number; readonly lastSeq: number };
export type Appended = { readonly recordings: readonly SeqRange[] };

/** Where a capture stands, and the recording that came before whatever is started next on its stream. */
export type CapturePosition = { readonly nextSample: number; readonly holes: readonly Hole[]; readonly predecessor: Predecessor | null };
/** Samples `from` up to, but not including, `to`. */
export type Hole = { readonly from: number; readonly to: number };
export type Predecessor = { readonly recordingId: string; readonly lastUs: number | null; readonly endReason: EndReason | null };

/** A place in the count of a device at which it sent no number: a code for lost contact, or nothing. */
export type NoReading = { readonly atUs: number; readonly value: null };

/** Readings at a place of a capture that has been taken before: a repeat, or other readings of a device that counts anew. */
export type CaptureClaim = {
  readonly device: string;
  readonly captureId: string;
  readonly firstSample: number;
  readonly readings:
    | {
        readonly stream: 'eeg';
        readonly measuredAtUs: number;
        readonly rate: Rate;
        readonly channels: number;
        readonly samplesPerChannel: number;
        readonly samples: Samples; // channel after channel
      }
    | { readonly stream: NumericStream; readonly readings: readonly (NumericReading | NoReading)[] }
    | { readonly stream: 'event'; readonly events: readonly EventReading[] };
};
/** `sample`: the first one that differs, or that is no longer here to be compared. */
export type CaptureMatch =
  | { readonly kind: 'same' }
  | { readonly kind: 'other'; readonly sample: number; readonly storedAtUs: number; readonly claimedAtUs: number }
  | { readonly kind: 'unknown'; readonly sample: number };

/** A message on its way out. */
export type OutboxRow = {
  readonly id: number; // send order
  readonly device: string;
  readonly stream: Message['stream'];
  readonly createdAtMs: number;
  readonly message: Uint8Array<ArrayBuffer>;
};

/** How full the outbox is, counted from the database. */
export type OutboxState = {
  readonly pendingChunks: number;
  readonly pendingBytes: number;
  readonly ringChunks: number;
  readonly ringBytes: number;
  readonly usedBytes: number; // pages in use, not the file's length
  readonly fileBytes: number;
  readonly walBytes: number;
  readonly maxBytes: number;
  readonly diskFull: boolean; // it has no room to grow: old deliveries make room, and what does not fit then is refused
  readonly oldestPendingAtMs: number | null; // when the oldest un-acknowledged row was committed
  readonly lastId: number;
  readonly deliveredId: number;
  readonly evictedChunks: number; // un-acknowledged ones, since the start
  readonly damagedChunks: number;
  readonly damagedFiles: number;
  readonly generation: string | null; // of the cluster's database, as last heard
};

/** About what a step takes in the outbox, and in memory on its way there. */
export function sizeOf(step: AppendStep): number {
  if (step.step !== 'chunk') return 1024;
  const { chunk } = step;
  if (chunk.stream === 'eeg') return 1024 + chunk.samples.byteLength;
  if (chunk.stream === 'event') return 1024 + 512 * chunk.events.length;
  return 1024 + 48 * (chunk.stream === 'quality' ? chunk.items.length : chunk.readings.length);
}
