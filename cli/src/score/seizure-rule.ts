import { alarmEvents, type Raised, SeizureTimeline, seizureRule, type WindowVerdict } from '@vitalwire/vitals';

/** A window's verdict with what the alarm engine needs of it; seconds of data time. */
export type TimedVote = WindowVerdict & {
  readonly key: string; // of recording and window
  readonly hopS: number;
  readonly probability: number | null;
  readonly channel: number;
};

/**
 * What the alarm engine's own rule makes of windows that arrive in order. `alarms`: its episodes, those nearer than its refractory time being
 * one. `signals`: each time it began to hold or held again, at the end of the window that decided: what a person would notice.
 */
export type RuleRun = { readonly alarms: readonly Raised[]; readonly signals: readonly Raised[] };

export function runSeizureRule(votes: readonly TimedVote[], durationS: number): RuleRun {
  const timeline = new SeizureTimeline(seizureRule);
  const signals: Raised[] = [];
  const raisedAt = new Map<number, number>(); // of each episode, by its onset
  let sinceS: number | null = null;
  for (const vote of votes.toSorted((a, b) => a.endS - b.endS)) {
    if (vote.probability === null || (vote.verdict !== 'seizure' && vote.verdict !== 'quiet')) continue;
    const { key, probability, channel } = vote;
    timeline.add({ key, fromUs: us(vote.startS), toUs: us(vote.endS), hopUs: Math.max(1, us(vote.hopS)), probability, channel });
    const last = timeline.episodes.at(-1);
    if (last !== undefined && !raisedAt.has(last.onsetUs)) raisedAt.set(last.onsetUs, vote.endS);
    if (last?.holds === true) sinceS ??= vote.endS;
    else if (sinceS !== null) {
      signals.push({ startS: sinceS, endS: vote.endS, raisedS: sinceS });
      sinceS = null;
    }
  }
  if (sinceS !== null) signals.push({ startS: sinceS, endS: durationS, raisedS: sinceS });
  const episodes = timeline.episodes.map(({ onsetUs, endUs, holds }) => ({
    startS: onsetUs / 1e6,
    endS: holds ? null : endUs / 1e6,
    raisedS: raisedAt.get(onsetUs) ?? endUs / 1e6,
  }));
  return { alarms: alarmEvents(episodes, durationS), signals };
}

function us(seconds: number): number {
  return Math.round(seconds * 1e6);
}
