import type { AlarmInfo } from '@vitalwire/contract';
import { alarmIdOf } from './alarm-id.ts';
import { foreignAspect, isOwnModel, ownModel, RESTORED } from './aspects.ts';
import type { AlarmRecord } from './record.ts';
import type { RecordWriter } from './record-writer.ts';
import { alarmLimits, type SeizureRule } from './rules.ts';
import type { Episode } from './seizure-timeline.ts';
import { SeizureTracks } from './seizure-tracks.ts';
import type { DetectionInput } from './signal-watch.ts';

type Stretch = { readonly onsetUs: number; readonly endUs: number };
type Finding = { readonly peak: number; readonly channel: number };

/**
 * Seizure alarms: every episode has exactly one. An episode that touches a known alarm of its device (overlapping, or within the
 * refractory time) extends it; one that touches several joins them.
 */
export class SeizureAlarms {
  readonly #writer: RecordWriter;
  readonly #rule: SeizureRule;
  readonly #tracks: SeizureTracks;
  readonly #holders = new Map<string, Set<string>>(); // by alarm: models and gateways that say it goes on
  readonly #seenUntilUs = new Map<string, number>(); // by alarm that goes on: the end of our own evidence so far

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
    for (const episode of this.#tracks.add(input)) this.#followEpisode(input, episode, nowUs);
    this.#followQuiet(input.device, input.model, nowUs);
  }

  /** The alarm that tells of the same event as another engine's line. */
  sameEvent({ device, onsetUs, endedUs, atUs }: AlarmRecord): AlarmInfo | null {
    const stretch = { onsetUs: onsetUs ?? atUs, endUs: endedUs ?? Number.POSITIVE_INFINITY };
    return this.#writer.book.of(device, 'seizure').find((alarm) => this.#touches(alarm, stretch)) ?? null;
  }

