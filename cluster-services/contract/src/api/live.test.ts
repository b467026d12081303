import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeReasons } from '../decoded.ts';
import { limits } from '../limits.ts';
import { formatTopic } from '../topics.ts';
import { decodeLiveFrame, encodeLiveFrame, parseLiveNotice, parseLiveRequest } from './live.ts';

test('a frame comes back as it went in', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.maxSafeInteger(), fc.uint8Array({ maxLength: 200 }), (live, receivedAtUs, message) => {
      const topic = formatTopic('gateway-1', 'bed-7', 'eeg', live);
      const decoded = decodeLiveFrame(encodeLiveFrame(topic, live, receivedAtUs, message));
      expect(decoded).toEqual({ ok: true, value: { topic, live, receivedAtUs: receivedAtUs + 0 || 0, message } });
    }),
  );
});

test('random and cut frames are refused by name', () => {
  const good = encodeLiveFrame('vw/1/00/g/d/eeg', false, 5, Uint8Array.of(1));
  for (let length = 0; length < good.length - 1; length += 1)
    expect(decodeLiveFrame(good.subarray(0, length))).toMatchObject({ ok: false, reason: 'truncated' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const decoded = decodeLiveFrame(bytes);
      if (!decoded.ok) expect(decodeReasons).toContain(decoded.reason);
    }),
  );
  expect(decodeLiveFrame(good.with(0, 2))).toMatchObject({ reason: 'unknown-version' });
  expect(decodeLiveFrame(good.with(1, 2))).toMatchObject({ reason: 'bad-field' });
  expect(decodeLiveFrame(good.with(2, 1))).toMatchObject({ reason: 'oversize' });
  expect(decodeLiveFrame(good.with(4, 0))).toMatchObject({ reason: 'bad-topic' });
  expect(() => encodeLiveFrame('x'.repeat(129), false, 5, good)).toThrow(RangeError);
});

test('a viewer is understood or refused, never half understood', () => {
  expect(parseLiveRequest('{"type":"subscribe","streams":["eeg"],"credit":50}')).toEqual({
    type: 'subscribe',
    streams: ['eeg'],
    credit: 50,
  });
  expect(parseLiveRequest('{"type":"subscribe","devices":["bed-7"],"patients":[],"streams":[],"credit":0}')).not.toBeNull();
  expect(parseLiveRequest('{"type":"unsubscribe"}')).toEqual({ type: 'unsubscribe' });
  for (const text of [
    '',
    '{',
    '{"type":"shutdown"}',
    '{"type":"subscribe","streams":["eeg"]}',
    '{"type":"subscribe","streams":["ecg"],"credit":5}',
    '{"type":"subscribe","streams":["eeg"],"credit":5,"device":["bed-7"]}',
    `{"type":"credit","frames":${limits.maxLiveCredit + 1}}`,
    '{"type":"credit","frames":0}',
  ])
    expect(parseLiveRequest(text)).toBeNull();
});

test('a viewer skips what a newer server says', () => {
  expect(parseLiveNotice('{"type":"behind","dropped":3,"since":9}')).toEqual({ type: 'behind', dropped: 3 });
  expect(parseLiveNotice('{"type":"registry","revision":7}')).toEqual({ type: 'registry', revision: 7 });
  expect(parseLiveNotice('{"type":"weather"}')).toBeNull();
  expect(parseLiveNotice('no json')).toBeNull();
});
