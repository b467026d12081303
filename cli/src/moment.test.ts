import { expect, test } from 'vitest';
import { momentText, parseMoment } from './moment.ts';

const nowMs = Date.UTC(2026, 10, 22, 12);
const parse = parseMoment(() => nowMs);

test('times with a zone, days, now and times before now are moments', () => {
  expect(parse('2026-11-22T12:00:00Z')).toBe(nowMs * 1000);
  expect(parse('2026-11-22T13:00+01:00')).toBe(nowMs * 1000);
  expect(parse('2026-11-22')).toBe(Date.UTC(2026, 10, 22) * 1000);
  expect(parse('now')).toBe(nowMs * 1000);
  expect(parse('-2h')).toBe((nowMs - 7_200_000) * 1000);
  expect(momentText(nowMs * 1000)).toBe('2026-11-22 12:00:00.000Z');
});

test.each(['', 'yesterday', '2026-11-22T12:00:00', '2026-13-01', '1700000000', '-', '-2 weeks'])('%j is no moment', (text) => {
  expect(() => parse(text)).toThrow(/Give a/);
});
