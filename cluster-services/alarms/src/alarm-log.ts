import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Alarm, type ClockState, decodeMessage, derivedId, encodeMessage, formatTopic, newRecordingId } from '@vitalwire/contract';
import type { Outbox } from '@vitalwire/outbox';
import type { Clock, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import { KeptJson, RecentMap } from '@vitalwire/runtime';
import { type AlarmRecord, recordOf } from '@vitalwire/vitals';
import { z } from 'zod';

export type AlarmLogOptions = {
  readonly sender: string;
  readonly dataDir: string;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
  readonly log: Log;
  /** The fence of the shard that a device belongs to. */
  readonly fenceOf: (device: string) => number;
  readonly publishLive: (topic: string, bytes: Uint8Array) => void;
  /** Each line as it is numbered. */
  readonly onLine: (alarm: Alarm) => void;
};

/** Lines of its own that an outbox gives back at the start: weeks of alarms. */
const MAX_EARLIER = 50_000;
/** Lines that wait for a disk that is full; beyond it of each alarm only the newest line is kept, for as many alarms. All are shown. */
const MAX_WAITING = 10_000;
/** A line is shown when it is on the disk, or after this: whoever watches must not wait for a slow disk. */
const LIVE_AFTER_MS = 100;
const AGAIN_MS = 2_000;

const LogFile = z.object({ logId: z.string() });
type Waiting = { readonly alarm: Alarm; told: boolean };
type Numbered = { readonly logId: string; readonly seq: number; readonly atUs: number };

/**
 * Numbers the records of the engine into this service's log and sends them: committed to the outbox, from where they reach the cluster's
 * database whatever happens, and at once on the live lane. The outbox is also the memory over a restart.
 *
 * What has no place any more while the disk is full is shown under a log of its own, which is never stored, with numbers that go on: so screens
 * follow, and the numbers of the stored log have no hole. As a line holds the whole state, the newest of each alarm is enough to keep.
 */
export class AlarmLog implements Lifecycle {
  readonly #options: AlarmLogOptions;
  #logId = '';
  #nextSeq = 0;
  #earlier: readonly Alarm[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #newest = new RecentMap<string, AlarmRecord>(MAX_WAITING, () => {
    this.#liveOnly += 1;
  }); // by alarm: what comes into the log when there is room again; last = changed last
  #overflowId = '';
  #lastAtUs = 0;
  #shownOnly = 0; // lines of the log that is never stored
  #writing = false;
  #stopped = false;
  #again: Timer | null = null;
  #written = 0;
  #liveOnly = 0;

  constructor(options: AlarmLogOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length + this.#newest.size;
  }

  /** Lines committed since the start, and lines that were shown and are not kept: later ones say more. */
  get counts(): { readonly written: number; readonly liveOnly: number } {
    return { written: this.#written, liveOnly: this.#liveOnly };
  }

  /** What this service wrote before, oldest first. */
  get earlier(): readonly Alarm[] {
    return this.#earlier;
  }

  /** The outbox has been started before. */
  async start(): Promise<void> {
    const { sender, dataDir, outbox, clock, log } = this.#options;
    const file = new KeptJson({ path: join(dataDir, 'alarm-log.json'), schema: LogFile, what: 'which alarm log is continued', log });
    const rows = await outbox.recent(0, MAX_EARLIER);
    this.#earlier = rows.flatMap(({ message }) => {
      const decoded = decodeMessage(message);
      return decoded.ok && decoded.value.stream === 'alarm' ? [decoded.value] : [];
    });
    const logId = (await file.load())?.logId ?? '';
    const last = this.#earlier.findLast(({ subject }) => subject === logId);
    // A log whose end is not known is not continued: a number given twice would be a line lost.
    this.#logId = last === undefined ? newRecordingId(sender, clock.nowMs(), randomBytes(6)) : logId;
    this.#nextSeq = last === undefined ? 0 : last.seq + 1;
    this.#overflowId = newRecordingId(sender, clock.nowMs(), randomBytes(6));
    if (last === undefined) await file.save({ logId: this.#logId });
  }

  async stop(): Promise<void> {
    this.#again?.cancel();
    await this.#pump();
    this.#stopped = true;
  }

  /** Each record becomes the next line. Never waits, never fails: what cannot be written yet is tried again. */
  write(records: readonly AlarmRecord[]): void {
    for (const record of records) {
      if (this.#newest.size > 0 || this.#waiting.length >= MAX_WAITING) {
        this.#showOnly(record);
        continue;
      }
      const alarm = this.#lineOf(record, this.#next(this.#logId, record.atUs));
      const waiting: Waiting = { alarm, told: false };
      this.#waiting.push(waiting);
      this.#options.onLine(alarm);
      this.#options.clock.setTimer(LIVE_AFTER_MS, () => this.#tell(waiting));
    }
    void this.#pump();
  }

  #showOnly(record: AlarmRecord): void {
    const key = record.alarmId === '' ? `${record.device} ${record.transition}` : record.alarmId;
    if (this.#newest.delete(key)) this.#liveOnly += 1;
    this.#newest.set(key, record);
    // Its clock never goes back: towards another log screens go by it.
    const atUs = Math.max(record.atUs, this.#lastAtUs + 1);
    const alarm = this.#lineOf(record, this.#next(this.#overflowId, atUs));
    this.#options.log.error(
      { alarmId: alarm.alarmId, transition: alarm.transition },
      'an alarm line is shown and waits: too many wait for the disk',
    );
    this.#options.onLine(alarm);
    this.#tell({ alarm, told: false });
  }

  /** There is room again: the newest line of each alarm comes into the log. They were shown. */
  #takeNewest(): void {
    for (const record of this.#newest.values()) {
      const alarm = this.#lineOf(record, this.#next(this.#logId, record.atUs));
      this.#options.onLine(alarm);
      this.#waiting.push({ alarm, told: true });
    }
    this.#newest.clear();
  }

  async #pump(): Promise<void> {
    if (this.#writing || this.#stopped) return;
    this.#writing = true;
    const { outbox, clock, log } = this.#options;
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        const group = this.#waiting.slice(0, 100);
        await outbox.append(group.map(({ alarm }) => ({ step: 'message', device: alarm.device, message: alarm })));
        this.#waiting.splice(0, group.length);
        this.#written += group.length;
        for (const one of group) this.#tell(one);
        if (this.#waiting.length === 0) this.#takeNewest();
      }
    } catch (error) {
      log.error({ err: error, waiting: this.#waiting.length }, 'alarm lines cannot be written; they are shown, and tried again');
      if (!this.#stopped) this.#again = clock.setTimer(AGAIN_MS, () => void this.#pump());
    } finally {
      this.#writing = false;
    }
  }

  #tell(waiting: Waiting): void {
    if (waiting.told) return;
    waiting.told = true;
    const { alarm } = waiting;
    this.#options.publishLive(formatTopic(this.#options.sender, alarm.device, 'alarm', true), encodeMessage(alarm));
  }

  #next(logId: string, atUs: number): Numbered {
    const isKept = logId === this.#logId;
    const seq = this.#nextSeq + (isKept ? 0 : this.#shownOnly++);
    if (isKept) this.#nextSeq += 1;
    this.#lastAtUs = Math.max(this.#lastAtUs, atUs);
    return { logId, seq, atUs };
  }

  #lineOf({ atUs: _, ...record }: AlarmRecord, { logId, seq, atUs }: Numbered): Alarm {
    return {
      ...record,
      stream: 'alarm',
      recordingId: derivedId(logId, 'alarm'),
      subject: logId,
      seq,
      measuredAtUs: atUs,
      clock: this.#options.clockState(),
      fence: this.#options.fenceOf(record.device),
    };
  }
}

export type LogLine = AlarmRecord & { readonly logId: string; readonly seq: number };

/** Lines of several logs, each once, in the order they were made: in a log by its numbers, even if its wall clock was set back. */
export function inOrder(lines: readonly LogLine[]): LogLine[] {
  const unique = [...new Map(lines.map((line) => [`${line.logId}/${line.seq}`, line])).values()].sort((a, b) => a.seq - b.seq);
  const newestUs = new Map<string, number>();
  const timed = unique.map((line) => {
    const orderUs = Math.max(line.atUs, newestUs.get(line.logId) ?? line.atUs);
    newestUs.set(line.logId, orderUs);
    return { line, orderUs };
  });
  return timed.sort((a, b) => a.orderUs - b.orderUs).map(({ line }) => line); // stable: equal times keep the order of their numbers
}

export function logLineOf(alarm: Alarm): LogLine {
  return { ...recordOf(alarm), logId: alarm.subject, seq: alarm.seq };
}
