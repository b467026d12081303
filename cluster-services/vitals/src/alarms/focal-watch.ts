import { alarmLimits, focalEscalatesUs, focalRule, focalSpreadChannels, seizureRule } from './rules.ts';
import { type Episode, SeizureTimeline } from './seizure-timeline.ts';
import type { DetectionInput } from './signal-watch.ts';
import type { Statement } from './statement.ts';

/** What is said of one channel, and the stretch of data it is about: an engine that knows an alarm of it already has nothing to say. */
export type FocalNews = { readonly onsetUs: number; readonly endUs: number; readonly statement: Statement };

type ChannelTrack = {
  readonly channel: number;
  readonly take: string;
  readonly model: string;
  readonly timeline: SeizureTimeline;
  label: string; // as the montage names it, or its number
  told: string; // the last episode as it was told
  windowsSinceEvidence: number;
};

/** Of the windows heard last: late data comes behind live windows that are over already. */
const REMEMBERED_WINDOWS = 128;
/** A channel without evidence in so many windows, ten minutes at one a second, has nothing to remember. */
const FORGOTTEN_AFTER_WINDOWS = 600;

/**
 * Focal patterns of one device: the same rule as for seizures, but for each channel by itself and slower, as an artefact is often in one
 * channel too. Order and repeats of windows change nothing. What the recording as a whole shows is a seizure's alarm, and begins none here.
 */
export class FocalWatch {
  #tracks: ChannelTrack[] = [];
  #lately: { readonly input: DetectionInput; readonly isWhole: boolean }[] = []; // what a channel missed before it was followed
  #newestUs = Number.NEGATIVE_INFINITY;
  #judged = 0; // windows since the start, each newer than the one before
  #take: string | null = null; // the time line the device is on
  #elsewhere = 0; // windows of another since one of it

