import {
  type Alarm,
  type AlarmCondition,
  type AlarmInfo,
  type AlarmLine,
  type AlarmPause,
  type AlarmsNow,
  derivedId,
} from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/runtime';
import { categoryOf, compareAlarms } from '@vitalwire/vitals';
import type { KeptBoard } from './kept-ward.ts';

export type BoardLimits = { readonly maxAlarms: number; readonly maxPauses: number };
const boardLimits: BoardLimits = { maxAlarms: 20_000, maxPauses: 10_000 };

/** The only service that may send alarms (the front door sees to it); everybody else who does is a gateway. */
export const ALARMS_SERVICE = 'alarms';

/** A late line about an unknown alarm waits this long for the lines that follow it: most alarms of a backlog have ended. */
const LATE_MS = 3_000;

/** What one sender last said of one alarm. `seq` is null where it was told by the service's answer and not by its log. */
type Told = { info: AlarmInfo; logId: string; seq: number | null; saidAtUs: number; heardAtMs: number };
type Known = { readonly bySender: Map<string, Told>; mergedInto: string | null };
type PauseTold = { pause: AlarmPause; saidAtUs: number };

/**
 * Every alarm that has not ended and every pause, from the lines of several logs. A line holds the whole state, so the newest line of an
 * alarm counts, by the order of its log: repeats and late copies change nothing. What the alarms service says of an alarm wins over what a
 * gateway says of it; a gateway's word counts while the service has said nothing.
 */
export class AlarmBoard {
  readonly #limits: BoardLimits;
  readonly #known = new Map<string, Known>(); // by device and alarm: nobody changes an alarm by naming it on a device of its own
  readonly #pauses: RecentMap<string, PauseTold>; // by device; `untilUs` 0 = ended
  readonly #late = new Map<string, { readonly line: Alarm; readonly condition: AlarmCondition; readonly heardAtMs: number }>();
  #serviceAsOfUs = Number.NEGATIVE_INFINITY; // by the service's clock: what it said before that is in its answer
  #changed = new Set<string>(); // devices
  #shown: readonly AlarmInfo[] | null = null; // null = to be made again
  #refused = 0;
  #revision = 0;

  constructor(limits: BoardLimits = boardLimits) {
    this.#limits = limits;
    this.#pauses = new RecentMap(limits.maxPauses);
  }

  /** Alarms not kept because of the limit. */
  get refused(): number {
    return this.#refused;
  }

  /** Another number whenever an alarm or a pause has changed. */
  get revision(): number {
    return this.#revision;
  }

