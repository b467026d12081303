import type { AlarmCondition, AlarmInfo, AlarmPause, AlarmPriority } from '@vitalwire/contract';
import { AlarmBook, type BookState } from './alarm-book.ts';
import { alarmIdOf } from './alarm-id.ts';
import { type HeartRateInput, HeartRateWatch } from './heart-rate-watch.ts';
import { type AlarmRecord, isLatching, rankOfPriority } from './record.ts';
import { alarmLimits, maxPauseUs, reAlarmUs, type SeizureRule, seizureRule } from './rules.ts';
import type { Episode } from './seizure-timeline.ts';
import { SeizureTracks } from './seizure-tracks.ts';
import { type DetectionInput, SignalWatch } from './signal-watch.ts';
import type { Statement } from './statement.ts';

export type EngineOptions = {
  /** Who decides: the service, or the gateway. */
  readonly sender: string;
  readonly rule?: SeizureRule;
};

/** What somebody asked for was done, or why not. */
export type Asked =
  | { readonly ok: true; readonly records: readonly AlarmRecord[] }
  | { readonly ok: false; readonly reason: 'unknown-alarm' | 'already-ended' | 'pause-too-long' };

type Holding = Extract<Statement, { holds: true }>;
type Stretch = { readonly onsetUs: number; readonly endUs: number };

/** The log says that it holds, and nobody who watches has said anything since the start. */
const RESTORED = 'restored';

/**
 * Decides what is an alarm: readings, detections and statements in, log records out. Conditions run on data time; acknowledgement, pause
 * and re-alarm on the wall clock that is handed in. It does no I/O and has no timers; `tick` moves the wall clock on.
 *
 * Every change of state is a record, and `replay` of the records gives the same state. What is not in the log (windows, runs of bad
 * signal) only delays: an alarm that the log says holds is ended when somebody who watches says so, never for want of news.
 */
export class AlarmEngine {
  readonly #sender: string;
  readonly #rule: SeizureRule;
  readonly #book = new AlarmBook();
  readonly #tracks: SeizureTracks;
  readonly #signals = new Map<string, SignalWatch>();
  readonly #heartRates = new Map<string, HeartRateWatch>();
  readonly #aspects = new Map<string, Map<string, Holding | null>>(); // by device and condition: who says that it holds
  readonly #holders = new Map<string, Set<string>>(); // by seizure alarm: models and gateways that say it goes on
  readonly #seenUntilUs = new Map<string, number>(); // by seizure alarm that goes on: the end of the evidence so far
  #records: AlarmRecord[] = [];

  constructor({ sender, rule = seizureRule }: EngineOptions) {
    this.#sender = sender;
    this.#rule = rule;
    this.#tracks = new SeizureTracks(rule);
  }

  /** Restores the state from log lines, oldest first: its own, of earlier runs or of another worker. Nothing is decided. */
  replay(records: Iterable<AlarmRecord>): void {
    for (const record of records) {
      this.#book.apply(record);
      const alarm = record.alarmId === '' ? null : this.#book.get(record.alarmId);
      if (alarm === null) continue;
      const holders: { readonly size: number; clear(): void } =
        alarm.condition === 'seizure' ? this.#holdersOf(alarm.alarmId) : this.#aspectsOf(alarm.device, alarm.condition);
      if (alarm.endedUs !== null) holders.clear();
      else if (holders.size > 0) continue;
      else if (alarm.condition === 'seizure') this.#holdersOf(alarm.alarmId).add(RESTORED);
      else this.#aspectsOf(alarm.device, alarm.condition).set(RESTORED, null);
    }
  }

  /** What the log has said so far. */
  state(): BookState {
    return this.#book.state();
  }

