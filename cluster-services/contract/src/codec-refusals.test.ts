import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeHello, decodeLiveStatus, decodeMessage, encodeLiveStatus, encodeMessage, readPrefix } from './codec.ts';
import { limits } from './limits.ts';
import type { LiveStatus } from './messages.ts';
import { decodeSampleBlock } from './sample-block.ts';
import { known } from './test-messages.ts';

test('random bytes of any length are refused by name', () => {
  const random = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ minLength: 24, maxLength: 24 }).map((prefix) => Uint8Array.of(...prefix, 0xb9, 0xff, 0xff)),
  );
  fc.assert(
    fc.property(random, (bytes) => {
      for (const decoded of [decodeMessage(bytes), decodeLiveStatus(bytes), decodeHello(bytes), decodeSampleBlock(bytes)])
        if (!decoded.ok) expect(known).toContain(decoded.reason);
    }),
    { numRuns: 3000 },
  );
});

describe('a message is refused', () => {
  const clockNow = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
  const recordingId = '019aaaac-2600-7102-8304-0506e11eea07';
  const end = {
    stream: 'recording',
    kind: 'end',
    recordingId,
    subject: recordingId,
    seq: 1,
    measuredAtUs: 5,
    clock: clockNow,
    lastSeq: 3,
    readings: 9,
    reason: 'crash',
  } as const;
  const good = Array.from(encodeMessage(end));
  const body = good.slice(24);
  const decodeBody = (...bytes: number[]) => decodeMessage(Uint8Array.from([...good.slice(0, 24), ...bytes]));
  const id16 = body.slice(4, 21); // head and bytes of the id, after map, version and key

  test('when prefix and body name different identities', () => {
    for (const at of [0, 15, 23]) {
      const bytes = Uint8Array.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(decodeMessage(bytes)).toMatchObject({ ok: false, reason: 'prefix-disagrees' });
    }
  });

  test('when it is shorter than a prefix, longer than a packet, or its seq is beyond counting', () => {
    expect(decodeMessage(Uint8Array.from(good.slice(0, 23)))).toMatchObject({ reason: 'truncated' });
    expect(decodeMessage(Uint8Array.from(good.slice(0, 24)))).toMatchObject({ reason: 'truncated' });
    expect(decodeMessage(Uint8Array.from(good.slice(0, -1)))).toMatchObject({ reason: 'truncated' });
    expect(decodeMessage(new Uint8Array(limits.maxMessageBytes + 1))).toMatchObject({ reason: 'oversize' });
    expect(decodeMessage(Uint8Array.from([...good.slice(0, 16), 0xff, ...good.slice(17)]))).toMatchObject({ reason: 'out-of-range' });
    expect(readPrefix(Uint8Array.from([...good.slice(0, 16), 0xff, ...good.slice(17)]))).toBeNull();
    expect(readPrefix(new Uint8Array(23))).toBeNull();
  });

  test('when it spells something in a second way', () => {
    expect(body.slice(0, 3)).toEqual([0xab, 0x00, 0x01]); // 11 entries; version 1
    expect(decodeBody(0xb8, 0x0b, ...body.slice(1))).toMatchObject({ reason: 'not-deterministic' }); // long map head
    expect(decodeBody(0xab, 0x00, 0x18, 0x01, ...body.slice(3))).toMatchObject({ reason: 'not-deterministic' }); // long integer
    expect(decodeBody(0xbf, ...body.slice(1), 0xff)).toMatchObject({ reason: 'malformed' }); // indefinite length
    expect(decodeBody(0xab, 0x00, 0xc1, 0x01, ...body.slice(3))).toMatchObject({ reason: 'malformed' }); // a tag
    expect(decodeBody(...body, 0x00)).toMatchObject({ reason: 'trailing-bytes' });
  });

  test('when its keys are doubled, out of order, missing or too many', () => {
    expect(decodeBody(0xab, 0x00, 0x01, 0x00, 0x01)).toMatchObject({ reason: 'truncated' });
    expect(decodeBody(0xac, 0x00, 0x01, 0x00, ...body.slice(2))).toMatchObject({ reason: 'duplicate-key' });
    expect(decodeBody(0xac, 0x00, 0x01, 0x01, ...id16, 0x00, ...body.slice(2))).toMatchObject({ reason: 'unordered-keys' });
    expect(decodeBody(0xaa, ...body.slice(1, -2))).toMatchObject({ reason: 'missing-field', detail: 'readings' });
    expect(decodeBody(0xaa, 0x00, 0x01, ...body.slice(21))).toMatchObject({ reason: 'missing-field', detail: 'recordingId' });
    expect(decodeBody(0xac, ...body.slice(1), 0x18, 0x30, 0x00)).toMatchObject({ reason: 'unexpected-field' });
  });

  test('when its version, stream or kind is unknown', () => {
    expect(decodeBody(0xab, 0x00, 0x02, ...body.slice(3))).toMatchObject({ reason: 'unknown-version' });
    const stream = body.indexOf(0x03, 21); // key of the stream, behind id and seq
    expect(decodeBody(...body.slice(0, stream + 1), 0x17, ...body.slice(stream + 2))).toMatchObject({ reason: 'unknown-stream' });
    expect(decodeBody(...body.slice(0, stream + 3), 0x02, ...body.slice(stream + 4))).toMatchObject({ reason: 'bad-field' });
    expect(decodeMessage(encodeLiveStatus({ ...liveStatus, session: recordingId }))).toMatchObject({ reason: 'unknown-stream' });
    expect(decodeLiveStatus(Uint8Array.from(good))).toMatchObject({ reason: 'unknown-stream' });
  });

  test('when a text is not UTF-8 or a number is not a number', () => {
    const alarm = {
      ...end,
      stream: 'alarm',
      seq: 0,
      sender: 'g',
      device: 'd',
      alarmId: 'a',
      condition: 'seizure',
      priority: 'high',
      state: 'active',
      transition: 'raised',
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: 'é\u{feff}',
      replay: null,
      fence: 0,
      text: '',
    } as const;
    const bytes = encodeMessage(alarm);
    expect(decodeMessage(bytes)).toMatchObject({ ok: true, value: { mergedInto: 'é\u{feff}' } });
    bytes[bytes.length - 1] = 0x41;
    expect(decodeMessage(bytes)).toMatchObject({ reason: 'bad-utf8' });
    const status = encodeLiveStatus({ ...liveStatus, certificateDaysLeft: 0.5 });
    const float = (bits: number[]) => decodeLiveStatus(Uint8Array.from([...status.slice(0, -8), ...bits]));
    expect(float([0x7f, 0xf8, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'out-of-range' }); // NaN
    expect(float([0x7f, 0xf0, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'out-of-range' }); // infinite
    expect(float([0x40, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'not-deterministic' }); // 2.0
    expect(float([0x80, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'not-deterministic' }); // -0
  });

  test('when its sample block is not what was sent', () => {
    const chunk = {
      stream: 'eeg',
      recordingId,
      seq: 7,
      measuredAtUs: 1,
      clock: clockNow,
      firstSample: 0,
      channels: 1,
      samplesPerChannel: 4,
    } as const;
    const samples = Int16Array.of(1, 2, 3, 4);
    const bytes = encodeMessage({ ...chunk, rate: { num: 4, den: 1 }, montageHash: '0123456789abcdef', sampleBits: 16, samples });
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 0x80;
    expect(decodeMessage(bytes)).toMatchObject({ reason: 'damaged' });
  });

  test('before it is sent, if it contradicts itself or would change on the way', () => {
    expect(() => encodeMessage({ ...end, seq: 2 })).toThrow('seq 1');
    expect(() => encodeMessage({ ...end, readings: -1 })).toThrow('readings');
    expect(() => encodeMessage({ ...end, readings: 1.5 })).toThrow('readings');
    expect(() => encodeMessage({ ...end, measuredAtUs: 2 ** 53 })).toThrow('measuredAtUs');
    expect(() => encodeMessage({ ...end, recordingId: 'x' })).toThrow('UUID');
    const gap = {
      ...end,
      stream: 'gap',
      seq: 0,
      of: 'eeg',
      device: 'd',
      fromSeq: 5,
      toSeq: 4,
      fromUs: null,
      toUs: null,
      reason: 'evicted',
    } as const;
    expect(() => encodeMessage(gap)).toThrow('fromSeq');
    expect(() => encodeMessage({ ...gap, toSeq: 5, device: 'a/b' })).toThrow('device');
    const alarm = {
      ...end,
      stream: 'alarm',
      seq: 0,
      sender: 'g',
      device: 'd',
      alarmId: 'a',
      condition: 'seizure',
      priority: 'high',
      state: 'active',
      transition: 'raised',
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: null,
      replay: null,
      fence: 0,
      text: '\ud800',
    } as const;
    expect(() => encodeMessage(alarm)).toThrow('lone surrogate');
    expect(() => encodeMessage({ ...alarm, text: 'x'.repeat(1025) })).toThrow('1024');
    expect(() => encodeMessage({ ...end, stream: 'heart-rate', seq: 0, firstSample: 0, kind: 'ecg', readings: [] })).toThrow(
      'at least one',
    );
  });

  const liveStatus: LiveStatus = {
    stream: 'live-status',
    gateway: 'g',
    session: recordingId,
    online: true,
    version: '1',
    depthChunks: 0,
    depthBytes: 0,
    oldestAgeMs: null,
    lastPubackUs: null,
    chunksPerSecondIn: 0,
    chunksPerSecondOut: 0,
    secondsUntilFull: null,
    certificateDaysLeft: null,
    clock: clockNow,
    measuredAtUs: 0,
  };
});

test('hostile counts and lengths cost nothing: a thousand of each in a moment', () => {
  const prefix = encodeMessage({
    stream: 'gap',
    recordingId: '019aaaac-2600-7102-8304-0506e11eea07',
    seq: 0,
    measuredAtUs: 0,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    subject: '019aaaac-2600-7102-8304-0506e11eea07',
    of: 'eeg',
    device: 'd',
    fromSeq: null,
    toSeq: null,
    fromUs: null,
    toUs: null,
    reason: 'unknown',
  }).subarray(0, 24);
  const nested = new Uint8Array(limits.maxMessageBytes).fill(0x81);
  nested.set(prefix);
  const heads = [0x9b, 0xbb, 0x5b, 0x7b].map((head) => Uint8Array.from([...prefix, head, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  const before = performance.now();
  for (let run = 0; run < 1000; run += 1) for (const bytes of [nested, ...heads]) expect(decodeMessage(bytes).ok).toBe(false);
  expect(performance.now() - before).toBeLessThan(5_000);
});
