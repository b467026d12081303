import { alarmLimits, type SeizureRule } from './rules.ts';
import { type Episode, SeizureTimeline } from './seizure-timeline.ts';
import type { DetectionInput } from './signal-watch.ts';

type Track = { readonly timeline: SeizureTimeline; told: ReadonlySet<string> };

/** The timelines of all devices, one per model, and which of their episodes are news. */
export class SeizureTracks {
  readonly #rule: SeizureRule;
  readonly #tracks = new Map<string, Track>(); // last = heard last

  constructor(rule: SeizureRule) {
    this.#rule = rule;
  }

  /** Takes in a window; the episodes that are new or have changed. */
  add(input: DetectionInput): readonly Episode[] {
    const { device, model, key, fromUs, toUs, hopUs, probability, verdict, channel } = input;
    if (probability === null || (verdict !== 'seizure' && verdict !== 'quiet')) return []; // no vote
    const track = this.#trackOf(device, model);
    if (!track.timeline.add({ key, fromUs, toUs, hopUs, probability, channel })) return [];
    const { episodes } = track.timeline;
    const news = episodes.filter((episode) => !track.told.has(factsOf(episode)));
    track.told = new Set(episodes.map(factsOf));
    return news;
  }

  /** Since when the newest windows say that there is no seizure; null if they do not. */
  quietSinceUs(device: string, model: string): number | null {
    return this.#tracks.get(`${device}\n${model}`)?.timeline.quietSinceUs ?? null;
  }

  newestUs(device: string, model: string): number | null {
    return this.#tracks.get(`${device}\n${model}`)?.timeline.newestUs ?? null;
  }

  #trackOf(device: string, model: string): Track {
    const key = `${device}\n${model}`;
    const track = this.#tracks.get(key) ?? { timeline: new SeizureTimeline(this.#rule), told: new Set() };
    this.#tracks.delete(key);
    this.#tracks.set(key, track);
    for (const oldest of this.#tracks.keys()) {
      if (this.#tracks.size <= alarmLimits.timelines) break;
      this.#tracks.delete(oldest);
    }
    return track;
  }
}

function factsOf({ onsetUs, endUs, holds }: Episode): string {
  return `${onsetUs} ${endUs} ${holds}`;
}
