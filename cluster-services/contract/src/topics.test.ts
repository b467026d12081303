import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from './limits.ts';
import { commandTopic, formatTopic, parseTopic, shardOf, streams, topicFits } from './topics.ts';

const ids = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/);

test('a topic read back says what was written', () => {
  fc.assert(
    fc.property(ids, ids, fc.constantFrom(...streams), fc.boolean(), (gateway, device, stream, live) => {
      const topic = formatTopic(gateway, device, stream, live);
      expect(parseTopic(topic)).toEqual({ ok: true, value: { shard: shardOf(device), gateway, device, stream, live } });
      expect(topic.split('/').length).toBeLessThanOrEqual(limits.maxTopicLevels);
    }),
  );
});

test('the shard is FNV-1a of the device, mod 64', () => {
  expect(shardOf('')).toBe(0x811c9dc5 % 64);
  expect(shardOf('a')).toBe(0xe40c292c % 64); // published test vectors of FNV-1a 32
  expect(shardOf('foobar')).toBe(0xbf9cf968 % 64);
  expect(formatTopic('gateway-1', 'foobar', 'eeg')).toBe('vw/1/40/gateway-1/foobar/eeg');
});

test('shards share the devices of a hospital about evenly', () => {
  const counts = Array.from({ length: 64 }, () => 0);
  for (let device = 0; device < 6400; device += 1) counts[shardOf(`bed-${device}`)] = (counts[shardOf(`bed-${device}`)] ?? 0) + 1;
  expect(Math.min(...counts)).toBeGreaterThan(50);
  expect(Math.max(...counts)).toBeLessThan(150);
});

test.each([
  ['vw/1/40/gateway-1/foobar', 'bad-topic'],
  ['vw/1/40/gateway-1/foobar/eeg/live/x', 'bad-topic'],
  ['vw/1/40/gateway-1/foobar/eeg/live/x/y/z', 'bad-topic'],
  ['vw/1/40/gateway-1/foobar/eeg/LIVE', 'bad-topic'],
  ['vw/1/40/gateway-1/foobar/eeg/', 'bad-topic'],
  ['/vw/1/40/gateway-1/foobar/eeg', 'bad-topic'],
  ['vw/2/40/gateway-1/foobar/eeg', 'bad-topic'],
  ['vw/1/40/gateway 1/foobar/eeg', 'bad-topic'],
  ['vw/1/40/gateway-1/+/eeg', 'bad-topic'],
  ['vw/1/40/gateway-1/foobar/ecg', 'bad-topic'],
  ['vw/1/40/gateway-1/foobar/__proto__', 'bad-topic'],
  ['$SYS/x/new/clients', 'bad-topic'],
  ['', 'bad-topic'],
  ['vw/1/41/gateway-1/foobar/eeg', 'wrong-shard'],
  ['vw/1/040/gateway-1/foobar/eeg', 'wrong-shard'],
  ['a/'.repeat(1000), 'oversize'],
])('%s is refused as %s', (topic, reason) => {
  expect(parseTopic(topic)).toMatchObject({ ok: false, reason });
});

test('two ids too long for one topic are seen before anything is accepted', () => {
  const long = 'x'.repeat(63);
  expect(topicFits(long, long, 'heart-rate')).toBe(false);
  expect(() => formatTopic(long, long, 'heart-rate', true)).toThrow(RangeError);
  expect(topicFits('gateway-1', long, 'heart-rate')).toBe(true);
  expect(topicFits('x'.repeat(40), 'x'.repeat(63), 'heart-rate')).toBe(true);
  expect(formatTopic('x'.repeat(40), 'x'.repeat(63), 'heart-rate', true).length).toBeLessThanOrEqual(limits.maxTopicBytes);
  expect(topicFits('x'.repeat(41), 'x'.repeat(63), 'heart-rate')).toBe(false);
  expect(topicFits('gateway/1', 'x', 'heart-rate')).toBe(false);
});

test('a command topic is for one id', () => {
  expect(commandTopic('gateway-1')).toBe('vw/1/command/gateway-1');
  expect(() => commandTopic('#')).toThrow(RangeError);
});
