import { type AlarmEpisode, limits } from '@vitalwire/contract';
import type { Episode } from './seizure-timeline.ts';

/** Episodes of one timeline, and from when on it knows: what was before, it cannot contradict. */
export type Seen = { readonly sinceUs: number; readonly episodes: readonly Episode[] };

/**
 * The episodes of an alarm: what was told of it so far, and what timelines see now. A timeline is right about all it has seen the beginning of;
 * what reaches back further, or was read again and is not yet as far as it was, stays as it was told.
 */
export function episodesOf(told: readonly AlarmEpisode[], seen: readonly Seen[]): AlarmEpisode[] {
  const all: AlarmEpisode[] = [];
  for (const { sinceUs, episodes } of seen)
    for (const episode of episodes)
      if (!all.some((one) => overlaps(one, toldOf(episode)))) all.push(startedAs(told, all, episode, sinceUs));
  for (const one of told) if (!all.some((other) => overlaps(one, other))) all.push(one);
  return bounded(inOrder(all));
}

/** The same, when nothing says any more that one goes on: the end of the last is not known before `knownUs`. */
export function closed(episodes: readonly AlarmEpisode[], knownUs: number | null): AlarmEpisode[] {
  return episodes.map((one) =>
    one.end === 'goes-on' || (one.end === 'not-known' && one.endUs === null && knownUs !== null)
      ? { ...one, end: 'not-known', endUs: knownUs === null ? null : Math.max(knownUs, one.seenUntilUs) }
      : one,
  );
}

/** Whether somebody who reads the log has to be told: a line for each second of a seizure would be no help. */
export function isNews(before: readonly AlarmEpisode[], now: readonly AlarmEpisode[], againUs: number): boolean {
  if (before.length !== now.length) return true;
  return now.some((one, index) => {
    const was = before[index];
    if (was === undefined || was.onsetUs !== one.onsetUs || was.end !== one.end || was.endUs !== one.endUs) return true;
    return Math.abs(one.seenUntilUs - was.seenUntilUs) >= (one.end === 'goes-on' ? againUs : 1);
  });
}

function startedAs(told: readonly AlarmEpisode[], all: readonly AlarmEpisode[], episode: Episode, sinceUs: number): AlarmEpisode {
  const now = toldOf(episode);
  const before = told.find((one) => overlaps(one, now));
  if (before === undefined) return now;
  // Read again after a restart, it passes through states that are over.
  if (episode.holds && before.end !== 'goes-on' && before.endUs !== null && now.seenUntilUs <= before.seenUntilUs) return before;
  const isFirst = !all.some((other) => overlaps(other, before));
  const onsetUs = isFirst && sinceUs > before.onsetUs ? Math.min(before.onsetUs, now.onsetUs) : now.onsetUs;
  const seenUntilUs = episode.holds ? Math.max(before.seenUntilUs, now.seenUntilUs) : now.seenUntilUs;
  return { ...now, onsetUs, seenUntilUs };
}

function toldOf({ onsetUs, endUs, end, knownUs, peak, channel }: Episode): AlarmEpisode {
  return { onsetUs, seenUntilUs: endUs, end, endUs: knownUs, peak, channel };
}

function overlaps(a: AlarmEpisode, b: AlarmEpisode): boolean {
  return a.onsetUs <= b.seenUntilUs && b.onsetUs <= a.seenUntilUs;
}

/** Earliest first; only the last can go on, or wait for the signal to come back: of another all is known that its successor shows. */
function inOrder(episodes: AlarmEpisode[]): AlarmEpisode[] {
  const sorted = episodes.sort((a, b) => a.onsetUs - b.onsetUs || a.seenUntilUs - b.seenUntilUs);
  return sorted.map((one, index) => {
    const next = sorted[index + 1];
    if (next === undefined || one.end === 'over' || one.endUs !== null) return one;
    return { ...one, end: 'not-known', endUs: Math.max(next.onsetUs, one.seenUntilUs) };
  });
}

function bounded(episodes: AlarmEpisode[]): AlarmEpisode[] {
  while (episodes.length > limits.maxEpisodesPerAlarm) {
    const longestUs = Math.max(...episodes.map(lengthUs));
    const oldest = episodes.findIndex((one) => lengthUs(one) < longestUs);
    episodes.splice(Math.max(0, oldest), 1);
  }
  return episodes;
}

function lengthUs({ onsetUs, seenUntilUs }: AlarmEpisode): number {
  return seenUntilUs - onsetUs;
}
