import { type RecordingEnd, type RecordingStart, uuidToBytes } from '@vitalwire/contract/wire';
import { type ChunkRow, clip, endColumns, type IndexEntry, type QuarantineRow, rowLimits, startColumns, streamCode } from './commit-row.ts';

// The values of each table's columns, in the order in which both stores name or declare them: written once, so that the same row is the same
// row in every database.

export type Value = string | number | null | Buffer;

export function indexValues(row: IndexEntry, committedAtUs: number): Value[] {
  const subject = row.subject === null ? null : idBytes(row.subject);
  return [idBytes(row.recordingId), row.seq, subject, row.gateway, row.device, row.stream, row.measuredAtUs, committedAtUs];
}

export function chunkValues(row: ChunkRow, committedAtUs: number): Value[] {
  return [
    idBytes(row.recordingId),
    row.seq,
    streamCode(row.stream),
    row.measuredAtUs,
    committedAtUs,
    row.spanUs,
    row.codec,
    row.clockQuality,
    row.firstSample ?? null,
    row.samples ?? null,
    row.crc32,
    row.message.byteLength,
    asBuffer(row.message),
  ];
}

export function startValues(message: RecordingStart, committedAtUs: number): Value[] {
  const start = startColumns(message);
  return [
    idBytes(start.recordingId),
    0,
    start.gateway,
    start.device,
    start.stream,
    start.measuredAtUs,
    committedAtUs,
    start.rateNum,
    start.rateDen,
    start.channels,
    start.montageHash,
    start.predecessor === null ? null : idBytes(start.predecessor),
    start.captureId,
    start.captureFirstSample,
    start.replaySpeed,
    start.replaySource,
    start.source,
  ];
}

export function endValues(message: RecordingEnd, committedAtUs: number): Value[] {
  const end = endColumns(message);
  return [idBytes(end.recordingId), 1, end.measuredAtUs, committedAtUs, end.lastSeq, end.readings, end.reason];
}

export function quarantineValues(row: QuarantineRow, seenAtUs: number): Value[] {
  return [
    Buffer.from(row.sha256),
    row.seq !== null && Number.isSafeInteger(row.seq) && row.seq >= 0 ? row.seq : null,
    row.recordingId === null ? null : idBytes(row.recordingId),
    clip(row.sender, rowLimits.idLength),
    clip(row.topic, rowLimits.topicLength),
    clip(row.reason, rowLimits.reasonLength),
    seenAtUs,
    row.message.byteLength,
    asBuffer(row.message),
  ];
}

export function idBytes(uuid: string): Buffer {
  return Buffer.from(uuidToBytes(uuid));
}

// The driver sends a Buffer as binary and anything else as text.
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
