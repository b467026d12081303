import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { scoreEvents } from './event-scoring.ts';
import { scoreSamples } from './sample-scoring.ts';
import { type ScoreCounts, scoresOf } from './scores.ts';
import type { TimeEvent } from './time-event.ts';

// What the reference implementation answers: see golden/README.md.

type Answer = Record<'samples' | 'refs' | 'tp' | 'fp', number> & Record<'sensitivity' | 'precision' | 'f1' | 'fpPerDay', number | null>;
type Pair = [startS: number, endS: number];
type Case = { durationS: number; reference: Pair[]; hypothesis: Pair[]; event: Answer; sample: Answer };

const cases = readFileSync(new URL('./golden/cases.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

test('the cases are many, and of every kind', () => {
  expect(cases.length).toBeGreaterThanOrEqual(500);
  const having = (wanted: (one: Case) => boolean): number => cases.filter(wanted).length;
  expect(having(({ reference }) => reference.length === 0)).toBeGreaterThan(50);
  expect(having(({ hypothesis }) => hypothesis.length === 0)).toBeGreaterThan(50);
  expect(having(({ event }) => event.tp > 0 && event.fp > 0)).toBeGreaterThan(50);
  expect(having(({ event, reference }) => event.refs < reference.length)).toBeGreaterThan(50); // merged
  expect(having(({ event, reference }) => event.refs > reference.length)).toBeGreaterThan(20); // split
  expect(having(({ durationS }) => !Number.isInteger(durationS * 10))).toBeGreaterThan(50);
});

test.each(['event', 'sample'] as const)('%s scoring is that of the reference implementation in every case', (kind) => {
  for (const [index, one] of cases.entries()) {
    const [reference, hypothesis] = [events(one.reference), events(one.hypothesis)];
    const score = kind === 'event' ? scoreEvents : scoreSamples;
    const { samples, refs, tp, fp, hz }: ScoreCounts = score(reference, hypothesis, one.durationS);
    const wanted = one[kind];
    const at = `case ${index + 1}`;
    expect({ samples, refs, tp, fp }, at).toEqual({ samples: wanted.samples, refs: wanted.refs, tp: wanted.tp, fp: wanted.fp });
    const scores = scoresOf({ samples, refs, tp, fp, hz });
    for (const name of ['sensitivity', 'precision', 'f1', 'fpPerDay'] as const) {
      const value = wanted[name];
      if (value === null) expect(scores[name], `${at}, ${name}`).toBeNaN();
      else expect(Math.abs(scores[name] - value), `${at}, ${name}`).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value)));
    }
  }
});

function events(pairs: readonly Pair[]): TimeEvent[] {
  return pairs.map(([startS, endS]) => ({ startS, endS }));
}