  /** What has not ended, to be restored after a restart. */
  keep(): KeptBoard {
    const alarms = [...this.#known.values()].flatMap((known) => {
      if (effective(known)?.state === 'ended') return [];
      const { mergedInto } = known;
      return [...known.bySender].map(([sender, { info, logId, seq, saidAtUs }]) => ({ sender, info, logId, seq, saidAtUs, mergedInto }));
    });
    return { alarms, pauses: [...this.#pauses.values()].filter(({ pause }) => pause.untilUs > 0) };
  }

  /** What was open before a restart. It counts as heard before anything was asked, so that an answer that no longer names it ends it. */
  restore({ alarms, pauses }: KeptBoard): void {
    for (const { sender, info, logId, seq, saidAtUs, mergedInto } of alarms) {
      this.#set(sender, { info, logId, seq, saidAtUs, heardAtMs: Number.NEGATIVE_INFINITY });
      const known = this.#known.get(keyOf(info));
      if (known !== undefined && mergedInto !== null) known.mergedInto = mergedInto;
    }
    for (const told of pauses) this.#setPause(told);
  }

  /** One line of a log, from either lane, in any order and any number of times. Pulses are not for the board. */
  take(line: Alarm, nowMs: number): void {
    if (line.transition === 'paused' || line.transition === 'resumed') this.#takePause(line);
    else if (line.alarmId !== '' && line.condition !== null) this.#takeLine(line, line.condition, nowMs);
  }

  /** Lines from storage, where the service cannot be asked: oldest first, as it answers them. */
  takeStored(lines: readonly AlarmLine[], nowMs: number): void {
    for (const stored of lines) {
      const { logId, atUs, ...line } = stored;
      this.take(
        {
          ...line,
          stream: 'alarm',
          recordingId: derivedId(logId, 'alarm'),
          subject: logId,
          measuredAtUs: atUs,
          clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
          fence: 0,
        },
        nowMs,
      );
    }
  }

  /** What these senders said of these devices was never theirs to say. */
  forget(isForeign: (device: string, sender: string) => boolean): void {
    for (const [key, { bySender }] of this.#known) {
      for (const [sender, { info }] of bySender) {
        if (!isForeign(info.device, sender)) continue;
        bySender.delete(sender);
        this.#touch(info.device);
      }
      if (bySender.size === 0) this.#known.delete(key);
    }
    for (const [key, { line }] of this.#late) if (isForeign(line.device, line.sender)) this.#late.delete(key);
  }

  /** Devices of alarms that only a gateway told of, before a restart of this service, and that the stored log does not call open; since when. */
  doubtfulIn(open: readonly AlarmLine[]): ReadonlyMap<string, number> {
    const named = new Set(open.map(keyOf));
    const since = new Map<string, number>();
    for (const [key, { bySender }] of this.#known) {
      if (bySender.has(ALARMS_SERVICE) || named.has(key)) continue;
      for (const { info, heardAtMs } of bySender.values()) {
        if (info.state === 'ended' || heardAtMs !== Number.NEGATIVE_INFINITY) continue;
        since.set(info.device, Math.min(since.get(info.device) ?? info.raisedAtUs, info.raisedAtUs));
      }
    }
    return since;
  }

  /** Open alarms of which the service has told, and that its answer does not name. */
  unnamedIn(answer: AlarmsNow): string[] {
    const named = new Set(answer.alarms.map(({ alarmId }) => alarmId));
    return [...this.#known.values()].flatMap(({ bySender }) => {
      const told = bySender.get(ALARMS_SERVICE);
      return told === undefined || told.info.state === 'ended' || named.has(told.info.alarmId) ? [] : [told.info.alarmId];
    });
  }

  /**
   * The service's own answer, asked for at `askedAtMs`. What it does not name has ended only if the stored log, asked after it, does not call
   * it open either (`openInLog`; null = not known), and nothing was heard of it since: a worker that has just started, or decides
   * about other devices, names too little, and an alarm must not be lost by that.
   */
  takeAnswer(answer: AlarmsNow, openInLog: ReadonlySet<string> | null, askedAtMs: number, nowMs: number): void {
    this.#serviceAsOfUs = Math.max(this.#serviceAsOfUs, answer.nowUs);
    const unnamed = new Set(openInLog === null ? [] : this.unnamedIn(answer));
    for (const { bySender } of this.#known.values()) {
      const told = bySender.get(ALARMS_SERVICE);
      if (told === undefined || !unnamed.has(told.info.alarmId) || told.info.state === 'ended') continue;
      if (openInLog?.has(told.info.alarmId) === true || told.heardAtMs >= askedAtMs) continue;
      told.info = { ...told.info, state: 'ended' };
      this.#touch(told.info.device);
    }
    for (const info of answer.alarms) {
      const told = this.#known.get(keyOf(info))?.bySender.get(ALARMS_SERVICE);
      if (told !== undefined && told.saidAtUs > answer.nowUs) continue;
      const keepsSeq = told !== undefined && told.saidAtUs >= info.changedAtUs;
      this.#set(ALARMS_SERVICE, {
        info,
        logId: told?.logId ?? '',
        seq: keepsSeq ? told.seq : null,
        saidAtUs: Math.max(info.changedAtUs, told?.saidAtUs ?? 0),
        heardAtMs: nowMs,
      });
    }
    const running = new Set(answer.pauses.map(({ device }) => device));
    const over = [...this.#pauses].filter(([device, told]) => told.saidAtUs <= answer.nowUs && !running.has(device));
    for (const [device] of over) this.#endPause(device, answer.nowUs);
    for (const pause of answer.pauses) {
      const known = this.#pauses.get(pause.device);
      if (known === undefined || known.saidAtUs <= answer.nowUs) this.#setPause({ pause, saidAtUs: answer.nowUs });
    }
  }

