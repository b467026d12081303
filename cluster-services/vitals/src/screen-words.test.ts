import { type PatientState, verdicts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { durationMs } from './freshness.ts';
import { shownState, sourceMarks, stateWord } from './screen-words.ts';

const nowUs = 1_800_000_000_000_000;

function stamp(ageSeconds: number) {
  return { measuredAtUs: nowUs - ageSeconds * 1e6, clockOffsetUs: 0, receivedAtUs: nowUs - ageSeconds * 1e6 };
}

test('every state has a word, a symbol and an ASCII symbol of its own', () => {
  const eeg = { at: stamp(0) } as NonNullable<PatientState['eeg']>;
  const states = [...verdicts, null]
    .map((verdict) => stateWord(verdict, durationMs(0)).state)
    .concat(shownState({ detection: null, eeg }, nowUs).state);
  for (const part of ['word', 'symbol', 'ascii', 'key'] as const)
    expect(new Set(states.map((state) => state[part])).size).toBe(states.length);
  for (const { short } of states) expect(short.length).toBeLessThanOrEqual(10);
});

test('a verdict too old to show is "no data", never "quiet"', () => {
  expect(stateWord('quiet', durationMs(59_999)).state.word).toBe('quiet');
  expect(stateWord('quiet', durationMs(60_000)).state.word).toBe('no data');
  expect(stateWord('seizure', durationMs(60_000)).state.word).toBe('no data');
  expect(stateWord(null, durationMs(0)).state.word).toBe('no data');
});

test('EEG that arrives while nothing judges it is "not judged"; "no data" is kept for where none arrives', () => {
  const eegAged = (seconds: number) => ({ at: stamp(seconds) }) as NonNullable<PatientState['eeg']>;
  const judged = (seconds: number) =>
    ({ at: stamp(seconds), state: 'quiet', probability: 0.99, stateProbability: 0.04 }) as NonNullable<PatientState['detection']>;
  const word = (detection: PatientState['detection'], eeg: PatientState['eeg']) => shownState({ detection, eeg }, nowUs).state.word;
  expect(word(null, null)).toBe('no data');
  expect(word(null, eegAged(0))).toBe('not judged');
  expect(word(judged(60), eegAged(0))).toBe('not judged');
  expect(word(judged(61), eegAged(60))).toBe('no data');
  expect(word(judged(5), eegAged(0))).toBe('quiet');
  expect(shownState({ detection: judged(2), eeg: eegAged(0) }, nowUs)).toMatchObject({ probability: 0.04, showsAge: false });
  expect(shownState({ detection: judged(3), eeg: eegAged(0) }, nowUs)).toMatchObject({ age: 3_000, showsAge: true });
});

test('the marks beside a name: replayed, not known whether it is, and a clock from the future; nothing is unmarked by not being known', () => {
  const at = { measuredAtUs: nowUs, clockOffsetUs: 0, receivedAtUs: nowUs };
  const wrong = [{ device: 'd', stream: 'eeg', at }] as const;
  expect(sourceMarks({ replay: null })).toEqual([]);
  expect(sourceMarks({ replay: { speed: 1, source: '' }, replayKnown: false })).toEqual(['REPLAY']);
  expect(sourceMarks({ replay: null, replayKnown: false })).toEqual(['REPLAY?']);
  expect(sourceMarks({ replay: null, clockWrong: [...wrong] })).toEqual(['CLOCK WRONG']);
});