  /** Takes over an alarm of another engine that nobody here knows of, as it stands. */
  adopt(record: AlarmRecord, nowUs: number): void {
    const { sender, alarmId, device, priority, state, onsetUs, endedUs, value, limit, channel, replay, text } = record;
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
      condition: 'seizure',
      transition: 'raised',
      by: sender,
    });
  }

  /** The next line of an alarm that both tell of. */
  follow({ sender, onsetUs, endedUs }: AlarmRecord, alarm: AlarmInfo, nowUs: number): void {
    const holders = this.#holdersOf(alarm.alarmId);
    if (endedUs === null) holders.add(foreignAspect(sender));
    else holders.delete(foreignAspect(sender));
    const fromUs = onsetUs ?? alarm.onsetUs;
    this.#settle(alarm, [], { onsetUs: fromUs, endUs: endedUs ?? fromUs }, null, nowUs);
  }

  /** Another engine has found that two of its alarms are one. */
  join(first: AlarmInfo, other: AlarmInfo, nowUs: number): void {
    this.#absorb(first, [other], nowUs);
    this.#settle(first, [other], { onsetUs: other.onsetUs, endUs: other.endedUs ?? other.onsetUs }, null, nowUs);
  }

  #followEpisode(input: DetectionInput, episode: Episode, nowUs: number): void {
    const all = this.#writer.book.of(input.device, 'seizure');
    const found = all.filter((alarm) => this.#touches(alarm, episode));
    const open = all.filter(({ state }) => state !== 'ended');
    const newest = open.at(-1);
    // Somebody is told already, many times over; one more line for each is no help and has no bound.
    if (found.length === 0 && newest !== undefined && open.length >= alarmLimits.openPerDevice) found.push(newest);
    const [first, ...others] = found.sort((a, b) => a.raisedAtUs - b.raisedAtUs || (a.alarmId < b.alarmId ? -1 : 1));
    if (first === undefined) {
      this.#raise(input, episode, nowUs);
      return;
    }
    this.#absorb(first, others, nowUs);
    const holders = this.#holdersOf(first.alarmId);
    holders.delete(RESTORED);
    // Windows read again after a restart pass through states that are over: only evidence beyond its end makes an alarm return.
    const isKnownToBeOver = first.endedUs !== null && episode.endUs <= first.endedUs;
    if (episode.holds && !isKnownToBeOver) holders.add(ownModel(input.model));
    else holders.delete(ownModel(input.model));
    this.#settle(first, others, episode, episode, nowUs);
  }

  #raise({ device, model, replay }: DetectionInput, episode: Episode, nowUs: number): void {
    const { onsetUs, endUs, holds, peak, channel } = episode;
    const alarmId = alarmIdOf(device, 'seizure', onsetUs);
    if (holds) {
      this.#holdersOf(alarmId).add(ownModel(model));
      this.#seenUntilUs.set(alarmId, endUs);
    }
    const late = `seizure pattern found in data that came late: over, ${secondsOf(episode)} s from first to last window`;
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
      limit: this.#rule.on,
      text: holds ? 'seizure pattern detected' : late,
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

  /** Brings an alarm, and those it has absorbed, to what is known of their stretch and of who says that it goes on. */
  #settle(alarm: AlarmInfo, others: readonly AlarmInfo[], stretch: Stretch, finding: Finding | null, nowUs: number): void {
    const { alarmId } = alarm;
    const holds = this.#holdersOf(alarmId).size > 0;
    const isUnseen = [alarm, ...others].some(({ state }) => state === 'active' || state === 'latched');
    const onsetUs = Math.min(stretch.onsetUs, alarm.onsetUs, ...others.map((other) => other.onsetUs));
    const untilUs = Math.max(stretch.endUs, ...[alarm, ...others].map((one) => one.endedUs ?? Number.NEGATIVE_INFINITY));
    if (holds) this.#seenUntilUs.set(alarmId, Math.max(untilUs, this.#seenUntilUs.get(alarmId) ?? untilUs));
    else {
      this.#seenUntilUs.delete(alarmId);
      this.#holders.delete(alarmId);
    }
    const endedUs = holds ? null : untilUs;
    const state = holds ? (isUnseen || alarm.state === 'ended' ? 'active' : 'acknowledged') : isUnseen ? 'latched' : 'ended';
    if (state === alarm.state && onsetUs === alarm.onsetUs && endedUs === alarm.endedUs) return;
    const values = finding === null ? {} : { value: finding.peak, channel: finding.channel };
    const patch = { state, onsetUs, endedUs, ...values } as const;
    const over = `seizure pattern over, ${secondsOf({ onsetUs, endUs: untilUs })} s from first to last window`;
    if (holds && alarm.endedUs !== null)
      this.#writer.change(alarm, 'condition-returned', nowUs, { ...patch, text: 'seizure pattern detected again' });
    else if (holds) this.#writer.change(alarm, 'updated', nowUs, { ...patch, text: 'seizure pattern detected' });
    else if (alarm.endedUs !== null) this.#writer.change(alarm, 'updated', nowUs, { ...patch, text: over });
    else this.#writer.change(alarm, state === 'ended' ? 'ended' : 'condition-ended', nowUs, { ...patch, text: over });
  }

  /** The newest windows speak against a seizure: then nothing older says any more that one goes on. */
  #followQuiet(device: string, model: string, nowUs: number): void {
    const quietUs = this.#tracks.quietSinceUs(device, model);
    if (quietUs === null) return;
    for (const alarm of this.#writer.book.of(device, 'seizure')) {
      if (alarm.endedUs !== null || quietUs <= alarm.onsetUs) continue;
      const holders = this.#holdersOf(alarm.alarmId);
      for (const holder of holders) {
        const newestUs = this.#tracks.newestUs(device, holder.slice(ownModel('').length));
        if (!isOwnModel(holder) || newestUs === null || newestUs < quietUs) holders.delete(holder);
      }
      if (holders.size > 0) continue;
      const endUs = this.#seenUntilUs.get(alarm.alarmId) ?? quietUs;
      this.#settle(alarm, [], { onsetUs: alarm.onsetUs, endUs }, null, nowUs);
    }
  }

  #touches(alarm: AlarmInfo, { onsetUs, endUs }: Stretch): boolean {
    const untilUs = alarm.endedUs ?? this.#goesOnUntilUs(alarm);
    return onsetUs - untilUs < this.#rule.refractoryUs && alarm.onsetUs - endUs < this.#rule.refractoryUs;
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

function secondsOf({ onsetUs, endUs }: Stretch): number {
  return Math.round((endUs - onsetUs) / 1_000_000);
}
