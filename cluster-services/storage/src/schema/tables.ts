import type { DeviceKind, NumericStream, Stream } from '@vitalwire/contract';

/** The tables as Kysely sees them. Ids of recordings are 16 bytes; times are microseconds as numbers. */
export type ReadingsTables = {
  chunk: ChunkTable;
  stream_index: StreamIndexTable;
  recording_start: RecordingStartTable;
  recording_end: RecordingEndTable;
  quarantine: QuarantineTable;
  generation: GenerationTable;
};

export type ChunkTable = {
  recording_id: Buffer;
  seq: number;
  stream: number;
  measured_at_us: number;
  committed_at_us: number;
  span_us: number;
  codec: number;
  clock_quality: number;
  first_sample: number | null;
  samples: number | null;
  crc32: number;
  message_bytes: number;
  message: Buffer;
};

export type StreamIndexTable = {
  recording_id: Buffer;
  seq: number;
  subject: Buffer | null;
  gateway: string;
  device: string;
  stream: Stream;
  first_measured_at_us: number;
  first_committed_at_us: number;
};

export type RecordingStartTable = {
  recording_id: Buffer;
  seq: number;
  gateway: string;
  device: string;
  stream: Stream;
  measured_at_us: number;
  committed_at_us: number;
  rate_num: number | null;
  rate_den: number | null;
  channels: string;
  montage_hash: string;
  predecessor: Buffer | null;
  capture_id: string;
  capture_first_sample: number;
  replay_speed: number | null;
  replay_source: string | null;
  source: string;
};

export type RecordingEndTable = {
  recording_id: Buffer;
  seq: number;
  measured_at_us: number;
  committed_at_us: number;
  last_seq: number;
  readings: number;
  reason: string;
};

export type QuarantineTable = {
  sha256: Buffer;
  seq: number | null;
  recording_id: Buffer | null;
  sender: string;
  topic: string;
  reason: string;
  first_seen_us: number;
  message_bytes: number;
  message: Buffer;
};

export type GenerationTable = { id: number; generation: string; created_at_us: number; reason: string; pulse: number };

export type RegistryTables = {
  patient: { id: string; label: string | null; notes: string | null; updated_at_us: number };
  device: {
    id: string;
    kind: DeviceKind;
    label: string | null;
    gateway: string | null;
    updated_at_us: number;
  };
  assignment: { device: string; from_us: number; to_us: number | null; patient: string; updated_at_us: number };
  device_owner: {
    device: string;
    move: number; // 0, 1, 2, ... per device; 0 = its first owner
    gateway: string;
    from_us: number | null; // null: from the beginning
    by_id: string;
    at_us: number;
  };
  limit_change: {
    patient: string;
    stream: NumericStream;
    change: number; // 0, 1, 2, ... per patient and vital
    low: number | null;
    high: number | null;
    extreme_delta: number | null;
    by_id: string;
    at_us: number;
  };
  lease: { kind: string; shard: number; worker: string; fence: number; until_us: number };
  registry_state: { id: number; revision: number; readings_generation: string; readings_pulse: number };
};