  /** What has not ended, the worst first. */
  alarms(): readonly AlarmInfo[] {
    this.#shown ??= this.#makeShown();
    return this.#shown;
  }

  #makeShown(): AlarmInfo[] {
    const shown: AlarmInfo[] = [];
    const senders = new Map<string, Set<string>>();
    for (const [key, known] of this.#known) {
      // Hidden only behind an alarm that is known: in doubt an alarm is shown twice rather than not at all.
      const target = known.mergedInto !== null && this.#known.has(known.mergedInto) ? known.mergedInto : key;
      const names = senders.get(target) ?? new Set();
      senders.set(target, names);
      for (const [sender, { info }] of known.bySender) for (const name of [sender, ...info.senders]) names.add(name);
      const info = effective(known);
      if (target === key && info !== null && info.state !== 'ended') shown.push(info);
    }
    return shown.map((info) => ({ ...info, senders: [...(senders.get(keyOf(info)) ?? [])].sort() })).sort(compareAlarms);
  }

  pauses(nowUs: number): AlarmPause[] {
    const running: AlarmPause[] = [];
    for (const { pause } of this.#pauses.values()) if (pause.untilUs > nowUs) running.push(pause);
    return running.sort((a, b) => (a.device < b.device ? -1 : 1));
  }

  /** Devices whose alarms or pauses changed since this was last asked. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    if (changed.size > 0) this.#changed = new Set();
    return changed;
  }

  /** Called a few times a second: late lines that nothing followed are of alarms that are open after all. */
  settle(nowMs: number): void {
    for (const [key, { line, condition, heardAtMs }] of this.#late) {
      if (nowMs - heardAtMs < LATE_MS) continue;
      this.#late.delete(key);
      this.#apply(line, condition, nowMs);
    }
  }

  #takeLine(line: Alarm, condition: AlarmCondition, nowMs: number): void {
    const key = keyOf(line);
    const told = this.#known.get(key)?.bySender.get(line.sender);
    if (told !== undefined && !isNewer(line, told)) return;
    if (told === undefined && line.state !== 'ended' && this.#isHistory(line) && this.#late.size < this.#limits.maxAlarms) {
      const waiting = this.#late.get(key)?.line;
      if (waiting === undefined || waiting.recordingId !== line.recordingId || line.seq > waiting.seq)
        this.#late.set(key, { line, condition, heardAtMs: nowMs });
      return;
    }
    this.#late.delete(key);
    this.#apply(line, condition, nowMs);
  }

  // The service did not name it in an answer that is newer than this line: it has ended, or the answer was not whole.
  #isHistory({ sender, measuredAtUs }: Alarm): boolean {
    return sender === ALARMS_SERVICE && measuredAtUs <= this.#serviceAsOfUs;
  }

  #apply(line: Alarm, condition: AlarmCondition, nowMs: number): void {
    const { alarmId, device, sender } = line;
    const key = keyOf(line);
    const told = this.#known.get(key)?.bySender.get(sender);
    this.#set(sender, {
      info: infoOf(line, condition, told?.info ?? null),
      logId: line.recordingId,
      seq: line.seq,
      saidAtUs: line.measuredAtUs,
      heardAtMs: nowMs,
    });
    const record = this.#known.get(key);
    if (record !== undefined && line.mergedInto !== null && line.mergedInto !== alarmId)
      record.mergedInto = keyOf({ device, alarmId: line.mergedInto });
  }

  #set(sender: string, told: Told): void {
    const key = keyOf(told.info);
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size >= this.#limits.maxAlarms && !this.#forgetOneEnded()) {
        this.#refused += 1;
        return;
      }
      known = { bySender: new Map(), mergedInto: null };
      this.#known.set(key, known);
    }
    known.bySender.set(sender, told);
    this.#touch(told.info.device);
  }

  #touch(device: string): void {
    this.#revision += 1;
    this.#changed.add(device);
    this.#shown = null;
  }

  #forgetOneEnded(): boolean {
    for (const [key, known] of this.#known) {
      if (effective(known)?.state !== 'ended') continue;
      this.#known.delete(key);
      return true;
    }
    return false;
  }

  #takePause({ device, transition, untilUs, by, priority, measuredAtUs, sender }: Alarm): void {
    const known = this.#pauses.get(device);
    if (known !== undefined ? known.saidAtUs >= measuredAtUs : sender === ALARMS_SERVICE && measuredAtUs <= this.#serviceAsOfUs) return;
    if (transition === 'resumed' || untilUs === null) this.#endPause(device, measuredAtUs);
    else this.#setPause({ pause: { device, untilUs, by, above: priority }, saidAtUs: measuredAtUs });
  }

  // It stays known as ended, so that a late copy of its beginning does not bring it back.
  #endPause(device: string, saidAtUs: number): void {
    this.#setPause({ pause: { device, untilUs: 0, by: '', above: 'low' }, saidAtUs });
  }

  #setPause(told: PauseTold): void {
    const { device } = told.pause;
    this.#pauses.renew(device, told);
    this.#touch(device);
  }
}

