import { type AlarmEpisode, type AlarmInfo, isClockWrong, limits } from '@vitalwire/contract';
import { episodesText } from '../episode-words.ts';
import { alarmIdOf } from './alarm-id.ts';
import { foreignAspect, isOwnModel, ownModel, RESTORED } from './aspects.ts';
import { isOwnLine } from './eeg-takes.ts';
import { closed, episodesOf, isNews } from './episodes.ts';
import type { AlarmRecord } from './record.ts';
import type { RecordWriter } from './record-writer.ts';
import { alarmLimits, goesOnAgainUs, type SeizureRule } from './rules.ts';
import type { Episode } from './seizure-timeline.ts';
import { type News, SeizureTracks, type Track } from './seizure-tracks.ts';
import type { DetectionInput } from './signal-watch.ts';

type Stretch = { readonly onsetUs: number; readonly endUs: number };
type Finding = { readonly peak: number; readonly channel: number };
type Told = { readonly stretch: Stretch; readonly finding: Finding | null; readonly episodes: readonly AlarmEpisode[] };

/**
 * Seizure alarms: every episode has exactly one, and an alarm tells of one or more. An episode that touches a known alarm of its device and
 * take (overlapping, or within the refractory time) belongs to it; one that touches several joins them. What lies between episodes, and
 * what nobody saw, is told as that.
 */
export class SeizureAlarms {
  readonly #writer: RecordWriter;
  readonly #rule: SeizureRule;
  readonly #tracks: SeizureTracks;
  readonly #holders = new Map<string, Set<string>>(); // by alarm: models and gateways that say it goes on
  readonly #seenUntilUs = new Map<string, number>(); // by alarm that goes on: the end of our own evidence so far
  readonly #lines = new Map<string, string>(); // by alarm: the time line of our own windows

  constructor(writer: RecordWriter, rule: SeizureRule) {
    this.#writer = writer;
    this.#rule = rule;
    this.#tracks = new SeizureTracks(rule);
  }

