import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  bytesToUuid,
  derivedId,
  detectionKind,
  isId,
  isOwnedBy,
  isUuid,
  newRecordingId,
  ownerTag,
  recordingStartMs,
  uuidToBytes,
} from './ids.ts';

const ownerIds = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
const startsMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const random = fc.uint8Array({ minLength: 6, maxLength: 16 });

test('a recording id is a UUIDv7 that knows its start and its owner', () => {
  fc.assert(
    fc.property(ownerIds, startsMs, random, (owner, startMs, bytes) => {
      const recordingId = newRecordingId(owner, startMs, bytes);
      expect(recordingId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(recordingStartMs(recordingId)).toBe(startMs);
      expect(isOwnedBy(recordingId, owner)).toBe(true);
      expect(uuidToBytes(recordingId).subarray(12)).toEqual(ownerTag(owner));
      expect(isOwnedBy(recordingId, `${owner}x`)).toBe(false);
    }),
  );
});

test('ids made later sort later, whatever chance adds', () => {
  fc.assert(
    fc.property(startsMs, startsMs, random, random, (a, b, randomA, randomB) => {
      fc.pre(a < b);
      expect(newRecordingId('gateway-1', a, randomA) < newRecordingId('gateway-1', b, randomB)).toBe(true);
    }),
  );
});

test('known ids stay what they are', () => {
  const recordingId = newRecordingId('gateway-1', 1_763_800_000_000, Uint8Array.of(1, 2, 3, 4, 5, 6));
  expect(recordingId).toBe('019aaaac-2600-7102-8304-0506e11eea07'); // sha256('gateway-1') begins e11eea07
  expect(derivedId(recordingId, 'recording')).toBe('019aaaac-2600-1577-0099-a1bf3bd24161');
});

test('a derived id keeps the first 6 bytes of its subject, and differs for every kind and subject', () => {
  const subject = newRecordingId('gateway-1', 1_763_800_000_000, new Uint8Array(6));
  const other = newRecordingId('gateway-1', 1_763_800_000_000, new Uint8Array(6).fill(1));
  const kinds = ['recording', 'gap', 'status', 'alarm', detectionKind('ab12'), detectionKind('ab13')];
  const made = [subject, other].flatMap((one) => kinds.map((kind) => derivedId(one, kind)));
  expect(new Set(made).size).toBe(made.length);
  for (const one of made) {
    expect(isUuid(one)).toBe(true);
    expect(one.slice(0, 13)).toBe(subject.slice(0, 13));
  }
});

test('sixteen bytes and their text are the same thing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      expect(uuidToBytes(bytesToUuid(bytes))).toEqual(bytes);
    }),
  );
});

test('only one spelling is an id or a UUID', () => {
  for (const id of ['a', 'gateway-1', 'A.b_c-9', 'x'.repeat(63)]) expect(isId(id)).toBe(true);
  for (const id of ['', '-a', '.a', 'a/b', 'a+', '#', '$SYS', 'a b', 'ä', 'x'.repeat(64), 'a\n']) expect(isId(id)).toBe(false);
  expect(isUuid('019AAAAC-2600-7102-8304-0506e11eea07')).toBe(false);
  expect(isUuid('019aaaac26007102830405061ce11eea')).toBe(false);
  expect(() => uuidToBytes('nothing')).toThrow(RangeError);
  expect(() => bytesToUuid(new Uint8Array(15))).toThrow(RangeError);
  expect(() => newRecordingId('a', 0, new Uint8Array(5))).toThrow('6 random bytes');
  expect(() => newRecordingId('a', 2 ** 48, new Uint8Array(6))).toThrow(RangeError);
});
