import {
  type AlarmCondition,
  type AlarmInfo,
  type AlarmPause,
  type AlarmPriority,
  isNumeric,
  numericConditionOf,
  RecentMap,
} from '@vitalwire/contract';
import type { BookState } from './alarm-book.ts';
import { isPaused } from './audible.ts';
import { ClockWatch, type Measured } from './clock-watch.ts';
import { ConditionAlarms } from './condition-alarms.ts';
import { EegTakes } from './eeg-takes.ts';
import { type FocalNews, FocalWatch } from './focal-watch.ts';
import { type NumericInput, NumericWatch } from './numeric-watch.ts';
import { type AlarmRecord, isHigher } from './record.ts';
import { RecordWriter } from './record-writer.ts';
import { alarmLimits, maxPauseUs, reAlarmUs, type SeizureRule, seizureRule, unansweredUrgentUs } from './rules.ts';
import { SeizureAlarms } from './seizure-alarms.ts';
import { type DetectionInput, SignalWatch } from './signal-watch.ts';
import type { Statement } from './statement.ts';

export type EngineOptions = {
  /** Who decides: the service, or the gateway. */
  readonly sender: string;
  readonly rule?: SeizureRule;
};

export type RecordingEnding = {
  readonly device: string;
  readonly atUs: number; // data time, end of its last reading
  readonly take?: string;
  readonly recording?: string;
};

/** What somebody asked for was done, or why not. */
export type Asked =
  | { readonly ok: true; readonly records: readonly AlarmRecord[] }
  | { readonly ok: false; readonly reason: 'unknown-alarm' | 'already-ended' | 'pause-too-long' };

/**
 * Decides what is an alarm: readings, detections and statements in, log records out. Conditions run on data time; acknowledgement, pause
 * and re-alarm on the wall clock that is handed in. It does no I/O and has no timers; `tick` moves the wall clock on.
 *
 * Every change of state is a record, and `replay` of the records gives the same state. What is not in the log (windows, runs of bad
 * signal) only delays: an alarm that the log says holds is ended when somebody who watches says so, never for want of news.
 */
export class AlarmEngine {
  readonly #writer: RecordWriter;
  readonly #seizures: SeizureAlarms;
  readonly #conditions: ConditionAlarms;
  readonly #signals = new RecentMap<string, OfTake<SignalWatch>>(alarmLimits.timelines);
  readonly #focal = new RecentMap<string, FocalWatch>(alarmLimits.timelines);
  readonly #numerics = new RecentMap<string, OfTake<NumericWatch>>(alarmLimits.timelines); // by device and vital
  readonly #clocks = new ClockWatch();
  readonly #takes = new EegTakes();

  constructor({ sender, rule = seizureRule }: EngineOptions) {
    this.#writer = new RecordWriter(sender);
    this.#seizures = new SeizureAlarms(this.#writer, rule);
    this.#conditions = new ConditionAlarms(this.#writer);
  }

  /** Restores the state from log lines, oldest first: its own, of earlier runs or of another worker. Nothing is decided. */
  replay(records: Iterable<AlarmRecord>): void {
    for (const record of records) {
      this.#writer.book.apply(record);
      const alarm = record.alarmId === '' ? null : this.#writer.book.get(record.alarmId);
      if (alarm?.condition === 'seizure') this.#seizures.restore(alarm);
      else if (alarm !== null) this.#conditions.restore(alarm);
    }
  }

  /** What the log has said so far. */
  state(): BookState {
    return this.#writer.book.state();
  }

