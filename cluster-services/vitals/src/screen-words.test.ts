import { verdicts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { stateWord } from './screen-words.ts';

test('every state has a word, a symbol and an ASCII symbol of its own', () => {
  const states = [...verdicts, null].map((verdict) => stateWord(verdict, 0).state);
  for (const part of ['word', 'symbol', 'ascii', 'key'] as const)
    expect(new Set(states.map((state) => state[part])).size).toBe(states.length);
});

test('a verdict too old to show is "no data", never "quiet"', () => {
  expect(stateWord('quiet', 59_999).state.word).toBe('quiet');
  expect(stateWord('quiet', 60_000).state.word).toBe('no data');
  expect(stateWord('seizure', 60_000).state.word).toBe('no data');
  expect(stateWord(null, 0).state.word).toBe('no data');
});
