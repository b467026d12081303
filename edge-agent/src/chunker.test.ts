import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addStretch, chunkRules, type Stretch, tailOf, timeOfSample } from './chunker.ts';

const rate = { num: 17_361, den: 100 }; // 173.61 Hz
const startUs = 1_700_000_000_000_000;

test('whatever the cuts of the requests, the chunks hold every sample once, in order, on the line of time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 100, max: 2_000 }),
      (channels, counts, chunkMs) => {
        const rules = chunkRules(channels, 16, rate, chunkMs);
        let open: Stretch | null = null;
        let sent = 0;
        const chunks: Stretch[] = [];
        for (const count of counts) {
          const added = addStretch(open, stretch(channels, sent, count), rules);
          chunks.push(...added.full);
          open = added.open;
          sent += count;
        }
        if (open !== null) chunks.push(open);
        let next = 0;
        for (const chunk of chunks) {
          expect(chunk.firstSample).toBe(next);
          expect(chunk.samplesPerChannel).toBeLessThanOrEqual(rules.fullSamples);
          expect(Math.abs(chunk.measuredAtUs - timeOfSample(startUs, next, rate))).toBeLessThanOrEqual(1);
          for (let channel = 0; channel < channels; channel += 1)
            for (let index = 0; index < chunk.samplesPerChannel; index += 1)
              expect(chunk.samples[channel * chunk.samplesPerChannel + index]).toBe(valueAt(channel, next + index));
          next += chunk.samplesPerChannel;
        }
        expect(next).toBe(sent);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.samplesPerChannel).toBe(rules.fullSamples);
      },
    ),
  );
});

test('a chunk of many fast channels is cut by size, before its message grows too large', () => {
  const rules = chunkRules(256, 24, { num: 2_000, den: 1 }, 10_000);
  expect(rules.fullSamples * 256 * 3).toBeLessThanOrEqual(32 * 1024 - 512);
  expect(rules.fullSamples).toBeGreaterThan(0);
});

test('a request whose time does not continue the open chunk closes it, so that no device time is smoothed away', () => {
  const rules = chunkRules(1, 16, rate, 1_000);
  const first = addStretch(null, stretch(1, 0, 50), rules);
  const late = { ...stretch(1, 50, 50), measuredAtUs: timeOfSample(startUs, 50, rate) + 30_000 };
  const { full, open } = addStretch(first.open, late, rules);
  expect(full.map(({ samplesPerChannel }) => samplesPerChannel)).toEqual([50]);
  expect(open).toMatchObject({ firstSample: 50, measuredAtUs: late.measuredAtUs });
});

test('the tail of a request begins at its own sample and time', () => {
  expect(tailOf(stretch(2, 0, 10), 4, { channels: 2, rate })).toEqual(stretch(2, 4, 6));
});

function stretch(channels: number, firstSample: number, count: number): Stretch {
  const samples = new Int16Array(channels * count);
  for (let channel = 0; channel < channels; channel += 1)
    for (let index = 0; index < count; index += 1) samples[channel * count + index] = valueAt(channel, firstSample + index);
  return { firstSample, measuredAtUs: timeOfSample(startUs, firstSample, rate), samplesPerChannel: count, samples };
}

function valueAt(channel: number, index: number): number {
  return ((channel * 7_919 + index * 31) % 60_000) - 30_000;
}
