import { sha256 } from '@noble/hashes/sha2.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const utf8 = new TextEncoder();
const hexOf: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A device, gateway or patient id: 1 to 63 characters that need no escaping in a topic, a URL or a file name. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** A UUID in the one spelling we use: lower case, with hyphens. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * A UUIDv7 whose last 4 bytes are its owner's tag, so that the front door can refuse a foreign recording without a look-up.
 * `random` gives the 42 random bits: at least 6 bytes, fresh for every id.
 */
export function newRecordingId(ownerId: string, nowMs: number, random: Uint8Array): string {
  if (random.byteLength < 6) throw new RangeError(`a recording id needs 6 random bytes, got ${random.byteLength}`);
  if (!Number.isInteger(nowMs) || nowMs < 0 || nowMs >= 2 ** 48) throw new RangeError(`a recording cannot start at ${nowMs} ms`);
  const id = new Uint8Array(16);
  const view = new DataView(id.buffer);
  view.setUint16(0, Math.floor(nowMs / 2 ** 32));
  view.setUint32(2, nowMs % 2 ** 32);
  id.set(random.subarray(0, 6), 6);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  id.set(ownerTag(ownerId), 12);
  return bytesToUuid(id);
}

/** The first 4 bytes of SHA-256 of the owner's id. */
export function ownerTag(ownerId: string): Uint8Array {
  return sha256(utf8.encode(ownerId)).slice(0, 4);
}

/** Whether a recording id carries the tag of this gateway or service. */
export function isOwnedBy(recordingId: string, ownerId: string): boolean {
  return recordingId.slice(28) === tagText(ownerId);
}

/** When the recording began by the clock of its gateway: the 48 bits of milliseconds in front. */
export function recordingStartMs(recordingId: string): number {
  return Number.parseInt(recordingId.slice(0, 8) + recordingId.slice(9, 13), 16);
}

/**
 * The id of a stream that belongs to a subject (a recording or a session): its first 6 bytes, so that both lie in the same day's
 * partition, then 10 bytes of SHA-256 over subject and kind, so that anybody can compute it again.
 */
export function derivedId(subjectId: string, kind: string): string {
  const subject = uuidToBytes(subjectId);
  const kindBytes = utf8.encode(kind);
  const input = new Uint8Array(16 + kindBytes.length);
  input.set(subject);
  input.set(kindBytes, 16);
  const id = subject;
  id.set(sha256(input).subarray(0, 10), 6);
  return bytesToUuid(id);
}

/** The kind of a detection stream: one per model, so that two models never share an identity. */
export function detectionKind(modelHash: string): string {
  return `detection:${modelHash}`;
}

/** The 16 bytes of a canonical UUID. Throws on anything else: text from outside is checked with `isUuid` first. */
export function uuidToBytes(uuid: string): Uint8Array<ArrayBuffer> {
  if (!isUuid(uuid)) throw new RangeError(`not a canonical UUID: '${uuid}'`);
  const bytes = new Uint8Array(16);
  for (let index = 0, at = 0; index < 16; index += 1, at += 2) {
    if (uuid.charCodeAt(at) === 0x2d) at += 1; // '-'
    bytes[index] = Number.parseInt(uuid.slice(at, at + 2), 16);
  }
  return bytes;
}

/** The canonical spelling of 16 bytes. */
export function bytesToUuid(bytes: Uint8Array): string {
  if (bytes.byteLength !== 16) throw new RangeError(`a UUID has 16 bytes, got ${bytes.byteLength}`);
  let text = '';
  for (let index = 0; index < 16; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += hexOf[bytes[index] ?? 0];
  }
  return text;
}

/** Lower-case hexadecimal. */
export function bytesToHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexOf[byte];
  return text;
}

// One gateway sends thousands of messages and a front door serves hundreds of gateways: the hash of an owner is kept, up to a bound.
const MAX_KEPT_TAGS = 4096;
const keptTags = new Map<string, string>();

function tagText(ownerId: string): string {
  const kept = keptTags.get(ownerId);
  if (kept !== undefined) return kept;
  const tag = bytesToHex(ownerTag(ownerId));
  if (keptTags.size >= MAX_KEPT_TAGS) keptTags.clear();
  keptTags.set(ownerId, tag);
  return tag;
}
