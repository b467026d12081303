import { RecentMap } from '@vitalwire/contract';
import { alarmLimits, type SeizureRule } from './rules.ts';
import { type Episode, SeizureTimeline } from './seizure-timeline.ts';
import type { DetectionInput } from './signal-watch.ts';

/** The windows of one device, model and take: what two takes say of one moment has nothing to do with each other. */
export type Track = {
  readonly device: string;
  readonly model: string;
  readonly take: string; // '' = the device itself; of a replay, that replay
  readonly timeline: SeizureTimeline;
  told: ReadonlySet<string>;
  votesElsewhere: number; // judged windows of other takes since one of this
};
type Ending = { readonly take: string; readonly atUs: number };
export type News = { readonly track: Track; readonly episodes: readonly Episode[] };

/** The timelines of all devices, one per model and take, and which of their episodes are news. */
export class SeizureTracks {
  readonly #rule: SeizureRule;
  readonly #tracks = new RecentMap<string, Track[]>(alarmLimits.timelines); // by device, last = heard last; of a device the one heard last first
  #newest = ''; // the device heard last
  readonly #ends = new RecentMap<string, readonly Ending[]>(alarmLimits.timelines); // by device: an end may be heard before the windows of its recording

  constructor(rule: SeizureRule) {
    this.#rule = rule;
  }

  /** Takes in a window; the episodes that are new or have changed. */
  add(input: DetectionInput): readonly News[] {
    const { device, model, take = '', key, fromUs, toUs, hopUs, probability, verdict, channel } = input;
    if (verdict === 'calibrating') return [];
    const track = this.#trackOf(device, model, take);
    if (verdict === 'not-scorable' || (verdict === 'unsure' && probability === null))
      return track.timeline.unseen(toUs) ? newsOf([track]) : [];
    const isVote = probability !== null && (verdict === 'seizure' || verdict === 'quiet');
    const isNew = track.timeline.add({ key, fromUs, toUs, hopUs, probability: isVote ? probability : null, channel });
    return isNew ? newsOf([track, ...this.#left(track)]) : [];
  }

  /** A recording of the device ended at this data time. */
  ended(device: string, take: string, atUs: number): readonly News[] {
    const ends = [...(this.#ends.get(device) ?? []), { take, atUs }].slice(-alarmLimits.recordingEnds);
    this.#ends.renew(device, ends);
    return newsOf(this.of(device).filter((track) => track.take === take && track.timeline.ended(atUs)));
  }

  /** Nothing arrives from the device any more. */
  silent(device: string): readonly News[] {
    return newsOf(this.of(device).filter(({ timeline }) => timeline.silent()));
  }

  /** Those of a device, the one heard last first. */
  of(device: string): readonly Track[] {
    return this.#tracks.get(device) ?? [];
  }

  get(device: string, model: string, take: string): Track | null {
    return this.of(device).find((track) => track.model === model && track.take === take) ?? null;
  }

  // Windows of one take follow each other at once: when only another's come, nothing of this one goes on.
  #left(heard: Track): Track[] {
    heard.votesElsewhere = 0;
    const left: Track[] = [];
    for (const other of this.of(heard.device)) {
      if (other === heard || other.take === heard.take) continue;
      other.votesElsewhere += 1;
      if (other.votesElsewhere >= this.#rule.windows && other.timeline.leave()) left.push(other);
    }
    return left;
  }

  #trackOf(device: string, model: string, take: string): Track {
    const before = this.of(device);
    const known = before.find((one) => one.model === model && one.take === take);
    if (known !== undefined && known === before[0] && this.#newest === device) return known;
    const track = known ?? this.#newTrack(device, model, take);
    this.#tracks.renew(device, [track, ...before.filter((one) => one !== track)].slice(0, alarmLimits.timelinesPerDevice));
    this.#newest = device;
    return track;
  }

  #newTrack(device: string, model: string, take: string): Track {
    const timeline = new SeizureTimeline(this.#rule);
    for (const end of this.#ends.get(device) ?? []) if (end.take === take) timeline.ended(end.atUs);
    return { device, model, take, timeline, told: new Set(), votesElsewhere: 0 };
  }
}

function newsOf(tracks: readonly Track[]): News[] {
  return tracks.flatMap((track) => {
    const { episodes } = track.timeline;
    const news = episodes.filter((episode) => !track.told.has(factsOf(episode)));
    track.told = new Set(episodes.map(factsOf));
    return news.length === 0 ? [] : [{ track, episodes: news }];
  });
}

function factsOf({ onsetUs, endUs, holds, end, knownUs }: Episode): string {
  return `${onsetUs} ${endUs} ${holds} ${end} ${knownUs}`;
}