  /** What the log says of an alarm: whether it goes on. */
  restore({ alarmId, endedUs }: AlarmInfo): void {
    if (endedUs !== null) this.#holders.delete(alarmId);
    else if (this.#holdersOf(alarmId).size === 0) this.#holdersOf(alarmId).add(RESTORED);
  }

  detection(input: DetectionInput, nowUs: number): void {
    for (const news of this.#tracks.add(input)) this.#follow(news, input.replay, nowUs);
    this.#followQuiet(input, nowUs);
  }

  /** A recording of the device ended at this data time, and none goes on at once: what went on in it was not seen to end. */
  recordingEnded(device: string, take: string, atUs: number, nowUs: number): void {
    for (const news of this.#tracks.ended(device, take, atUs)) this.#follow(news, null, nowUs);
    for (const alarm of this.#writer.book.of(device, 'seizure')) this.#release(alarm, take, atUs, nowUs);
  }

  /** Nothing arrives from the device any more: an alarm goes on, and says since when nobody sees it. */
  silent(device: string, nowUs: number): void {
    for (const news of this.#tracks.silent(device)) this.#follow(news, null, nowUs);
    for (const alarm of this.#writer.book.of(device, 'seizure')) {
      if (alarm.endedUs !== null) continue;
      const episodes = closed(alarm.episodes ?? [], null);
      if (isNews(alarm.episodes ?? [], episodes, goesOnAgainUs))
        this.#writer.change(alarm, 'updated', nowUs, { episodes, text: textOf(episodes) });
    }
  }

  /** The alarm that tells of the same event as another engine's line. */
  sameEvent(record: AlarmRecord): AlarmInfo | null {
    const { device, onsetUs, endedUs, atUs } = record;
    const stretch = { onsetUs: onsetUs ?? atUs, endUs: endedUs ?? Number.POSITIVE_INFINITY };
    const all = this.#writer.book.of(device, 'seizure');
    return all.find((alarm) => mayBeOfOneTake(alarm, record) && this.#touches(alarm, stretch)) ?? null;
  }

  /** Takes over an alarm of another engine that nobody here knows of, as it stands. */
  adopt(record: AlarmRecord, nowUs: number): void {
    const { sender, alarmId, device, priority, state, onsetUs, endedUs, value, limit, channel, replay, text, episodes, take } = record;
    if (endedUs === null) this.#holdersOf(alarmId).add(foreignAspect(sender));
    this.#writer.emit({
      ...this.#writer.about(device, nowUs),
      alarmId,
      priority,
      state,
      onsetUs,
      endedUs,
      value,
      limit,
      channel,
      replay,
      text,
      ...(episodes === undefined ? {} : { episodes }),
      ...(take === undefined ? {} : { take }),
      condition: 'seizure',
      transition: 'raised',
      by: sender,
    });
  }

  /** The next line of an alarm that both tell of. */
  follow(record: AlarmRecord, alarm: AlarmInfo, nowUs: number): void {
    const { sender, onsetUs, endedUs, episodes = [] } = record;
    const holders = this.#holdersOf(alarm.alarmId);
    if (endedUs === null) holders.add(foreignAspect(sender));
    else holders.delete(foreignAspect(sender));
    const fromUs = onsetUs ?? alarm.onsetUs;
    const told = this.#episodesOf(alarm, [], episodesOf(episodes, [{ sinceUs: Number.POSITIVE_INFINITY, episodes: [] }]));
    this.#settle(alarm, [], { stretch: { onsetUs: fromUs, endUs: endedUs ?? fromUs }, finding: null, episodes: told }, nowUs);
  }

  /** Another engine has found that two of its alarms are one. */
  join(first: AlarmInfo, other: AlarmInfo, nowUs: number): void {
    const episodes = this.#episodesOf(first, [other], []);
    this.#absorb(first, [other], nowUs);
    const stretch = { onsetUs: other.onsetUs, endUs: other.endedUs ?? other.onsetUs };
    this.#settle(first, [other], { stretch, finding: null, episodes }, nowUs);
  }

  /**
   * Nothing more comes of a recording that has ended, from its gateway's own engine either: what that wrote before stands before the end in the
   * same queue. An alarm that only it, or the log of an earlier run, held on would go on for ever.
   */
  #release(alarm: AlarmInfo, take: string, atUs: number, nowUs: number): void {
    if (alarm.endedUs !== null || alarm.onsetUs > atUs || !this.#isOn(alarm, take)) return;
    const holders = this.#holdersOf(alarm.alarmId);
    if ([...holders].some(isOwnModel)) return; // our own windows tell of its end
    holders.clear();
    const seenUs = (alarm.episodes ?? []).map(({ seenUntilUs }) => seenUntilUs);
    const endUs = Math.max(alarm.onsetUs, ...(seenUs.length === 0 ? [atUs] : seenUs));
    const episodes = closed(this.#episodesOf(alarm, [], []), null);
    this.#settle(alarm, [], { stretch: { onsetUs: alarm.onsetUs, endUs }, finding: null, episodes }, nowUs);
  }

  #follow({ track, episodes }: News, replay: DetectionInput['replay'], nowUs: number): void {
    for (const episode of episodes) this.#followEpisode(track, episode, replay, nowUs);
  }

  #followEpisode(track: Track, episode: Episode, replay: DetectionInput['replay'], nowUs: number): void {
    const { device, model, take } = track;
    const all = this.#writer.book.of(device, 'seizure').filter((alarm) => this.#isOn(alarm, take));
    const found = all.filter((alarm) => this.#touches(alarm, episode));
    const open = all.filter(({ state }) => state !== 'ended');
    const newest = open.at(-1);
    // Somebody is told already, many times over; one more line for each is no help and has no bound.
    if (found.length === 0 && newest !== undefined && open.length >= alarmLimits.openPerDevice) found.push(newest);
    const [first, ...others] = found.sort((a, b) => a.raisedAtUs - b.raisedAtUs || (a.alarmId < b.alarmId ? -1 : 1));
    if (first === undefined) {
      this.#raise(track, episode, replay, nowUs);
      return;
    }
    const episodes = this.#episodesOf(first, others, []);
    this.#absorb(first, others, nowUs);
    this.#lines.set(first.alarmId, take);
    const holders = this.#holdersOf(first.alarmId);
    holders.delete(RESTORED);
    // Windows read again after a restart pass through states that are over: only evidence beyond its end makes an alarm return.
    const goesOn = track.timeline.episodes.some(
      (one) =>
        one.holds && !(first.endedUs !== null && one.endUs <= first.endedUs) && (this.#touches(first, one) || this.#isNear(one, episode)),
    );
    if (goesOn) holders.add(ownModel(model));
    else holders.delete(ownModel(model));
    this.#settle(first, others, { stretch: episode, finding: episode, episodes }, nowUs);
  }

  /** What an alarm and those it absorbs were told to be, and what our own windows of that time say now. */
  #episodesOf(alarm: AlarmInfo, others: readonly AlarmInfo[], foreign: readonly AlarmEpisode[]): AlarmEpisode[] {
    const told = [alarm, ...others].flatMap(({ episodes = [] }) => episodes);
    const seen = this.#tracks.of(alarm.device).flatMap(({ take, timeline: { episodes, oldestUs } }) => {
      const near =
        oldestUs !== null && this.#isOn(alarm, take)
          ? episodes.filter((one) => [alarm, ...others].some((each) => this.#touches(each, one)))
          : [];
      return near.length === 0 ? [] : [{ sinceUs: oldestUs ?? 0, episodes: near }];
    });
    return episodesOf([...told, ...foreign], seen);
  }

  #raise({ device, model, take }: Track, episode: Episode, replay: DetectionInput['replay'], nowUs: number): void {
    const { onsetUs, endUs, holds, peak, channel } = episode;
    const ofReplay = replay === null || isOwnLine(take) ? {} : { take };
    const alarmId = alarmIdOf(device, 'seizure', onsetUs, ofReplay.take);
    this.#lines.set(alarmId, take);
    if (holds) {
      this.#holdersOf(alarmId).add(ownModel(model));
      this.#seenUntilUs.set(alarmId, endUs);
    }
    const episodes = episodesOf([], [{ sinceUs: onsetUs, episodes: [episode] }]);
    const text = textOf(episodes);
    this.#writer.emit({
      ...this.#writer.about(device, nowUs),
      alarmId,
      onsetUs,
      channel,
      replay,
      condition: 'seizure',
      priority: 'high',
      state: holds ? 'active' : 'latched',
      transition: 'raised',
      endedUs: holds ? null : endUs,
      value: peak,
      limit: peak >= this.#rule.on ? this.#rule.on : (this.#rule.lasting?.on ?? this.#rule.on),
      text: holds ? text : `found in data that came late: ${text}`,
      episodes,
      ...ofReplay,
    });
  }

  #absorb(first: AlarmInfo, others: readonly AlarmInfo[], nowUs: number): void {
    const holders = this.#holdersOf(first.alarmId);
    for (const other of others) {
      for (const holder of this.#holdersOf(other.alarmId)) holders.add(holder);
      this.#holders.delete(other.alarmId);
      this.#seenUntilUs.delete(other.alarmId);
      this.#writer.merge(other.alarmId, other, first, '', nowUs);
    }
  }

  /** Brings an alarm, and those it has absorbed, to what is known of their episodes and of who says that one goes on. */
  #settle(alarm: AlarmInfo, others: readonly AlarmInfo[], { stretch, finding, episodes: told }: Told, nowUs: number): void {
    const { alarmId } = alarm;
    const holds = this.#holdersOf(alarmId).size > 0;
    const isUnseen = [alarm, ...others].some(({ state }) => state === 'active' || state === 'latched');
    // What comes back after its end has to be seen again; what was joined to one that somebody has seen and that goes on has been.
    const isBack = [alarm, ...others].every(({ state }) => state === 'ended');
    const onsetUs = Math.min(stretch.onsetUs, alarm.onsetUs, ...others.map((other) => other.onsetUs));
    const untilUs = Math.max(stretch.endUs, ...[alarm, ...others].map((one) => one.endedUs ?? Number.NEGATIVE_INFINITY));
    if (holds) this.#seenUntilUs.set(alarmId, Math.max(untilUs, this.#seenUntilUs.get(alarmId) ?? untilUs));
    else {
      this.#seenUntilUs.delete(alarmId);
      this.#holders.delete(alarmId);
    }
    const episodes = holds ? told : closed(told, null);
    const endedUs = holds ? null : untilUs;
    const state = holds ? (isUnseen || isBack ? 'active' : 'acknowledged') : isUnseen ? 'latched' : 'ended';
    const isSame = state === alarm.state && onsetUs === alarm.onsetUs && endedUs === alarm.endedUs;
    if (isSame && !isNews(alarm.episodes ?? [], episodes, goesOnAgainUs)) return;
    const values = finding === null ? {} : { value: finding.peak, channel: finding.channel };
    const kept = episodes.length === 0 ? {} : { episodes };
    const text = episodes.length > 0 ? textOf(episodes) : holds ? 'seizure pattern detected' : 'seizure pattern over';
    const patch = { state, onsetUs, endedUs, ...values, ...kept, text } as const;
    if (holds && alarm.endedUs !== null) this.#writer.change(alarm, 'condition-returned', nowUs, patch);
    else if (holds || alarm.endedUs !== null) this.#writer.change(alarm, 'updated', nowUs, patch);
    else this.#writer.change(alarm, state === 'ended' ? 'ended' : 'condition-ended', nowUs, patch);
  }

