import { sha256 } from '@noble/hashes/sha2.js';
import { CborReader, CborWriter, DecodeFailure, fail } from './cbor.ts';
import { crc32 } from './crc32.ts';
import { type Decoded, refused } from './decoded.ts';
import { bytesToHex, bytesToUuid, isUuid, uuidToBytes } from './ids.ts';
import { keys, WIRE_VERSION } from './keys.ts';
import { limits } from './limits.ts';
import type {
  Alarm,
  ChannelScale,
  Detection,
  EegChunk,
  EegDraft,
  EventChunk,
  Gap,
  Hello,
  LiveStatus,
  Message,
  MessageDraft,
  NumericChunk,
  QualityChunk,
  RecordingEnd,
  RecordingStart,
  Status,
} from './messages.ts';
import { isNumeric } from './numerics.ts';
import { isNumericChunk } from './readings.ts';
import { decodeChunkSamples, encodeChunkSamples } from './samples.ts';
import { type Stream, streamNumbers } from './topics.ts';
import { countFields, type MapFields, MapReader, uuid, writeFields } from './wire.ts';

// Every body, described once for both directions. The order of fields on the wire is that of their keys.

import {
  alarmBody,
  channelScales,
  detectionBody,
  type EegBody,
  eegBody,
  endBody,
  eventBody,
  gapBody,
  helloBody,
  liveStatusBody,
  numericBody,
  qualityBody,
  startBody,
  statusBody,
} from './codec-bodies.ts';

const LIVE_STATUS = 9; // its number on the wire, beside those of the durable streams
const namesByNumber = new Map(Object.entries(streamNumbers).map(([name, number]) => [number, name as Stream]));
const FIELDS_IN_FRONT = 4; // version, recordingId, seq, stream
const writer = new CborWriter(64 * 1024); // encoding is synchronous: one serves all

/** The bytes of a message: 24 bytes of prefix and one CBOR map, the same for the same message. Throws a RangeError for what the wire cannot carry. */
export function encodeMessage(message: MessageDraft): Uint8Array<ArrayBuffer> {
  const wrong = contradiction(message);
  if (wrong !== null) throw new RangeError(`${message.stream} ${message.recordingId}/${message.seq}: ${wrong}`);
  if (isNumericChunk(message)) return finish(message, numericBody, message);
  switch (message.stream) {
    case 'eeg':
      return finish(message, eegBody, eegBodyOf(message));
    case 'event':
      return finish(message, eventBody, message);
    case 'quality':
      return finish(message, qualityBody, message);
    case 'recording':
      return message.kind === 'start' ? finish(message, startBody, message) : finish(message, endBody, message);
    case 'gap':
      return finish(message, gapBody, message);
    case 'status':
      return finish(message, statusBody, message);
    case 'detection':
      return finish(message, detectionBody, message);
    case 'alarm':
      return finish(message, alarmBody, message);
  }
}

/** Takes a message apart. Never throws; what it returns shares no memory with the input. */
export function decodeMessage(bytes: Uint8Array): Decoded<Message> {
  if (bytes.byteLength > limits.maxMessageBytes) return refused('oversize', `${bytes.byteLength} bytes, at most ${limits.maxMessageBytes}`);
  return attempt(() => {
    const { recordingId, seq, stream, map, from } = open(bytes);
    const name = namesByNumber.get(stream);
    if (name === undefined) return fail('unknown-stream', String(stream));
    const message =
      name === 'eeg' ? readEeg(map, { stream: name, recordingId, seq }) : readBody(map, from, { stream: name, recordingId, seq });
    map.end();
    from.end();
    const wrong = contradiction(message);
    return wrong === null ? message : fail('bad-field', wrong);
  });
}

