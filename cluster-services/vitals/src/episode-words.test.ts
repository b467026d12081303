import type { AlarmEpisode, EpisodeEnd } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { alarmText, episodesText, isUnseen, pastWord } from './episode-words.ts';

const timeOf = (us: number) => `t${us / 1e6}`;
const episode = (onsetS: number, seenUntilS: number, end: EpisodeEnd, endS: number | null): AlarmEpisode => ({
  onsetUs: onsetS * 1e6,
  seenUntilUs: seenUntilS * 1e6,
  end,
  endUs: endS === null ? null : endS * 1e6,
  peak: 1,
  channel: 0,
});

test.each([
  [[episode(0, 30, 'goes-on', null)], 'seizure pattern detected'],
  [[episode(0, 26, 'over', 26)], 'seizure pattern over, 26 s from first to last window'],
  [[episode(0, 12, 'not-known', null)], 'seizure pattern last seen t12, 12 s after its onset; not observable since'],
  [[episode(0, 12, 'not-known', 60)], 'seizure pattern last seen t12, 12 s after its onset, then not observable for 48 s'],
  [[episode(0, 12, 'recording-ended', 13)], 'recording ended t13 during a seizure pattern, 12 s after its onset'],
  [
    [episode(0, 12, 'recording-ended', 60)],
    'seizure pattern last seen t12, 12 s after its onset; recording ended t60, not observable until then',
  ],
  [
    [episode(0, 24, 'over', 24), episode(100, 126, 'over', 126), episode(200, 210, 'over', 210)],
    '3 seizures since t0, longest 26 s: the last over, 10 s',
  ],
  [[episode(0, 24, 'over', 24), episode(100, 110, 'goes-on', null)], '2 seizures since t0, longest 24 s: one goes on since t100'],
  [
    [episode(0, 24, 'not-known', 330), episode(330, 350, 'over', 350)],
    '2 seizures since t0, longest 24 s: the last over, 20 s; not known between t24 and t330',
  ],
  [
    [episode(0, 24, 'over', 24), episode(100, 110, 'recording-ended', 110)],
    '2 seizures since t0, longest 24 s: recording ended t110 during the last, after 10 s',
  ],
] as const)('%#: %j', (episodes, text) => {
  expect(episodesText(episodes, timeOf)).toBe(text);
});

test('what has no episodes keeps its own text', () => {
  expect(alarmText({ text: 'heart rate 134' }, timeOf)).toBe('heart rate 134');
  expect(alarmText({ text: 'x', episodes: [episode(0, 26, 'over', 26)] }, timeOf)).toContain('over, 26 s');
  expect(pastWord({})).toBe('over');
});

test('over is only what was seen to be over', () => {
  expect(pastWord({ episodes: [episode(0, 12, 'not-known', 60)] })).toBe('end not seen');
  expect(pastWord({ episodes: [episode(0, 12, 'recording-ended', 13)] })).toBe('recording ended');
  expect(isUnseen({ endedUs: null, episodes: [episode(0, 12, 'not-known', null)] })).toBe(true);
  expect(isUnseen({ endedUs: null, episodes: [episode(0, 12, 'goes-on', null)] })).toBe(false);
});