  /** The newest windows speak against a seizure: then nothing older says any more that one goes on. */
  #followQuiet({ device, model, take = '', toUs, replay }: DetectionInput, nowUs: number): void {
    const quietUs = this.#tracks.get(device, model, take)?.timeline.quietSinceUs ?? null;
    if (quietUs === null) return;
    const isNow = replay === null && Math.abs(nowUs - toUs) <= limits.maxClockAheadUs;
    for (const alarm of this.#writer.book.of(device, 'seizure')) {
      if (alarm.endedUs !== null || !this.#isOn(alarm, take)) continue;
      // What is dated to an instant that has not come was measured by a wrong clock, or in a replay that is gone: what is measured now counts.
      if (quietUs <= alarm.onsetUs && !(isNow && isClockWrong(alarm.onsetUs, null, nowUs))) continue;
      const holders = this.#holdersOf(alarm.alarmId);
      for (const holder of holders) {
        const newestUs = this.#tracks.get(device, holder.slice(ownModel('').length), take)?.timeline.newestUs ?? null;
        if (!isOwnModel(holder) || newestUs === null || newestUs < quietUs) holders.delete(holder);
      }
      if (holders.size > 0) continue;
      const endUs = Math.max(alarm.onsetUs, this.#seenUntilUs.get(alarm.alarmId) ?? quietUs);
      const episodes = closed(this.#episodesOf(alarm, [], []), quietUs);
      this.#settle(alarm, [], { stretch: { onsetUs: alarm.onsetUs, endUs }, finding: null, episodes }, nowUs);
    }
  }

  /** Whether an alarm can tell of what lies on this time line. Which it was seen on is known here, or from its log: of no replay, it was the device's own. */
  #isOn(alarm: AlarmInfo, line: string): boolean {
    const known = this.#lines.get(alarm.alarmId) ?? alarm.take;
    if (known !== undefined) return known === line;
    return alarm.replay !== null || isOwnLine(line);
  }

  #touches(alarm: AlarmInfo, { onsetUs, endUs }: Stretch): boolean {
    return this.#isNear({ onsetUs, endUs }, { onsetUs: alarm.onsetUs, endUs: alarm.endedUs ?? this.#goesOnUntilUs(alarm) });
  }

