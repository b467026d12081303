import { expect, test } from 'vitest';
import type { Outgoing } from './live-hub.ts';
import { RecentFrames } from './recent-frames.ts';

function chunk(device: string, bytes = 10): Outgoing {
  return { device, patient: null, stream: 'eeg', isBacklog: false, frame: new Uint8Array(bytes) };
}

test('it keeps the last seconds of all devices, in order', () => {
  const recent = new RecentFrames({ keepMs: 1_000, maxBytes: 1_000_000 });
  for (let atMs = 0; atMs <= 5_000; atMs += 250) recent.keep(chunk(`d${atMs}`), atMs);
  expect([...recent.since(5_000)].map(({ device }) => device)).toEqual(['d4000', 'd4250', 'd4500', 'd4750', 'd5000']);
  expect([...recent.since(5_900)].map(({ device }) => device)).toEqual(['d5000']);
});

test('its memory is bounded, and the oldest goes first', () => {
  const recent = new RecentFrames({ keepMs: 60_000, maxBytes: 1_000 });
  for (let count = 0; count < 5_000; count++) recent.keep(chunk(`d${count}`, 100), count);
  expect([...recent.since(5_000)].map(({ device }) => device)).toEqual(Array.from({ length: 10 }, (_, index) => `d${4_990 + index}`));
});