  /** Everything that has not ended, and the pauses. */
  now(): { readonly alarms: AlarmInfo[]; readonly pauses: AlarmPause[] } {
    return { alarms: this.#writer.book.open(), pauses: this.#writer.book.pauses() };
  }

  /** The alarm of this id, or the one it was merged into. */
  alarm(alarmId: string): AlarmInfo | null {
    return this.#writer.book.get(alarmId);
  }

  /** A window of EEG that was scored, or refused. In any order, any number of times. */
  detection(input: DetectionInput, nowUs: number): readonly AlarmRecord[] {
    const { device } = input;
    const placed = { ...input, take: this.#takes.of(input, nowUs) };
    for (const statement of watchOf(this.#signals, placed, () => new SignalWatch()).take(placed))
      this.#conditions.judge(device, statement, nowUs);
    this.#seizures.detection(placed, nowUs);
    this.#judgeFocal(device, this.#focalOf(device).take(placed), nowUs);
    return this.#writer.take();
  }

  /** A recording of EEG ended at this data time, and none goes on at once: a seizure in it is not seen any more. In any order with its windows. */
  recordingEnded({ device, atUs, take = '', recording }: RecordingEnding, nowUs: number): readonly AlarmRecord[] {
    const placed = this.#takes.ofRecording(device, take, recording);
    this.#seizures.recordingEnded(device, placed, atUs, nowUs);
    this.#judgeFocal(device, this.#focal.get(device)?.recordingEnded(placed, atUs) ?? [], nowUs);
    return this.#writer.take();
  }

  /** A numeric vital of a device that sends what it measures; a phone's export is history and is not given here. */
  numeric(input: NumericInput, nowUs: number): readonly AlarmRecord[] {
    const { device, stream, atUs, clock = null, replay } = input;
    const { shiftUs, isHistory } = this.#judgeClock({ device, stream, atUs, clock, replay }, nowUs);
    if (isHistory) return this.#writer.take();
    const watch = watchOf(this.#numerics, input, () => new NumericWatch(stream));
    for (const statement of watch.read({ ...input, atUs: atUs + shiftUs }, nowUs)) this.#conditions.judge(device, statement, nowUs);
    return this.#writer.take();
  }

  /** Something was measured then: whether its clock can be right is a condition of its own. */
  clock(measured: Measured, nowUs: number): readonly AlarmRecord[] {
    this.#judgeClock(measured, nowUs);
    return this.#writer.take();
  }

  /** A condition that somebody else watches: silence, gateways, storage, the model. */
  statement(device: string, statement: Statement, nowUs: number): readonly AlarmRecord[] {
    this.#conditions.judge(device, statement, nowUs);
    if (statement.condition === 'no-data' && statement.aspect === 'eeg' && statement.holds) this.#seizures.silent(device, nowUs);
    if (statement.condition === 'no-data' && isNumeric(statement.aspect) && statement.holds)
      for (const lost of this.#numerics.get(watchKey(device, statement.aspect))?.watch.lost() ?? [])
        this.#conditions.judge(device, lost, nowUs);
    return this.#writer.take();
  }

  acknowledge(alarmId: string, by: string, nowUs: number): Asked {
    const alarm = this.#writer.book.get(alarmId);
    if (alarm === null) return { ok: false, reason: 'unknown-alarm' };
    if (alarm.state === 'ended') return { ok: false, reason: 'already-ended' };
    this.#writer.acknowledge(alarm, by, nowUs);
    return { ok: true, records: this.#writer.take() };
  }

  /** Silences a device for at most `maxPauseUs` from now; 0 seconds ends it. What is above everything now signalled breaks through. */
  pause(device: string, seconds: number, by: string, nowUs: number): Asked {
    if (!(seconds >= 0 && seconds * 1_000_000 <= maxPauseUs)) return { ok: false, reason: 'pause-too-long' };
    const { book } = this.#writer;
    if (seconds > 0) {
      const signalled = book.ofDevice(device).filter(({ state }) => state !== 'ended');
      const above = signalled.reduce<AlarmPriority>((most, { priority }) => (isHigher(priority, most) ? priority : most), 'low');
      const text = `sound paused for ${seconds} s; only what is above ${above} priority sounds`;
      const untilUs = nowUs + Math.round(seconds * 1_000_000);
      this.#writer.emit({ ...this.#writer.about(device, nowUs), transition: 'paused', priority: above, untilUs, by, text });
    } else if (book.pause(device) !== null) this.#resume(device, by, nowUs);
    return { ok: true, records: this.#writer.take() };
  }

  /** Writes into the log that the limits of a device are others now; saying the same again writes nothing. */
  limitsChanged(device: string, by: string, text: string, nowUs: number): readonly AlarmRecord[] {
    if (this.#writer.book.limitsText(device) !== text)
      this.#writer.emit({ ...this.#writer.about(device, nowUs), transition: 'limits-changed', by, text });
    return this.#writer.take();
  }

  /** The wall clock moves on: re-alarms, what nobody answers, and pauses that end. */
  tick(nowUs: number): readonly AlarmRecord[] {
    const { book } = this.#writer;
    for (const { device, untilUs } of book.pauses()) if (nowUs >= untilUs || untilUs - nowUs > maxPauseUs) this.#resume(device, '', nowUs);
    for (const alarm of book.open()) {
      if (this.#isUnanswered(alarm, nowUs)) {
        const text = `${alarm.text}; nobody has answered for ${unansweredUrgentUs / 60_000_000} min`;
        this.#writer.change(alarm, 'escalated', nowUs, { priority: 'high', text });
      }
      if (alarm.state !== 'acknowledged' || alarm.endedUs !== null) continue;
      // Also when the wall clock was set back: then nobody knows how long it has been.
      const acknowledgedUs = Math.abs(nowUs - (alarm.acknowledgedAtUs ?? alarm.changedAtUs));
      if (acknowledgedUs >= reAlarmUs) this.#writer.change(alarm, 're-alarmed', nowUs, { state: 'active' });
    }
    return this.#writer.take();
  }

  /** A broken limit that has sounded for long. A pause is an answer for as long as it lasts. */
  #isUnanswered({ device, condition, priority, state, changedAtUs }: AlarmInfo, nowUs: number): boolean {
    if (!isLimit(condition) || priority !== 'medium' || state !== 'active') return false;
    return Math.abs(nowUs - changedAtUs) >= unansweredUrgentUs && !isPaused(this.#writer.book.pause(device), nowUs);
  }

  /** A line of another engine's log, a gateway's own. Both tell of one event: one alarm, with the first id and both senders. */
  foreign(record: AlarmRecord, nowUs: number): readonly AlarmRecord[] {
    const { sender, alarmId, condition, mergedInto } = record;
    if (sender === this.#writer.sender || alarmId === '' || condition === null) return [];
    const { book } = this.#writer;
    const known = book.get(alarmId);
    if (known !== null && known.device !== record.device) return []; // nobody changes an alarm by naming it on a device of its own
    if (mergedInto !== null) {
      const into = book.get(mergedInto);
      if (into !== null && into.device !== record.device) return [];
      if (known !== null && into !== null && known.alarmId !== into.alarmId) this.#seizures.join(into, known, nowUs);
      return this.#writer.take();
    }
    const same = known ?? this.#sameEvent(record, condition);
    if (same !== null) {
      if (known === null) this.#writer.merge(alarmId, record, same, sender, nowUs);
      else if (!known.senders.includes(sender)) this.#writer.change(known, 'updated', nowUs, {}, sender);
      this.#follow(record, condition, same.alarmId, nowUs);
    } else if (condition === 'seizure') this.#seizures.adopt(record, nowUs);
    else this.#conditions.adopt(record, condition, nowUs); // what is over and signals nothing has nothing to tell
    this.#followAcknowledgement(record, nowUs);
    return this.#writer.take();
  }

  #judgeFocal(device: string, news: readonly FocalNews[], nowUs: number): void {
    for (const { onsetUs, endUs, statement } of news) {
      // Windows read again after a restart pass through states that are over: only what reaches beyond a known alarm's end is new.
      const isKnown = this.#writer.book
        .of(device, 'focal-seizure')
        .some((alarm) => alarm.endedUs !== null && alarm.onsetUs <= endUs && alarm.endedUs >= endUs && onsetUs <= alarm.endedUs);
      if (!isKnown) this.#conditions.judge(device, statement, nowUs);
    }
  }

  #focalOf(device: string): FocalWatch {
    const watch = this.#focal.get(device) ?? new FocalWatch();
    this.#focal.renew(device, watch);
    return watch;
  }

  #judgeClock(measured: Measured, nowUs: number): ReturnType<ClockWatch['take']> {
    const placed = this.#clocks.take(measured, nowUs);
    for (const statement of placed.statements) this.#conditions.judge(measured.device, statement, nowUs);
    return placed;
  }

  #sameEvent(record: AlarmRecord, condition: AlarmCondition): AlarmInfo | null {
    return condition === 'seizure' ? this.#seizures.sameEvent(record) : this.#conditions.current(record.device, condition);
  }

  #follow(record: AlarmRecord, condition: AlarmCondition, alarmId: string, nowUs: number): void {
    const alarm = this.#writer.book.get(alarmId);
    if (condition !== 'seizure') this.#conditions.follow(record, condition, nowUs);
    else if (alarm !== null) this.#seizures.follow(record, alarm, nowUs);
  }

  /** Whoever acknowledged it at the bedside has seen it. */
  #followAcknowledgement({ alarmId, transition, by }: AlarmRecord, nowUs: number): void {
    const alarm = this.#writer.book.get(alarmId);
    if (transition !== 'acknowledged' || alarm === null) return;
    if (alarm.state === 'active' || alarm.state === 'latched') this.#writer.acknowledge(alarm, by, nowUs);
  }

  #resume(device: string, by: string, nowUs: number): void {
    const text = by === '' ? 'the pause is over; what still holds sounds again' : 'the pause was ended; what still holds sounds again';
    this.#writer.emit({ ...this.#writer.about(device, nowUs), transition: 'resumed', by, text });
  }
}

function isLimit(condition: AlarmCondition): boolean {
  const side = numericConditionOf(condition)?.side;
  return side === 'high' || side === 'low';
}

/** A watch follows one take: what is measured in another has a time of its own. */
type OfTake<Watch> = { readonly take: string; readonly watch: Watch };

/** The watch of a device, or of one vital of it; at the limit the one used for longest without a word starts anew when it is heard again. */
function watchOf<Watch>(
  watches: RecentMap<string, OfTake<Watch>>,
  { device, stream, take = '' }: { readonly device: string; readonly stream?: string; readonly take?: string },
  make: () => Watch,
): Watch {
  const key = watchKey(device, stream);
  const before = watches.get(key);
  const now = before !== undefined && before.take === take ? before : { take, watch: make() };
  watches.renew(key, now);
  return now.watch;
}

function watchKey(device: string, stream = ''): string {
  return `${device}\n${stream}`;
}
