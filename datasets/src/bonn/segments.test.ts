import { recordings } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { bonnSegments, bonnSets, parseBonnText, readBonnSegment } from './segments.ts';

const bonn = recordings('bonn');

test.skipIf(!bonn.here)('every segment has 4097 samples inside the range of its converter', () => {
  let segments = 0;
  for (const { set, number } of bonnSegments()) {
    const samples = readBonnSegment(set, number);
    expect(samples.length).toBe(4097);
    expect(Math.max(...samples)).toBeLessThanOrEqual(2047);
    expect(Math.min(...samples)).toBeGreaterThanOrEqual(-2048);
    segments++;
  }
  expect(segments).toBe(400);
});

test.skipIf(!bonn.here)('set N reads although its files end in .TXT', () => {
  expect(readBonnSegment('N', 1).length).toBe(4097);
});

test('the kinds are right: two scalp sets, three intracranial, one ictal', () => {
  const kinds = bonnSets.map((set) => bonnSegments(65, 65, [set])[0]);
  expect(kinds.map((kind) => kind?.electrodes)).toEqual(['scalp', 'scalp', 'intracranial', 'intracranial', 'intracranial']);
  expect(kinds.map((kind) => kind?.ictal)).toEqual([false, false, false, false, true]);
});

test('a segment beyond those we know is refused by name', () => {
  expect(() => readBonnSegment('S', 81)).toThrow(/S81/);
});

test('text that is not 4097 integers is refused with its line', () => {
  const lines = Array.from({ length: 4097 }, () => '1');
  lines[9] = '1.5';
  expect(() => parseBonnText(new TextEncoder().encode(`${lines.join('\r\n')}\r\n`), 'Z001')).toThrow(/Z001 line 10: found "1.5"/);
  expect(() => parseBonnText(new TextEncoder().encode('1\r\n2\r\n'), 'Z001')).toThrow(/2 lines/);
});
