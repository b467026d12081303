import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bodies } from './codec-bodies.ts';
import { keys, sampleBlockKeys } from './keys.ts';
import { limits } from './limits.ts';
import {
  alarmPriorities,
  alarmStates,
  alarmTransitions,
  baselines,
  clockSources,
  conditionNumbers,
  endReasons,
  episodeEnds,
  gapReasons,
  statusKinds,
  verdicts,
} from './messages.ts';
import { conditionOf, numericFacts, numericKinds, numericSides, numericStreams } from './numerics.ts';
import { dataStreamNumbers, streamNumbers } from './topics.ts';

const text = readFileSync(new URL('../wire.cddl', import.meta.url), 'utf8');
const maps = new Map([...text.matchAll(/^([a-z-]+) = \{\n([^}]*)\}/gm)].map(([, name, body]) => [name, entriesOf(body ?? '')]));
const common = ['version', 'recordingId', 'seq', 'stream'] as const;

/** `  13 => rate, ; rate and why` as its key, type and name. */
function entriesOf(body: string): { key: number; type: string; name: string }[] {
  const lines = body.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const found = /^ {2}(?:\? )?(\d+) => (.+), ; (\w+)/.exec(line);
    if (found === null) throw new Error(`not an entry: ${line}`);
    return { key: Number(found[1]), type: found[2] ?? '', name: found[3] ?? '' };
  });
}

const nameOf = (table: Readonly<Record<string, number>>, key: number) => Object.entries(table).find(([, number]) => number === key)?.[0];

test.each(Object.entries(bodies))('the CDDL gives %s the keys and names of the code', (name, fields) => {
  const expected = [...common.map((field) => keys[field]), ...fields.entries.map((entry) => entry.key)].map((key) => ({
    key,
    name: nameOf(keys, key),
  }));
  expected.sort((a, b) => a.key - b.key);
  expect(maps.get(name)?.map(({ key, name: field }) => ({ key, name: field }))).toEqual(expected);
});

test('the CDDL gives hello and sample block the keys and names of the code', () => {
  const pairs = (name: string) => maps.get(name)?.map((entry) => [entry.name, entry.key]);
  expect(pairs('hello')).toEqual(
    ['version', 'software', 'generation', 'nowUs', 'rival'].map((name) => [name, keys[name as keyof typeof keys]]),
  );
  expect(pairs('sample-block')).toEqual(Object.entries(sampleBlockKeys));
});

test('no map of the CDDL is unknown to the code, and no key has two names', () => {
  expect(new Set(maps.keys())).toEqual(new Set([...Object.keys(bodies), 'hello', 'sample-block']));
  expect(new Set(Object.values(keys)).size).toBe(Object.keys(keys).length);
});

test.each([
  ['clock-source', clockSources],
  ['numeric-kind', numericKinds],
  ['end-reason', endReasons],
  ['gap-reason', gapReasons],
  ['status-kind', statusKinds],
  ['verdict', verdicts],
  ['baseline', baselines],
  ['episode-end', episodeEnds],
  ['alarm-priority', alarmPriorities],
  ['alarm-state', alarmStates],
  ['alarm-transition', alarmTransitions],
] as const)('the CDDL numbers the names of %s as the code does', (name, names) => {
  expect(text).toContain(`\n${name} = ${names.map((_, index) => index).join(' / ')} ; ${names.join(', ')}\n`);
});

test.each([
  ['stream', streamNumbers],
  ['data-stream', dataStreamNumbers],
  ['numeric-stream', Object.fromEntries(numericStreams.map((stream) => [stream, numericFacts(stream).number]))],
] as const)('the CDDL gives the names of %s the numbers of the code', (name, numbers) => {
  const rows = Object.entries<number>(numbers).sort(([, a], [, b]) => a - b);
  expect(text).toContain(`\n${name} = ${rows.map(([, number]) => number).join(' / ')} ; ${rows.map(([one]) => one).join(', ')}\n`);
});

test('the CDDL numbers what alarms are about as the code does', () => {
  const rows = Object.entries(conditionNumbers).sort(([, a], [, b]) => a - b);
  const own = rows.filter(([, number]) => number < 64);
  const numbers = own.map(([, number]) => number).join(' / ');
  expect(text).toContain(`\nalarm-condition = ${numbers} / numeric-condition ; ${own.map(([name]) => name).join(', ')}\n`);
  expect(text).toContain(
    '\nnumeric-condition = 64..255 ; 64 + 4 * (numeric-stream - 10), + 0 high, + 1 low, + 2 extreme-high, + 3 extreme-low',
  );
  for (const stream of numericStreams.filter((one) => one !== 'heart-rate'))
    for (const [index, side] of numericSides.entries())
      expect(conditionNumbers[conditionOf(stream, side)]).toBe(64 + 4 * (numericFacts(stream).number - 10) + index);
  expect(Math.max(...Object.values(conditionNumbers))).toBeLessThanOrEqual(255);
  expect(new Set(Object.values(conditionNumbers)).size).toBe(rows.length);
  expect(new Set(Object.values(streamNumbers)).size).toBe(Object.keys(streamNumbers).length);
});

test('each message has the number of its stream', () => {
  const numbers = Object.fromEntries([...maps].map(([name, entries]) => [name, entries.find((entry) => entry.key === keys.stream)?.type]));
  expect(numbers).toMatchObject({
    'recording-start': '0',
    'recording-end': '0',
    'eeg-chunk': '1',
    'numeric-chunk': 'numeric-stream',
    'event-chunk': '3',
  });
  expect(numbers).toMatchObject({ 'quality-chunk': '4', gap: '5', status: '6', detection: '7', alarm: '8', 'live-status': '9' });
});

test('every size that names a limit has its value', () => {
  const sized = [...text.matchAll(/^.*(?:\.\.|\*)(\d+)[^;\n]*;[^;\n]*\b(max[A-Z]\w+)/gm)];
  expect(sized.length).toBeGreaterThan(15);
  for (const [line, size, limit] of sized) expect(`${line} -> ${limits[limit as keyof typeof limits]}`).toBe(`${line} -> ${size}`);
});
