import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parsePhoneDate } from './phone-date.ts';

const examples: { input: string; instant: string }[] = JSON.parse(
  readFileSync(new URL('../../../datasets/data/heart-rate/hae-date-formats.json', import.meta.url), 'utf8'),
);

test('there are examples of all five spellings', () => {
  expect(examples).toHaveLength(5);
});

test.each(examples)('$input is $instant', ({ input, instant }) => {
  expect(parsePhoneDate(input)).toBe(Date.parse(instant) * 1000);
});

test.each([
  ['2026-01-01 12:00:00 am +0000', '2026-01-01T00:00:00Z'],
  ['2026-01-01 12:00:00 pm +0000', '2026-01-01T12:00:00Z'],
  ['2026-03-29 02:30:00 +0530', '2026-03-28T21:00:00Z'],
  ['2024-02-29 23:59:59 -0400', '2024-03-01T03:59:59Z'],
])('%s is %s', (input, instant) => {
  expect(parsePhoneDate(input)).toBe(Date.parse(instant) * 1000);
});

test('two spellings of one instant are one instant', () => {
  expect(parsePhoneDate('2024-03-14 00:02:00 -0400')).toBe(parsePhoneDate('2024-03-14 05:02:00 +0100'));
});

test.each([
  '',
  '2024-03-14',
  '2024-03-14 00:02:00',
  '2024-02-30 00:00:00 +0000',
  '2024-03-14 24:00:00 +0000',
  '2024-03-14 13:00:00 pm +0000',
  '2024-03-14 0:00:00 am +0000',
  '2024-03-14 00:61:00 +0000',
  '2024-13-01 00:00:00 +0000',
  '2024-03-14T00:02:00Z',
  'x2024-03-14 00:02:00 -0400',
])('%j is no date of the app', (text) => {
  expect(parsePhoneDate(text)).toBeNull();
});
