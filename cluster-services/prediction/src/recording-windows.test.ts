import type { ClockState, EegChunk } from '@vitalwire/contract';
import { windowsInside } from '@vitalwire/vitals';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordingWindows } from './recording-windows.ts';
import type { ScoringPool, ScoringSession } from './scoring/pool.ts';
import type { ScoredWindow } from './scoring/protocol.ts';

const rate = { num: 17361, den: 100 }; // 174 samples a hop, 696 a window
const scale = { label: 'C3', unit: 'uV', digitalMin: -1, digitalMax: 1, physicalMin: -1, physicalMax: 1, reference: '' };
const clock: ClockState = { offsetUs: 5, uncertaintyUs: 1, source: 'ntp' };

/** Answers each push with the windows that the chain would complete. */
function pool(): Pick<ScoringPool, 'open'> {
  const session = (state: { startedAt: number | null; next: number }): ScoringSession => ({
    isLost: false,
    async push({ firstSample, samplesPerChannel, fromWindow }) {
      if (state.startedAt === null || firstSample > state.next) state.startedAt = firstSample;
      const shape = { windowSamples: 696, hopSamples: 174 };
      const before = firstSample === state.startedAt ? -1 : windowsInside(state.startedAt, state.next, shape).toWindow;
      state.next = Math.max(state.next, firstSample + samplesPerChannel);
      const { fromWindow: first, toWindow } = windowsInside(state.startedAt, state.next, shape);
      const windows: ScoredWindow[] = [];
      for (let window = Math.max(first, before + 1, fromWindow); window <= toWindow; window++) windows.push(scored(window));
      return windows;
    },
    fork: () => session({ ...state }),
    close: () => undefined,
  });
  return { open: () => session({ startedAt: null, next: 0 }) };
}

function scored(window: number): ScoredWindow {
  const found = {
    probability: 0.1,
    verdict: 'quiet',
    reason: null,
    channel: 0,
    baseline: 'own',
    channelProbabilities: [0.1],
    channelBaselines: [3799],
  } as const;
  return { ...found, window, firstSample: window * 174, samples: 696, complete: true };
}

function chunk(seq: number, firstSample: number, samplesPerChannel: number): EegChunk {
  return {
    stream: 'eeg',
    recordingId: 'a',
    seq,
    measuredAtUs: 1_000_000 + Math.round((firstSample * 1e8) / 17361),
    clock,
    firstSample,
    channels: 1,
    samplesPerChannel,
    rate,
    montageHash: 'm',
    sampleBits: 16,
    codec: 0,
    crc32: 0,
    samples: new Int16Array(samplesPerChannel),
  };
}

test('a window has the time of its first sample, whatever the chunks are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
      const windows = RecordingWindows.open(pool(), 'a', rate, [scale]);
      let at = 0;
      const found = [];
      for (const [seq, size] of sizes.entries()) {
        found.push(...(await windows.push(chunk(seq, at, size), 'live')));
        at += size;
      }
      expect(found.map(({ window }) => window)).toEqual(Array.from({ length: Math.max(0, Math.floor((at - 696) / 174) + 1) }, (_, i) => i));
      expect(windows.nextWindow).toBe(found.length);
      for (const { firstSample, measuredAtUs, clock: state } of found) {
        expect(Math.abs(measuredAtUs - (1_000_000 + (firstSample * 1e8) / 17361))).toBeLessThanOrEqual(1);
        expect(state).toEqual(clock);
      }
    }),
  );
});

test('times are those of when a chunk was pushed, though its score comes later', async () => {
  const windows = RecordingWindows.open(pool(), 'a', rate, [scale]);
  const asked = Array.from({ length: 40 }, (_, seq) => windows.push(chunk(seq, seq * 174, 174), 'catch-up'));
  const found = (await Promise.all(asked)).flat();
  expect(found).toHaveLength(37);
  for (const { window, measuredAtUs } of found) expect(measuredAtUs).toBe(1_000_000 + Math.round((window * 174 * 1e8) / 17361));
});

test('no window has samples from both sides of a hole', async () => {
  const windows = RecordingWindows.open(pool(), 'a', rate, [scale]);
  expect(await windows.push(chunk(0, 0, 690), 'live')).toEqual([]);
  expect(await windows.push(chunk(2, 700, 696), 'live')).toEqual([]);
  expect((await windows.push(chunk(3, 1396, 700), 'live')).map(({ window }) => window)).toEqual([5, 6, 7, 8]);
});

test('what a predecessor recorded is counted back from the start and gives no window', async () => {
  const windows = RecordingWindows.open(pool(), 'a', rate, [scale]);
  const earlier = { fromWindow: Number.MAX_SAFE_INTEGER, earlierBy: 5_000 };
  expect(await windows.push(chunk(9, 4_000, 1_000), 'catch-up', earlier)).toEqual([]);
  const found = await windows.push(chunk(0, 0, 700), 'catch-up');
  expect(found.map(({ window, measuredAtUs }) => [window, measuredAtUs])).toEqual([[0, 1_000_000]]);
});

test('a copy goes on with the times of its original', async () => {
  const windows = RecordingWindows.open(pool(), 'a', rate, [scale]);
  await windows.push(chunk(0, 0, 600), 'live');
  const copy = windows.fork();
  expect((await copy.push(chunk(1, 600, 100), 'live'))[0]).toMatchObject({ window: 0, measuredAtUs: 1_000_000 });
  expect((await windows.push(chunk(1, 600, 100), 'live'))[0]).toMatchObject({ window: 0, measuredAtUs: 1_000_000 });
});