  /** Everything that has not ended, and the pauses. */
  now(): { readonly alarms: AlarmInfo[]; readonly pauses: AlarmPause[] } {
    return { alarms: this.#book.open(), pauses: this.#book.pauses() };
  }

  /** The alarm of this id, or the one it was merged into. */
  alarm(alarmId: string): AlarmInfo | null {
    return this.#book.get(alarmId);
  }

  /** A window of EEG that was scored, or refused. In any order, any number of times. */
  detection(input: DetectionInput, nowUs: number): readonly AlarmRecord[] {
    const { device, model } = input;
    for (const statement of madeOnce(this.#signals, device, () => new SignalWatch()).take(input)) this.#judge(device, statement, nowUs);
    for (const episode of this.#tracks.add(input)) this.#followEpisode(input, episode, nowUs);
    this.#followQuiet(device, model, nowUs);
    return this.#take();
  }

  /** A heart rate that is measured now; a phone's export is history and is not given here. */
  heartRate(input: HeartRateInput, nowUs: number): readonly AlarmRecord[] {
    for (const statement of madeOnce(this.#heartRates, input.device, () => new HeartRateWatch()).read(input))
      this.#judge(input.device, statement, nowUs);
    return this.#take();
  }

  /** A condition that somebody else watches: silence, gateways, storage, the model. */
  statement(device: string, statement: Statement, nowUs: number): readonly AlarmRecord[] {
    this.#judge(device, statement, nowUs);
    if (statement.condition === 'no-data' && statement.aspect === 'heart-rate' && statement.holds)
      for (const lost of this.#heartRates.get(device)?.lost() ?? []) this.#judge(device, lost, nowUs);
    return this.#take();
  }

  acknowledge(alarmId: string, by: string, nowUs: number): Asked {
    const alarm = this.#book.get(alarmId);
    if (alarm === null) return { ok: false, reason: 'unknown-alarm' };
    if (alarm.state === 'ended') return { ok: false, reason: 'already-ended' };
    this.#acknowledge(alarm, by, nowUs);
    return { ok: true, records: this.#take() };
  }

  /** Silences a device for at most `maxPauseUs` from now; 0 seconds ends it. What is above everything now signalled breaks through. */
  pause(device: string, seconds: number, by: string, nowUs: number): Asked {
    if (!(seconds >= 0 && seconds * 1_000_000 <= maxPauseUs)) return { ok: false, reason: 'pause-too-long' };
    if (seconds > 0) {
      const signalled = this.#book.ofDevice(device).filter(({ state }) => state !== 'ended');
      const above = signalled.reduce<AlarmPriority>((most, { priority }) => higher(priority, most), 'low');
      const text = `sound paused for ${seconds} s; only what is above ${above} priority sounds`;
      const untilUs = nowUs + Math.round(seconds * 1_000_000);
      this.#emit({ ...this.#aboutDevice(device, nowUs), transition: 'paused', priority: above, untilUs, by, text });
    } else if (this.#book.pause(device) !== null) this.#resume(device, by, nowUs);
    return { ok: true, records: this.#take() };
  }

  /** Writes into the log that the limits of a device are others now; saying the same again writes nothing. */
  limitsChanged(device: string, by: string, text: string, nowUs: number): readonly AlarmRecord[] {
    if (this.#book.limitsText(device) !== text) this.#emit({ ...this.#aboutDevice(device, nowUs), transition: 'limits-changed', by, text });
    return this.#take();
  }

  /** The wall clock moves on: re-alarms, and pauses that end. */
  tick(nowUs: number): readonly AlarmRecord[] {
    for (const { device, untilUs } of this.#book.pauses())
      if (nowUs >= untilUs || untilUs - nowUs > maxPauseUs) this.#resume(device, '', nowUs);
    for (const alarm of this.#book.open()) {
      if (alarm.state !== 'acknowledged' || alarm.endedUs !== null) continue;
      // Also when the wall clock was set back: then nobody knows how long it has been.
      const acknowledgedUs = Math.abs(nowUs - (alarm.acknowledgedAtUs ?? alarm.changedAtUs));
      if (acknowledgedUs >= reAlarmUs) this.#change(alarm, 're-alarmed', nowUs, { state: 'active' });
    }
    return this.#take();
  }

  /** A line of another engine's log, a gateway's own. Both tell of one event: one alarm, with the first id and both senders. */
  foreign(record: AlarmRecord, nowUs: number): readonly AlarmRecord[] {
    const { sender, alarmId, condition, mergedInto } = record;
    if (sender === this.#sender || alarmId === '' || condition === null) return [];
    const known = this.#book.get(alarmId);
    if (mergedInto !== null) {
      const into = this.#book.get(mergedInto);
      if (known !== null && into !== null && known.alarmId !== into.alarmId) {
        this.#absorb(into, [known], nowUs);
        this.#settle(into, [known], { onsetUs: known.onsetUs, endUs: known.endedUs ?? known.onsetUs }, null, nowUs);
      }
      return this.#take();
    }
    const same = known ?? this.#sameEvent(record, condition);
    if (same === null) {
      // What is over and signals nothing has nothing to tell, except a seizure: our own detections of it may still come.
      if (record.state !== 'ended' || condition === 'seizure') this.#adopt(record, condition, nowUs);
    } else {
      if (known === null) this.#tellMerged(alarmId, record, same, sender, nowUs);
      else if (!known.senders.includes(sender)) this.#change(known, 'updated', nowUs, {}, sender);
      this.#followForeign(record, condition, same.alarmId, nowUs);
    }
    return this.#take();
  }

  // ---- what a device's watchers say -------------------------------------------------------------------------------------------------

  #judge(device: string, statement: Statement, nowUs: number): void {
    const aspects = this.#aspectsOf(device, statement.condition);
    if (!statement.holds) {
      if (aspects.size === 0) return;
      aspects.delete(statement.aspect);
      const endedUs = statement.endedUs ?? nowUs;
      // Our own watcher saw the same data as a gateway's, and newer data than the log.
      for (const [aspect, holding] of aspects)
        if (holding === null || (isForeign(aspect) && (holding.sinceUs ?? 0) < endedUs)) aspects.delete(aspect);
      const current = this.#current(device, statement.condition);
      if (aspects.size === 0 && current !== null && current.endedUs === null) this.#over(current, endedUs, statement.text, nowUs);
      return;
    }
    const isKnown = aspects.delete(RESTORED) || aspects.has(statement.aspect);
    aspects.set(statement.aspect, statement);
    const current = this.#current(device, statement.condition);
    if (current === null) this.#raise(device, statement, nowUs);
    else if (current.endedUs !== null)
      this.#change(current, 'condition-returned', nowUs, { ...valuesOf(statement), state: 'active', endedUs: null });
    else if (isHigher(statement.priority, current.priority))
      this.#change(current, 'escalated', nowUs, { ...valuesOf(statement), state: 'active' });
    else if (!isKnown) {
      // One more of its streams: who acknowledged did not know of it.
      const text = [...aspects.values()]
        .flatMap((holding) => holding?.text ?? [])
        .join('; ')
        .slice(0, MAX_TEXT);
      this.#change(current, current.state === 'acknowledged' ? 're-alarmed' : 'updated', nowUs, { text, state: 'active' });
    }
  }

  #raise(device: string, statement: Holding, nowUs: number, told?: { readonly alarmId: string; readonly by: string }): void {
    const { condition } = statement;
    const sinceUs = statement.sinceUs ?? nowUs;
    const alarmId = told?.alarmId ?? alarmIdOf(device, condition, sinceUs);
    const before = this.#book.get(alarmId);
    const values = { ...valuesOf(statement), state: 'active', endedUs: null } as const;
    if (before !== null) this.#change(before, 'condition-returned', nowUs, values, told?.by);
    else
      this.#emit({
        ...this.#aboutDevice(device, nowUs),
        ...values,
        alarmId,
        condition,
        transition: 'raised',
        onsetUs: sinceUs,
        replay: statement.replay,
        by: told?.by ?? '',
      });
  }

  #over(alarm: AlarmInfo, endedUs: number, text: string, nowUs: number): void {
    const staysLatched = isLatching(alarm.condition) && alarm.state === 'active';
    this.#change(alarm, staysLatched ? 'condition-ended' : 'ended', nowUs, { state: staysLatched ? 'latched' : 'ended', endedUs, text });
  }

  #acknowledge(alarm: AlarmInfo, by: string, nowUs: number): void {
    this.#change(alarm, 'acknowledged', nowUs, { state: alarm.endedUs === null ? 'acknowledged' : 'ended' }, by);
  }

  #resume(device: string, by: string, nowUs: number): void {
    const text = by === '' ? 'the pause is over; what still holds sounds again' : 'the pause was ended; what still holds sounds again';
    this.#emit({ ...this.#aboutDevice(device, nowUs), transition: 'resumed', by, text });
  }

  // ---- seizures ---------------------------------------------------------------------------------------------------------------------

  #followEpisode({ device, model, replay }: DetectionInput, episode: Episode, nowUs: number): void {
    const found = this.#book.of(device, 'seizure').filter((alarm) => this.#touches(alarm, episode));
    const open = this.#book.of(device, 'seizure').filter(({ state }) => state !== 'ended');
    const newest = open.at(-1);
    // Somebody is told already, many times over; one more line for each is no help and has no bound.
    if (found.length === 0 && newest !== undefined && open.length >= alarmLimits.openPerDevice) found.push(newest);
    if (found.length === 0) {
      const alarmId = alarmIdOf(device, 'seizure', episode.onsetUs);
      if (episode.holds) this.#holdersOf(alarmId).add(ownModel(model));
      this.#seenUntilUs.set(alarmId, episode.endUs);
      this.#emit({
        ...this.#aboutDevice(device, nowUs),
        alarmId,
        condition: 'seizure',
        priority: 'high',
        state: episode.holds ? 'active' : 'latched',
        transition: 'raised',
        onsetUs: episode.onsetUs,
        endedUs: episode.holds ? null : episode.endUs,
        value: episode.peak,
        limit: this.#rule.on,
        channel: episode.channel,
        replay,
        text: episode.holds
          ? 'seizure pattern detected'
          : `seizure pattern found in data that came late: over, ${secondsOf(episode)} s from first to last window`,
      });
      return;
    }
    const [first, ...others] = found.sort((a, b) => a.raisedAtUs - b.raisedAtUs || (a.alarmId < b.alarmId ? -1 : 1));
    if (first === undefined) return;
    this.#absorb(first, others, nowUs);
    const holders = this.#holdersOf(first.alarmId);
    holders.delete(RESTORED);
    if (episode.holds) holders.add(ownModel(model));
    else holders.delete(ownModel(model));
    this.#settle(first, others, episode, episode, nowUs);
  }

  #absorb(first: AlarmInfo, others: readonly AlarmInfo[], nowUs: number): void {
    const holders = this.#holdersOf(first.alarmId);
    for (const other of others) {
      for (const holder of this.#holdersOf(other.alarmId)) holders.add(holder);
      this.#holders.delete(other.alarmId);
      this.#seenUntilUs.delete(other.alarmId);
      this.#tellMerged(other.alarmId, other, first, '', nowUs);
    }
  }

  /** Brings an alarm to what is known of its stretch and of who says that it goes on. */
  #settle(
    alarm: AlarmInfo,
    others: readonly AlarmInfo[],
    stretch: Stretch,
    values: { readonly peak: number; readonly channel: number } | null,
    nowUs: number,
  ): void {
    const holds = this.#holdersOf(alarm.alarmId).size > 0;
    const isUnseen = [alarm, ...others].some(({ state }) => state === 'active' || state === 'latched');
    const onsetUs = Math.min(stretch.onsetUs, alarm.onsetUs, ...others.map((other) => other.onsetUs));
    const untilUs = Math.max(stretch.endUs, ...[alarm, ...others].map((one) => one.endedUs ?? Number.NEGATIVE_INFINITY));
    this.#seenUntilUs.set(alarm.alarmId, Math.max(untilUs, this.#seenUntilUs.get(alarm.alarmId) ?? untilUs));
    const endedUs = holds ? null : untilUs;
    const state = holds ? (isUnseen || alarm.state === 'ended' ? 'active' : 'acknowledged') : isUnseen ? 'latched' : 'ended';
    if (state === alarm.state && onsetUs === alarm.onsetUs && endedUs === alarm.endedUs) return;
    const hasReturned = alarm.endedUs !== null && holds;
    const hasEnded = alarm.endedUs === null && !holds;
    const seen = { onsetUs, endUs: untilUs };
    const text = hasReturned
      ? 'seizure pattern detected again'
      : hasEnded || !holds
        ? `seizure pattern over, ${secondsOf(seen)} s from first to last window`
        : 'seizure pattern detected';
    this.#change(
      alarm,
      hasReturned ? 'condition-returned' : hasEnded ? (state === 'ended' ? 'ended' : 'condition-ended') : 'updated',
      nowUs,
      { state, onsetUs, endedUs, text, ...(values === null ? {} : { value: values.peak, channel: values.channel }) },
    );
  }

  /** The newest windows speak against a seizure: then nothing older says any more that one goes on. */
  #followQuiet(device: string, model: string, nowUs: number): void {
    const quietUs = this.#tracks.quietSinceUs(device, model);
    if (quietUs === null) return;
    for (const alarm of this.#book.of(device, 'seizure')) {
      if (alarm.endedUs !== null || quietUs <= alarm.onsetUs) continue;
      const holders = this.#holdersOf(alarm.alarmId);
      for (const holder of holders) {
        const newestUs = this.#tracks.newestUs(device, holder.slice(ownModel('').length));
        if (!isOwnModel(holder) || newestUs === null || newestUs < quietUs) holders.delete(holder);
      }
      if (holders.size === 0)
        this.#settle(alarm, [], { onsetUs: alarm.onsetUs, endUs: this.#seenUntilUs.get(alarm.alarmId) ?? quietUs }, null, nowUs);
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

  // ---- other engines ----------------------------------------------------------------------------------------------------------------

  #sameEvent(record: AlarmRecord, condition: AlarmCondition): AlarmInfo | null {
    if (condition !== 'seizure') return this.#current(record.device, condition);
    const onsetUs = record.onsetUs ?? record.atUs;
    const endUs = record.endedUs ?? Number.POSITIVE_INFINITY;
    return this.#book.of(record.device, condition).find((alarm) => this.#touches(alarm, { onsetUs, endUs })) ?? null;
  }

  #adopt(record: AlarmRecord, condition: AlarmCondition, nowUs: number): void {
    const { sender, alarmId, device } = record;
    if (condition !== 'seizure') {
      const statement = statementOf(record, condition);
      if (!statement.holds) return;
      this.#aspectsOf(device, condition).set(statement.aspect, statement);
      this.#raise(device, statement, nowUs, { alarmId, by: sender });
      if (record.state === 'acknowledged') this.#followForeign({ ...record, transition: 'acknowledged' }, condition, alarmId, nowUs);
      return;
    }
    if (record.endedUs === null) this.#holdersOf(alarmId).add(foreignAspect(sender));
    this.#emit({ ...record, sender: this.#sender, transition: 'raised', atUs: nowUs, by: sender });
  }

