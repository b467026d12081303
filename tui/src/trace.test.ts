import { Sweep } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { drawTrace, traceColumns } from './trace.ts';

const interval = 100_000; // 10 Hz

function sweepOf(width: number, style: 'braille' | 'ascii', values: number[]): Sweep {
  const sweep = new Sweep(traceColumns(width, style), 10);
  sweep.push(0, interval, values);
  return sweep;
}

test('negative is up, and the middle is zero', () => {
  const values = [
    ...Array.from({ length: 30 }, () => -100),
    ...Array.from({ length: 30 }, () => 0),
    ...Array.from({ length: 30 }, () => 100),
  ];
  const lines = drawTrace(sweepOf(10, 'ascii', values), 10, 5, 100, 'ascii');
  expect(lines[0]?.startsWith("'''")).toBe(true);
  expect(lines[2]?.slice(4, 6)).toBe('--');
  expect(lines[4]?.trimEnd().endsWith('..')).toBe(true);
});

test('every line has the asked width, and every character is one cell', () => {
  for (const style of ['braille', 'ascii'] as const) {
    const lines = drawTrace(
      sweepOf(
        33,
        style,
        Array.from({ length: 95 }, (_, index) => Math.sin(index) * 300),
      ),
      33,
      7,
      100,
      style,
    );
    expect(lines).toHaveLength(7);
    for (const line of lines) expect(line).toMatch(style === 'braille' ? /^[ \u2801-\u28ff]{33}$/ : /^[ '|.-]{33}$/);
  }
});

test('a gap is drawn as a gap', () => {
  const sweep = new Sweep(traceColumns(20, 'braille'), 10);
  sweep.push(
    0,
    interval,
    Array.from({ length: 20 }, () => 0),
  ); // 0 to 2 s
  sweep.push(
    6_000_000,
    interval,
    Array.from({ length: 20 }, () => 0),
  ); // 6 to 8 s
  const line = drawTrace(sweep, 20, 1, 100, 'braille')[0] ?? '';
  expect([...line].map((cell) => (cell === ' ' ? '.' : '#')).join('')).toBe('####........####....');
});

test('what is too large for the strip is drawn on its edge, so that clipping is seen', () => {
  const lines = drawTrace(sweepOf(10, 'ascii', [9_999, 9_999, -9_999]), 10, 4, 100, 'ascii');
  expect(lines.join('')).toContain('|');
  expect(lines.every((line) => line.length === 10)).toBe(true);
});
