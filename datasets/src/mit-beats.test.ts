import { expect, test } from 'vitest';
import { parseBeats, readMitBeats } from './mit-beats.ts';

test('the bundled beats are 1,140, in order, with rates that fit their intervals', () => {
  const beats = readMitBeats();
  expect(beats.length).toBe(1140);
  expect(beats.filter((beat) => beat.kind === 'A').length).toBe(12);
  for (const [index, beat] of beats.entries()) {
    expect(beat.bpm).toBeCloseTo(60_000 / beat.rrMs, 1);
    const before = beats[index - 1];
    if (before !== undefined) expect(Math.abs(beat.atMs - before.atMs - beat.rrMs)).toBeLessThanOrEqual(1.5);
  }
});

test('a beat that does not read is refused with its line', () => {
  expect(() => parseBeats('time_s,rr_ms,bpm,beat\n1.0,800,75,N\n2.0,x,75,N\n')).toThrow(/line 3/);
});