  #followForeign(record: AlarmRecord, condition: AlarmCondition, alarmId: string, nowUs: number): void {
    if (condition !== 'seizure') this.#judge(record.device, statementOf(record, condition), nowUs);
    else {
      const alarm = this.#book.get(alarmId);
      const holders = this.#holdersOf(alarmId);
      if (record.endedUs === null) holders.add(foreignAspect(record.sender));
      else holders.delete(foreignAspect(record.sender));
      const onsetUs = record.onsetUs ?? alarm?.onsetUs ?? record.atUs;
      if (alarm !== null) this.#settle(alarm, [], { onsetUs, endUs: record.endedUs ?? onsetUs }, null, nowUs);
    }
    const alarm = this.#book.get(alarmId);
    const isSignalled = alarm?.state === 'active' || alarm?.state === 'latched';
    if (record.transition === 'acknowledged' && alarm !== null && isSignalled) this.#acknowledge(alarm, record.by, nowUs);
  }

  #tellMerged(alarmId: string, gone: AlarmInfo | AlarmRecord, into: AlarmInfo, by: string, nowUs: number): void {
    this.#emit({
      ...this.#aboutDevice(into.device, nowUs),
      alarmId,
      condition: into.condition,
      priority: gone.priority,
      state: 'ended',
      transition: 'merged',
      onsetUs: gone.onsetUs,
      endedUs: gone.endedUs,
      replay: gone.replay,
      by,
      mergedInto: into.alarmId,
      text: `the same event as alarm ${into.alarmId}`,
    });
  }

  // ---- records ----------------------------------------------------------------------------------------------------------------------

  #change(alarm: AlarmInfo, transition: AlarmRecord['transition'], nowUs: number, patch: Partial<AlarmRecord>, by = ''): void {
    const { device, alarmId, condition, priority, state, onsetUs, endedUs, value, limit, channel, replay, text } = alarm;
    const whole = { device, alarmId, condition, priority, state, onsetUs, endedUs, value, limit, channel, replay, text };
    this.#emit({ ...this.#aboutDevice(device, nowUs), ...whole, ...patch, transition, by });
  }

  #emit(record: AlarmRecord): void {
    this.#book.apply(record);
    if (record.state === 'ended' || record.endedUs !== null) this.#forgetIfOver(record);
    this.#records.push(record);
  }

  #forgetIfOver({ alarmId, condition, endedUs }: AlarmRecord): void {
    if (condition !== 'seizure' || endedUs === null) return;
    this.#seenUntilUs.delete(alarmId);
    if (this.#holders.get(alarmId)?.size === 0) this.#holders.delete(alarmId);
  }

  #take(): readonly AlarmRecord[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  #aboutDevice(device: string, nowUs: number): Omit<AlarmRecord, 'transition'> {
    return {
      sender: this.#sender,
      device,
      alarmId: '',
      condition: null,
      priority: 'low',
      state: 'active',
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: null,
      replay: null,
      text: '',
      atUs: nowUs,
    };
  }

  #current(device: string, condition: AlarmCondition): AlarmInfo | null {
    return this.#book.of(device, condition).findLast(({ state }) => state !== 'ended') ?? null;
  }

  #aspectsOf(device: string, condition: AlarmCondition): Map<string, Holding | null> {
    return madeOnce(this.#aspects, `${device}\n${condition}`, () => new Map<string, Holding | null>());
  }

  #holdersOf(alarmId: string): Set<string> {
    return madeOnce(this.#holders, alarmId, () => new Set<string>());
  }
}

