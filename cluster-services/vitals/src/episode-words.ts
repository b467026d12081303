import { type AlarmEpisode, type AlarmInfo, limits } from '@vitalwire/contract';
import { holeUs } from './alarms/rules.ts';

type Told = Pick<AlarmInfo, 'episodes' | 'text'>;

/** What an alarm says, with the times of day as `timeOf` writes them: 14:03:07. Of seizures, all it tells of; else its own text. */
export function alarmText({ episodes, text }: Told, timeOf: (us: number) => string): string {
  return episodes === undefined || episodes.length === 0 ? text : episodesText(episodes, timeOf);
}

/** `3 seizures since 01:56:10, longest 26 s: the last over, 24 s`. Only what was seen is counted, never the time between. */
export function episodesText(episodes: readonly AlarmEpisode[], timeOf: (us: number) => string): string {
  const last = episodes.at(-1);
  const first = episodes[0];
  if (last === undefined || first === undefined) return '';
  if (episodes.length === 1) return aloneText(last, timeOf);
  const count = episodes.length >= limits.maxEpisodesPerAlarm ? `at least ${episodes.length}` : String(episodes.length);
  const all = `${count} seizures since ${timeOf(first.onsetUs)}, longest ${seconds(Math.max(...episodes.map(seenUs)))}`;
  return `${all}: ${lastText(last, timeOf)}${betweenText(episodes, timeOf)}`;
}

/** How an alarm of seizures that nothing holds any more stands, in a word or two: over only where that was seen. */
export function pastWord({ episodes }: Pick<AlarmInfo, 'episodes'>): string {
  switch (episodes?.at(-1)?.end) {
    case 'not-known':
      return 'end not seen';
    case 'recording-ended':
      return 'recording ended';
    default:
      return 'over';
  }
}

/** Whether the alarm holds, and what it tells of can at this moment not be seen. */
export function isUnseen({ episodes, endedUs }: Pick<AlarmInfo, 'episodes' | 'endedUs'>): boolean {
  return endedUs === null && episodes?.at(-1)?.end === 'not-known';
}

function aloneText(one: AlarmEpisode, timeOf: (us: number) => string): string {
  const { seenUntilUs, end, endUs } = one;
  const after = `${seconds(seenUs(one))} after its onset`;
  switch (end) {
    case 'goes-on':
      return 'seizure pattern detected';
    case 'over':
      return `seizure pattern over, ${seconds(seenUs(one))} from first to last window`;
    case 'recording-ended':
      return unseenUs(one) <= holeUs
        ? `recording ended ${timeOf(endUs ?? seenUntilUs)} during a seizure pattern, ${after}`
        : `seizure pattern last seen ${timeOf(seenUntilUs)}, ${after}; recording ended ${timeOf(endUs ?? seenUntilUs)}, not observable until then`;
    case 'not-known':
      return endUs === null
        ? `seizure pattern last seen ${timeOf(seenUntilUs)}, ${after}; not observable since`
        : `seizure pattern last seen ${timeOf(seenUntilUs)}, ${after}, then not observable for ${seconds(unseenUs(one))}`;
  }
}

function lastText(one: AlarmEpisode, timeOf: (us: number) => string): string {
  const { onsetUs, seenUntilUs, end, endUs } = one;
  switch (end) {
    case 'goes-on':
      return `one goes on since ${timeOf(onsetUs)}`;
    case 'over':
      return `the last over, ${seconds(seenUs(one))}`;
    case 'recording-ended':
      return unseenUs(one) <= holeUs
        ? `recording ended ${timeOf(endUs ?? seenUntilUs)} during the last, after ${seconds(seenUs(one))}`
        : `the last seen for ${seconds(seenUs(one))} until ${timeOf(seenUntilUs)}; recording ended ${timeOf(endUs ?? seenUntilUs)}`;
    case 'not-known': {
      const seen = `the last seen for ${seconds(seenUs(one))} until ${timeOf(seenUntilUs)}`;
      return endUs === null ? `${seen}, not observable since` : `${seen}, then not observable for ${seconds(unseenUs(one))}`;
    }
  }
}

function betweenText(episodes: readonly AlarmEpisode[], timeOf: (us: number) => string): string {
  const before = episodes.findLast(({ end, endUs }, index) => index < episodes.length - 1 && end === 'not-known' && endUs !== null);
  return before === undefined ? '' : `; not known between ${timeOf(before.seenUntilUs)} and ${timeOf(before.endUs ?? before.seenUntilUs)}`;
}

function seenUs({ onsetUs, seenUntilUs }: AlarmEpisode): number {
  return seenUntilUs - onsetUs;
}

function unseenUs({ seenUntilUs, endUs }: AlarmEpisode): number {
  return (endUs ?? seenUntilUs) - seenUntilUs;
}

function seconds(us: number): string {
  return `${Math.round(us / 1_000_000)} s`;
}
