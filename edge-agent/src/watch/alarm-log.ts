import { randomBytes } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { type Alarm, type ClockState, derivedId, isUuid, newRecordingId, numericConditionOf } from '@vitalwire/contract';
import { type Clock, type Log, readKept, writeKept } from '@vitalwire/runtime';
import { type AlarmRecord, recordOf } from '@vitalwire/vitals';

export type AlarmLogOptions = {
  readonly path: string;
  readonly gateway: string;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
  readonly log: Log;
};

/** Lines of the file; beyond it, at the next start, ended alarms go first. */
const MAX_LINES = 5_000;
const KEPT_LINES = 1_000;

type Line =
  | { readonly log: string; readonly next: number } // the log's id and the seq of the next line that is sent
  | { readonly alarm: Alarm } // sent to the cluster
  | { readonly local: AlarmRecord } // decided by limits that only this gateway used: shown here alone
  | { readonly sent: number }; // everything below this seq is in the outbox

/**
 * The gateway's alarm log, a line of JSON for each transition, on the disk before it is in the outbox: seq goes on over restarts, and
 * a line that did not reach the outbox is put into it at the next start. Putting it there twice changes nothing.
 */
export class AlarmLog {
  readonly #options: AlarmLogOptions;
  #lines: Line[] = [];
  #id = '';
  #next = 0;
  #sent = 0;
  #isWhole = false; // the file is what this log says

  constructor(options: AlarmLogOptions) {
    this.#options = options;
  }

  /** What happened before, oldest first. */
  get records(): AlarmRecord[] {
    return this.#lines.flatMap((line) => ('alarm' in line ? [recordOf(line.alarm)] : 'local' in line ? [line.local] : []));
  }

  /** Lines that are not known to be in the outbox. */
  get unsent(): Alarm[] {
    return this.#lines.flatMap((line) => ('alarm' in line && line.alarm.seq >= this.#sent ? [line.alarm] : []));
  }

  /** Rejects with KEPT_UNREADABLE, and leaves the file alone, when there is one that cannot be read now. */
  async load(): Promise<void> {
    const { path, gateway, clock, log } = this.#options;
    const text = (await readKept(path)) ?? '';
    try {
      this.#lines = readLines(text);
    } catch (error) {
      const aside = `${path}.damaged-${clock.nowMs()}`;
      await rename(path, aside);
      log.error({ err: error, aside }, 'the alarm log of this gateway was damaged: it is set aside and a new one begun');
      this.#lines = [];
    }
    for (const line of this.#lines) {
      if ('log' in line) [this.#id, this.#next] = [line.log, Math.max(this.#next, line.next)];
      else if ('alarm' in line) this.#next = Math.max(this.#next, line.alarm.seq + 1);
      else if ('sent' in line) this.#sent = Math.max(this.#sent, line.sent);
    }
    if (this.#id === '') this.#id = newRecordingId(gateway, clock.nowMs(), randomBytes(6));
    this.#lines = compacted(
      this.#lines.filter((line) => 'alarm' in line || 'local' in line),
      this.#sent,
    );
    await this.#write([]);
  }

  /** Writes records down and numbers those that are for the cluster. They are in memory even if the disk refuses. */
  async append(records: readonly AlarmRecord[]): Promise<Alarm[]> {
    const lines = records.map((record): Line => (isLocal(record) ? { local: record } : { alarm: this.#alarmOf(record) }));
    this.#lines.push(...lines);
    await this.#write(lines);
    return lines.flatMap((line) => ('alarm' in line ? [line.alarm] : []));
  }

  /** Everything below this seq is in the outbox. */
  async sent(seq: number): Promise<void> {
    if (seq <= this.#sent) return;
    this.#sent = seq;
    await this.#write([{ sent: seq }]);
  }

  #alarmOf({ atUs, ...record }: AlarmRecord): Alarm {
    return {
      stream: 'alarm',
      recordingId: derivedId(this.#id, 'alarm'),
      seq: this.#next++,
      measuredAtUs: atUs,
      clock: this.#options.clockState(),
      subject: this.#id,
      ...record,
      fence: 0,
    };
  }

  async #write(lines: readonly Line[]): Promise<void> {
    const { path, log } = this.#options;
    try {
      if (!this.#isWhole) {
        await writeKept(path, textOf([{ log: this.#id, next: this.#next }, { sent: this.#sent }, ...this.#lines]));
        this.#isWhole = true;
        return;
      }
      const file = await open(path, 'a', 0o600);
      try {
        await file.writeFile(textOf(lines));
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#isWhole = false; // an append that was cut short would garble the next: write all of it when it can be written again
      log.error({ err: error, path }, 'the alarm log of this gateway could not be written; alarms are shown and sent all the same');
    }
  }
}

function textOf(lines: readonly Line[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Limits are set for patients, and only the cluster knows whose device it is: what the usual limits say stays here. */
function isLocal({ condition }: AlarmRecord): boolean {
  return condition !== null && numericConditionOf(condition) !== null;
}

/** A last line that was cut by a power failure had not been answered to anybody. */
function readLines(text: string): Line[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const read = JSON.parse(line) as Line;
      if ('log' in read && !isUuid(read.log)) throw new Error(`'${read.log}' is no id of a log`);
      return read;
    });
}

/** Of a long log, the newest lines, those still to be sent, and all lines of alarms that have not ended. */
function compacted(lines: readonly Line[], sent: number): Line[] {
  if (lines.length <= MAX_LINES) return [...lines];
  const newest = new Map<string, AlarmRecord>();
  for (const record of lines.flatMap(recordIn)) newest.set(record.alarmId, record);
  return lines.filter((line, index) => {
    if (index >= lines.length - KEPT_LINES || ('alarm' in line && line.alarm.seq >= sent)) return true;
    const [record] = recordIn(line);
    return record !== undefined && record.alarmId !== '' && newest.get(record.alarmId)?.state !== 'ended';
  });
}

function recordIn(line: Line): AlarmRecord[] {
  return 'alarm' in line ? [recordOf(line.alarm)] : 'local' in line ? [line.local] : [];
}