const MAX_TEXT = 300;

function madeOnce<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function valuesOf({ priority, value, limit, channel, text }: Holding) {
  return { priority, value, limit, channel, text };
}

function isHigher(a: AlarmPriority, b: AlarmPriority): boolean {
  return rankOfPriority(a) > rankOfPriority(b);
}

function higher(a: AlarmPriority, b: AlarmPriority): AlarmPriority {
  return isHigher(a, b) ? a : b;
}

function secondsOf({ onsetUs, endUs }: Stretch): number {
  return Math.round((endUs - onsetUs) / 1_000_000);
}

function ownModel(model: string): string {
  return `model:${model}`;
}

function isOwnModel(holder: string): boolean {
  return holder.startsWith(ownModel(''));
}

function foreignAspect(sender: string): string {
  return `sender:${sender}`;
}

function isForeign(aspect: string): boolean {
  return aspect.startsWith(foreignAspect(''));
}

function statementOf(record: AlarmRecord, condition: AlarmCondition): Statement {
  const { sender, endedUs, priority, onsetUs, atUs, value, limit, channel, replay, text } = record;
  const aspect = foreignAspect(sender);
  if (endedUs !== null || record.state === 'ended') return { condition, aspect, holds: false, endedUs, text };
  return { condition, aspect, holds: true, priority, sinceUs: onsetUs ?? atUs, value, limit, channel, replay, text };
}