/** Identity of a message whose body may be beyond understanding; null if there is none. */
export function readPrefix(bytes: Uint8Array): { recordingId: string; seq: number } | null {
  if (bytes.byteLength < limits.prefixBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const high = view.getUint32(16);
  if (high > 0x1fffff) return null; // beyond 2^53: no seq of ours
  return { recordingId: bytesToUuid(bytes.subarray(0, 16)), seq: high * 2 ** 32 + view.getUint32(20) };
}

/** A gateway's live status; its prefix names the session, seq 0. */
export function encodeLiveStatus(status: LiveStatus): Uint8Array<ArrayBuffer> {
  return finish({ recordingId: status.session, seq: 0, stream: 'live-status' }, liveStatusBody, status);
}

export function decodeLiveStatus(bytes: Uint8Array): Decoded<LiveStatus> {
  if (bytes.byteLength > limits.maxMessageBytes) return refused('oversize');
  return attempt(() => {
    const { recordingId, stream, map, from } = open(bytes);
    if (stream !== LIVE_STATUS) return fail('unknown-stream', String(stream));
    const status = map.fields(liveStatusBody, { stream: 'live-status', session: recordingId }) as LiveStatus;
    map.end();
    from.end();
    return status;
  });
}

/** A hello of the front door: one CBOR map without a prefix, as it belongs to no recording. */
export function encodeHello(hello: Hello): Uint8Array<ArrayBuffer> {
  writer.reset();
  writer.map(1 + countFields(helloBody, hello));
  writer.int(keys.version);
  writer.int(WIRE_VERSION);
  writeFields(writer, helloBody, hello);
  return writer.result();
}

export function decodeHello(bytes: Uint8Array): Decoded<Hello> {
  if (bytes.byteLength > limits.maxMessageBytes) return refused('oversize');
  return attempt(() => {
    const from = new CborReader(bytes);
    const map = new MapReader(from);
    map.key(keys.version, 'version');
    if (from.uint(Number.MAX_SAFE_INTEGER) !== WIRE_VERSION) return fail('unknown-version');
    const hello = map.fields(helloBody);
    map.end();
    from.end();
    return hello;
  });
}

/** 16 hex digits that name a montage: labels, order, units, scales and references. Equal montages have equal hashes, everywhere. */
export function hashMontage(channels: readonly ChannelScale[]): string {
  writer.reset();
  channelScales.write(writer, channels);
  return bytesToHex(sha256(writer.result()).subarray(0, 8));
}

/** Turns the reader's way of stopping into a result. Anything else that is thrown is a bug of ours and stays one. */
export function attempt<T>(read: () => T): Decoded<T> {
  try {
    return { ok: true, value: read() };
  } catch (cause) {
    if (cause instanceof DecodeFailure) return refused(cause.reason, cause.detail);
    throw cause;
  }
}

function eegBodyOf(message: EegDraft): EegBody {
  if (message.samples.length !== message.channels * message.samplesPerChannel)
    throw new RangeError(`${message.samples.length} samples for ${message.channels} x ${message.samplesPerChannel}`);
  return { ...message, ...encodeChunkSamples(message.samples, message.channels, message.sampleBits, message.codec) };
}

function finish<T extends object>(
  identity: { recordingId: string; seq: number; stream: Stream | 'live-status' },
  fields: MapFields<T>,
  body: T,
): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(identity.seq) || identity.seq < 0) throw new RangeError(`seq ${identity.seq}`);
  if (!isUuid(identity.recordingId)) throw new RangeError(`not a UUID: '${identity.recordingId}'`);
  const recordingId = uuidToBytes(identity.recordingId);
  writer.reset();
  writer.raw(recordingId);
  writer.uint64(identity.seq);
  writer.map(FIELDS_IN_FRONT + countFields(fields, body));
  writer.int(keys.version);
  writer.int(WIRE_VERSION);
  writer.int(keys.recordingId);
  writer.byteString(recordingId);
  writer.int(keys.seq);
  writer.int(identity.seq);
  writer.int(keys.stream);
  writer.int(identity.stream === 'live-status' ? LIVE_STATUS : streamNumbers[identity.stream]);
  writeFields(writer, fields, body);
  const bytes = writer.result();
  if (bytes.length > limits.maxMessageBytes)
    throw new RangeError(`${identity.stream}: ${bytes.length} bytes, at most ${limits.maxMessageBytes}`);
  return bytes;
}

/** Reads what all messages begin with, and checks that body and prefix name the same identity. */
function open(bytes: Uint8Array): { recordingId: string; seq: number; stream: number; map: MapReader; from: CborReader } {
  if (bytes.byteLength < limits.prefixBytes) return fail('truncated', 'shorter than the prefix');
  const prefix = readPrefix(bytes) ?? fail('out-of-range', 'a seq beyond 2^53');
  const from = new CborReader(bytes, limits.prefixBytes);
  const map = new MapReader(from);
  map.key(keys.version, 'version');
  const version = from.uint(Number.MAX_SAFE_INTEGER);
  if (version !== WIRE_VERSION) fail('unknown-version', String(version));
  map.key(keys.recordingId, 'recordingId');
  const recordingId = uuid.read(from);
  map.key(keys.seq, 'seq');
  const seq = from.uint(Number.MAX_SAFE_INTEGER);
  if (recordingId !== prefix.recordingId || seq !== prefix.seq) fail('prefix-disagrees');
  map.key(keys.stream, 'stream');
  return { recordingId, seq, stream: from.uint(0xff), map, from };
}

type Identity<S> = { readonly stream: S; readonly recordingId: string; readonly seq: number };

function readEeg(map: MapReader, identity: Identity<'eeg'>): EegChunk {
  const { block: packed, ...body } = map.fields(eegBody);
  if (crc32(packed) !== body.crc32) fail('damaged');
  const samples = decodeChunkSamples(packed, body.codec, body.channels, body.samplesPerChannel, body.sampleBits);
  if (!samples.ok) return fail(samples.reason, samples.detail);
  return { ...identity, ...body, samples: samples.value };
}

function readBody(map: MapReader, from: CborReader, identity: Identity<Exclude<Stream, 'eeg'>>): Message {
  const { stream } = identity;
  if (isNumeric(stream)) return map.fields(numericBody, identity) as NumericChunk;
  switch (stream) {
    case 'event':
      return map.fields(eventBody, identity) as EventChunk;
    case 'quality':
      return map.fields(qualityBody, identity) as QualityChunk;
    case 'recording':
      // The kind is the next field (its key follows the stream's): the value decides which body this is.
      return from.bytes[from.at + 1] === 1
        ? (map.fields(endBody, identity) as RecordingEnd)
        : (map.fields(startBody, identity) as RecordingStart);
    case 'gap':
      return map.fields(gapBody, identity) as Gap;
    case 'status':
      return map.fields(statusBody, identity) as Status;
    case 'detection':
      return map.fields(detectionBody, identity) as Detection;
    case 'alarm':
      return map.fields(alarmBody, identity) as Alarm;
  }
}

/** What no single field can show. */
function contradiction(message: MessageDraft): string | null {
  if (message.stream === 'recording') {
    const seq = message.kind === 'start' ? 0 : 1;
    return message.seq === seq ? null : `the ${message.kind} of a recording has seq ${seq}`;
  }
  if (message.stream === 'status') {
    const seq = message.kind === 'birth' ? 0 : 1;
    return message.seq === seq ? null : `a ${message.kind} has seq ${seq}`;
  }
  if (message.stream !== 'gap') return null;
  const { fromSeq, toSeq, fromUs, toUs } = message;
  if (fromSeq !== null && toSeq !== null && fromSeq > toSeq) return 'fromSeq is after toSeq';
  if (fromUs !== null && toUs !== null && fromUs > toUs) return 'fromUs is after toUs';
  return null;
}
