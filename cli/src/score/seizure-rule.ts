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
  const alarms: { startS: number; endS: number; raisedS: number; holds: boolean }[] = [];
  const signals: Raised[] = [];
  let sinceS: number | null = null;
  for (const vote of votes.toSorted((a, b) => a.endS - b.endS)) {
    if (vote.probability === null || (vote.verdict !== 'seizure' && vote.verdict !== 'quiet')) continue;
    const { key, probability, channel } = vote;
    timeline.add({ key, fromUs: us(vote.startS), toUs: us(vote.endS), hopUs: Math.max(1, us(vote.hopS)), probability, channel });
    const episode = timeline.episodes.at(-1);
    if (episode !== undefined) {
      // As the engine does: the time line forgets after an hour, an alarm does not, and goes on with what touches it.
      const [startS, endS] = [episode.onsetUs / 1e6, episode.endUs / 1e6];
      const last = alarms.at(-1);
      if (last === undefined || startS - last.endS >= seizureRule.refractoryUs / 1e6)
        alarms.push({ startS, endS, raisedS: vote.endS, holds: episode.holds });
      else Object.assign(last, { startS: Math.min(last.startS, startS), endS: Math.max(last.endS, endS), holds: episode.holds });
    }
    if (episode?.holds === true) sinceS ??= vote.endS;
    else if (sinceS !== null) {
      signals.push({ startS: sinceS, endS: vote.endS, raisedS: sinceS });
      sinceS = null;
    }
  }
  if (sinceS !== null) signals.push({ startS: sinceS, endS: durationS, raisedS: sinceS });
  return {
    alarms: alarmEvents(
      alarms.map(({ startS, endS, raisedS, holds }) => ({ startS, endS: holds ? null : endS, raisedS })),
      durationS,
    ),
    signals,
  };
}

function us(seconds: number): number {
  return Math.round(seconds * 1e6);
}
