import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32 } from './crc32.ts';
import { limits } from './limits.ts';
import type { SampleBits, Samples } from './messages.ts';
import { decodeChunkSamples, encodeChunkSamples, maxSamplesPerChannel } from './samples.ts';

type Case = { bits: SampleBits; channels: number; perChannel: number; samples: Samples };

/** Walks and noise of every size, constants, full swings: chunks of any shape. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    bits: fc.constantFrom<SampleBits>(16, 24),
    channels: fc.integer({ min: 1, max: 9 }),
    perChannel: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(1, 2, 31, 32, 33, 34, 64, 65, 97, 256)),
    stepBits: fc.integer({ min: 0, max: 24 }),
    drift: fc.integer({ min: -3000, max: 3000 }),
    seed: fc.integer(),
  })
  .map(({ bits, channels, perChannel, stepBits, drift, seed }) => {
    const samples = bits === 16 ? new Int16Array(channels * perChannel) : new Int32Array(channels * perChannel);
    let state = seed | 1;
    let value = 0;
    for (let index = 0; index < samples.length; index += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      value = (value + drift + (stepBits === 0 ? 0 : state >> (32 - stepBits))) | 0;
      samples[index] = (value << (32 - bits)) >> (32 - bits); // wraps, so that deltas of both full swings occur
    }
    return { bits, channels, perChannel, samples };
  });

test('samples come back as they went in, by either codec', () => {
  fc.assert(
    fc.property(cases, fc.constantFrom(undefined, 0 as const, 1 as const), ({ bits, channels, perChannel, samples }, codec) => {
      const packed = encodeChunkSamples(samples, channels, bits, codec);
      expect(packed.crc32).toBe(crc32(packed.block));
      const raw = samples.length * (bits / 8);
      if (packed.codec === 0) expect(packed.block.length).toBe(raw);
      else expect(packed.block.length).toBeLessThan(raw);
      expect(decodeChunkSamples(packed.block, packed.codec, channels, perChannel, bits)).toEqual({ ok: true, value: samples });
    }),
    { numRuns: 1000 },
  );
});

test.each<[SampleBits, number, number]>([
  [16, -32768, 32767],
  [24, -8388608, 8388607],
])('the largest swings of %i bits survive, also in the widest block', (bits, least, most) => {
  const swings = Array.from({ length: 4 * 33 }, (_, index) => (index % 2 === 0 ? least : most));
  const quiet = Array.from({ length: 2000 }, () => most); // keeps codec 1 the smaller one
  const values = [...quiet, ...swings];
  const samples = bits === 16 ? Int16Array.from(values) : Int32Array.from(values);
  const packed = encodeChunkSamples(samples, 1, bits);
  expect(packed.codec).toBe(1);
  expect(decodeChunkSamples(packed.block, 1, 1, samples.length, bits)).toEqual({ ok: true, value: samples });
});

test('noise that codec 1 cannot shrink travels as it is', () => {
  const samples = Int16Array.from({ length: 640 }, (_, index) => Math.imul(index + 1, 0x9e3779b1) >> 16);
  expect(encodeChunkSamples(samples, 5, 16)).toMatchObject({ codec: 0 });
  expect(encodeChunkSamples(samples, 5, 16).block.length).toBe(1280);
});

test('a still signal takes hardly a byte per 32 samples', () => {
  const { codec, block } = encodeChunkSamples(new Int16Array(3200), 1, 16);
  expect(codec).toBe(1);
  expect(block.length).toBe(2 + 100);
});

test('damaged, cut and invented blocks give samples or a named reason, and never a sample outside its range', () => {
  const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(cases, mutations, fc.nat(3), fc.nat(40), ({ bits, channels, perChannel, samples }, changes, codec, cut) => {
      const block = encodeChunkSamples(samples, channels, bits).block.slice();
      for (const [at, byte] of changes) block[at % block.length] = byte;
      const result = decodeChunkSamples(
        block.subarray(0, Math.max(0, block.length - (cut > 20 ? cut : 0))),
        codec,
        channels,
        perChannel,
        bits,
      );
      if (!result.ok) expect(['bad-block', 'unknown-codec']).toContain(result.reason);
      else {
        expect(result.value.length).toBe(samples.length);
        for (const value of result.value) expect((value << (32 - bits)) >> (32 - bits)).toBe(value);
      }
    }),
    { numRuns: 1000 },
  );
});

test('random bytes under any header are refused or understood, in bounded time', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(300),
      fc.nat(40_000),
      fc.constantFrom<SampleBits>(16, 24),
      (block, channels, perChannel, bits) => {
        const result = decodeChunkSamples(block, 1, channels, perChannel, bits);
        if (result.ok) expect(result.value.length * (bits / 8)).toBeLessThanOrEqual(limits.maxBlockBytes);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a header that claims more samples than its block can hold allocates nothing', () => {
  const block = new Uint8Array(64);
  expect(decodeChunkSamples(block, 1, 256, 60, 16)).toMatchObject({ ok: false, reason: 'bad-block' });
  expect(decodeChunkSamples(block, 1, 1, 1_000_000_000, 16)).toMatchObject({ ok: false, reason: 'too-many' });
  expect(decodeChunkSamples(block, 1, 0, 5, 16)).toMatchObject({ ok: false, reason: 'out-of-range' });
  expect(decodeChunkSamples(block, 7, 1, 100, 16)).toMatchObject({ ok: false, reason: 'unknown-codec' });
});

test('each broken rule of a codec-1 block is seen', () => {
  const good = [5, 0, 0x21, 1, 0]; // 5, then 8 deltas of base 1 and width 1
  const with8 = (bytes: number[]) => decodeChunkSamples(Uint8Array.from(bytes), 1, 1, 9, 16);
  expect(with8(good)).toEqual({ ok: true, value: Int16Array.of(5, 6, 7, 8, 9, 10, 11, 12, 13) });
  expect(with8([5, 0, 0x01, 0])).toEqual({ ok: true, value: Int16Array.of(5, 5, 5, 5, 5, 5, 5, 5, 5) });
  expect(with8([5, 0, 0x21, 0, 0])).toMatchObject({ reason: 'bad-block' }); // base 0 spelt with a byte
  expect(with8([5, 0, 0x41, 1, 0, 0])).toMatchObject({ reason: 'bad-block' }); // base 1 spelt with two
  expect(with8([5, 0, 0x12, ...Array.from({ length: 18 }, () => 0)])).toMatchObject({ reason: 'bad-block' }); // 18 bits for int16, and too long
  expect(with8([5, 0, 0x32, 1, ...Array.from({ length: 10 }, () => 0)])).toMatchObject({ reason: 'bad-block' });
  expect(with8([...good, 0])).toMatchObject({ reason: 'bad-block' }); // a byte too many
  expect(with8(good.slice(0, 4))).toMatchObject({ reason: 'bad-block' });
  expect(with8([0xff, 0x7f, 0x21, 1, 0])).toMatchObject({ reason: 'bad-block', detail: 'a sample outside 16 bits' });
  expect(decodeChunkSamples(Uint8Array.of(5, 0, 0x01, 0x80), 1, 1, 4, 16)).toMatchObject({ detail: 'spare bits that are not 0' });
});

test('what the wire cannot carry is refused before it is packed', () => {
  expect(() => encodeChunkSamples(Int32Array.of(8_388_608), 1, 24)).toThrow('24 bits');
  expect(() => encodeChunkSamples(Int32Array.of(1), 1, 16)).toThrow('wrong kind of array');
  expect(() => encodeChunkSamples(Int16Array.of(1), 1, 24)).toThrow('wrong kind of array');
  expect(() => encodeChunkSamples(new Int16Array(7), 2, 16)).toThrow(RangeError);
  expect(() => encodeChunkSamples(new Int16Array(0), 1, 16)).toThrow(RangeError);
  expect(() => encodeChunkSamples(new Int16Array(limits.maxBlockBytes), 1, 16)).toThrow(RangeError);
});

test('a full chunk of any shape fits its limit', () => {
  for (const [channels, bits] of [
    [1, 16],
    [23, 16],
    [64, 24],
    [256, 24],
  ] as const) {
    const perChannel = maxSamplesPerChannel(channels, bits);
    expect(channels * perChannel * (bits / 8)).toBeLessThanOrEqual(limits.maxBlockBytes);
    expect(channels * (perChannel + 1) * (bits / 8)).toBeGreaterThan(limits.maxBlockBytes);
  }
});

test('CRC-32 gives the published check value and agrees with the bitwise definition', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(70), (bytes, cut) => {
      let slow = 0xffffffff;
      for (const byte of bytes) {
        slow ^= byte;
        for (let bit = 0; bit < 8; bit += 1) slow = slow & 1 ? (slow >>> 1) ^ 0xedb88320 : slow >>> 1;
      }
      expect(crc32(bytes)).toBe(~slow >>> 0);
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
    }),
  );
});