  #isNear(one: Stretch, other: Stretch): boolean {
    return one.onsetUs - other.endUs < this.#rule.refractoryUs && other.onsetUs - one.endUs < this.#rule.refractoryUs;
  }

  // How far a gateway, or the log of an earlier run, has seen is not known: whatever follows is the same event until a quiet stretch.
  #goesOnUntilUs({ alarmId }: AlarmInfo): number {
    const isSeenByOthers = [...this.#holdersOf(alarmId)].some((holder) => !isOwnModel(holder));
    return isSeenByOthers ? Number.POSITIVE_INFINITY : (this.#seenUntilUs.get(alarmId) ?? Number.POSITIVE_INFINITY);
  }

  #holdersOf(alarmId: string): Set<string> {
    const holders = this.#holders.get(alarmId) ?? new Set<string>();
    this.#holders.set(alarmId, holders);
    return holders;
  }
}

/** Two replays of one file have the same times. Of what does not say its take, only the times are known: two alarms in place of one help nobody. */
function mayBeOfOneTake({ take }: Pick<AlarmInfo, 'take'>, other: Pick<AlarmInfo, 'take'>): boolean {
  return take === undefined || other.take === undefined || take === other.take;
}

/** The log's own words: it knows no place, so its times are UTC. */
function textOf(episodes: readonly AlarmEpisode[]): string {
  return episodesText(episodes, (us) => `${new Date(us / 1000).toISOString().slice(11, 19)} UTC`);
}