  take(input: DetectionInput): FocalNews[] {
    const { model, take = '', verdict, channelProbabilities = [], probability } = input;
    if (verdict === 'calibrating') return [];
    // A seizure of the whole recording goes on with what began in a channel; it begins no focal one in each.
    const isWhole = verdict === 'seizure' && probability !== null && probability >= seizureRule.on;
    for (const [channel, value] of channelProbabilities.entries())
      if (!isWhole && value !== null && value >= focalRule.on) this.#open(model, take, channel);
    this.#lately.push({ input, isWhole });
    if (this.#lately.length > REMEMBERED_WINDOWS) this.#lately.shift();
    const heard = this.#tracks.filter((track) => track.model === model && track.take === take);
    for (const track of heard) this.#add(track, input, isWhole);
    this.#tracks = this.#tracks.filter((track) => holdingOf(track) !== undefined || track.windowsSinceEvidence <= FORGOTTEN_AFTER_WINDOWS);
    return [...this.#left(take), ...this.#news(heard, input.replay), ...(take === this.#take ? this.#nothing(input) : [])];
  }

  // The device is on another time line (its clock was set, or another replay began): nothing of the one before goes on.
  #left(take: string): FocalNews[] {
    this.#take ??= take;
    this.#elsewhere = take === this.#take ? 0 : this.#elsewhere + 1;
    if (this.#elsewhere < focalRule.windows) return [];
    this.#take = take;
    this.#elsewhere = 0;
    this.#newestUs = Number.NEGATIVE_INFINITY;
    this.#judged = 0;
    const left = this.#tracks.filter((track) => track.take !== take && track.timeline.leave());
    return this.#news(left, null);
  }

  /** Enough newest windows without a pattern: then nothing that the log or another engine says goes on any more. */
  #nothing({ toUs, channelProbabilities = [] }: DetectionInput): FocalNews[] {
    if (toUs <= this.#newestUs || channelProbabilities.every((value) => value === null)) return [];
    this.#newestUs = toUs;
    this.#judged++;
    if (this.#judged < focalRule.windows || this.#tracks.some((track) => holdingOf(track) !== undefined)) return [];
    const text = 'focal pattern not seen any more';
    return [{ onsetUs: toUs, endUs: toUs, statement: { condition: 'focal-seizure', aspect: 'focal', holds: false, endedUs: toUs, text } }];
  }

  /** A recording of the device ended at this data time, and none goes on at once. */
  recordingEnded(take: string, atUs: number): FocalNews[] {
    const ended = this.#tracks.filter((track) => track.take === take && track.timeline.ended(atUs));
    return this.#news(ended, null);
  }

  #open(model: string, take: string, channel: number): void {
    if (this.#tracks.some((track) => track.channel === channel && track.model === model && track.take === take)) return;
    // At the limit a channel that shows nothing now makes room; where all of them show a pattern, who is told is told.
    if (this.#tracks.length >= alarmLimits.focalChannels) {
      const idle = this.#tracks.find((track) => holdingOf(track) === undefined);
      if (idle === undefined) return;
      this.#tracks = this.#tracks.filter((track) => track !== idle);
    }
    const track = {
      model,
      take,
      channel,
      label: `channel ${channel + 1}`,
      timeline: new SeizureTimeline(focalRule),
      told: '',
      windowsSinceEvidence: 0,
    };
    for (const { input, isWhole } of this.#lately)
      if (input.model === model && (input.take ?? '') === take) this.#add(track, input, isWhole);
    this.#tracks.push(track);
  }

  #add(track: ChannelTrack, input: DetectionInput, isWhole: boolean): void {
    const { key, fromUs, toUs, hopUs, channelProbabilities = [], channelLabels = [] } = input;
    track.label = channelLabels[track.channel]?.trim() || track.label;
    const value = channelProbabilities[track.channel] ?? null;
    track.windowsSinceEvidence = value !== null && value >= focalRule.on ? 0 : track.windowsSinceEvidence + 1;
    if (value === null) track.timeline.unseen(toUs);
    else {
      const probability = isWhole ? Math.min(value, focalRule.off) : value;
      track.timeline.add({ key, fromUs, toUs, hopUs, probability, channel: track.channel });
    }
  }

  #news(heard: readonly ChannelTrack[], replay: DetectionInput['replay']): FocalNews[] {
    const holding = this.#tracks.filter((track) => holdingOf(track) !== undefined).length;
    return heard.flatMap((track) => {
      const last = track.timeline.episodes.at(-1);
      if (last === undefined) return [];
      const isUrgent = last.endUs - last.onsetUs >= focalEscalatesUs || holding >= focalSpreadChannels;
      const facts = `${last.onsetUs} ${last.holds} ${last.holds ? isUrgent : last.endUs}`;
      if (facts === track.told) return [];
      const wasHolding = track.told.includes(' true ');
      track.told = facts;
      const holds = holdsOf(track, last, isUrgent, replay);
      if (last.holds) return [holds];
      // Found in data that came late it is over already: it is told all the same.
      return wasHolding ? [overOf(track, last)] : [holds, overOf(track, last)];
    });
  }
}

function holdsOf(
  { model, take, channel, label }: ChannelTrack,
  { onsetUs, endUs, peak }: Episode,
  isUrgent: boolean,
  replay: DetectionInput['replay'],
): FocalNews {
  return {
    onsetUs,
    endUs,
    statement: {
      condition: 'focal-seizure',
      aspect: `focal:${model}:${take}:${channel}`,
      holds: true,
      priority: isUrgent ? 'high' : 'medium',
      sinceUs: onsetUs,
      value: peak,
      limit: focalRule.on,
      channel,
      replay,
      text: `focal pattern at ${label}`,
    },
  };
}

function overOf({ model, take, channel, label }: ChannelTrack, { onsetUs, endUs, end }: Episode): FocalNews {
  const lasted = Math.round((endUs - onsetUs) / 1_000_000);
  const how = end === 'over' ? `over after ${lasted} s` : `last seen after ${lasted} s`;
  return {
    onsetUs,
    endUs,
    statement: {
      condition: 'focal-seizure',
      aspect: `focal:${model}:${take}:${channel}`,
      holds: false,
      endedUs: endUs,
      text: `focal pattern at ${label}: ${how}`,
    },
  };
}

function holdingOf({ timeline }: ChannelTrack): Episode | undefined {
  return timeline.episodes.findLast(({ holds }) => holds);
}
