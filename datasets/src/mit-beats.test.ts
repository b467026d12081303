import { expect, test } from 'vitest';
import { beatsOf, hasMitBeats, parseBeats, readMitBeats } from './mit-beats.ts';

test.skipIf(!hasMitBeats())('the beats of record 100 are 1,140, in order, with rates that fit their intervals', () => {
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

test('the annotation file of the publisher gives the same beats: normal, premature and the marks between them', () => {
  // annot(5) of WFDB: pairs of bytes, little-endian, a code above and the samples since the annotation before below; a rhythm mark (28) first.
  const marks = [
    [28, 18],
    [1, 59],
    [1, 293],
    [8, 200],
    [5, 300],
    [14, 10], // a change of noise is no beat
    [1, 290],
  ] as const;
  const bytes = new Uint8Array(2 * marks.length + 2);
  for (const [index, [code, samples]] of marks.entries()) new DataView(bytes.buffer).setUint16(2 * index, (code << 10) | samples, true);
  expect(beatsOf(bytes, '100.atr')).toEqual([
    { atMs: 1028, rrMs: 813.9, bpm: 73.72, kind: 'N' },
    { atMs: 1583, rrMs: 555.6, bpm: 108, kind: 'A' },
    { atMs: 2417, rrMs: 833.3, bpm: 72, kind: 'V' },
    { atMs: 3250, rrMs: 833.3, bpm: 72, kind: 'N' },
  ]);
  expect(() => beatsOf(new Uint8Array(2), '100.atr')).toThrow(/100\.atr holds 0 beats/);
});