function keyOf({ device, alarmId }: Pick<AlarmInfo, 'device' | 'alarmId'>): string {
  return `${device}\n${alarmId}`;
}

/** Within one log its order counts; towards the service's answer, or a new log of the same sender, the sender's own clock. */
function isNewer(line: Alarm, told: Told): boolean {
  if (told.seq !== null && told.logId === line.recordingId) return line.seq > told.seq;
  return line.measuredAtUs > told.saidAtUs;
}

function effective({ bySender }: Known): AlarmInfo | null {
  const service = bySender.get(ALARMS_SERVICE);
  if (service !== undefined) return service.info;
  let newest: AlarmInfo | null = null;
  for (const { info } of bySender.values()) if (newest === null || info.changedAtUs > newest.changedAtUs) newest = info;
  return newest;
}

/** A line as a screen shows it, with what earlier lines of the same alarm said and a line does not repeat. */
function infoOf(line: Alarm, condition: AlarmCondition, before: AlarmInfo | null): AlarmInfo {
  const saidAtUs = line.measuredAtUs + line.clock.offsetUs; // the sender's clock, corrected as well as it is known
  const isAcknowledgement = line.transition === 'acknowledged';
  return {
    alarmId: line.alarmId,
    device: line.device,
    condition,
    category: categoryOf(condition),
    priority: line.priority,
    state: line.state,
    onsetUs: line.onsetUs ?? before?.onsetUs ?? line.measuredAtUs,
    endedUs: line.endedUs,
    raisedAtUs: line.transition === 'raised' ? saidAtUs : (before?.raisedAtUs ?? saidAtUs),
    changedAtUs: saidAtUs,
    acknowledgedAtUs: isAcknowledgement ? saidAtUs : (before?.acknowledgedAtUs ?? null),
    acknowledgedBy: isAcknowledgement ? line.by : (before?.acknowledgedBy ?? null),
    value: line.value,
    limit: line.limit,
    channel: line.channel,
    senders: [line.sender],
    replay: line.replay,
    text: line.text,
    ...(line.episodes === undefined ? {} : { episodes: line.episodes }),
  };
}
