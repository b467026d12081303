import type { AlarmInfo } from '@vitalwire/contract';
import { AlarmBook } from './alarm-book.ts';
import type { AlarmRecord } from './record.ts';

/** Makes records and moves the book by them: there is no other way to change it, so the log is complete. */
export class RecordWriter {
  readonly sender: string;
  readonly book = new AlarmBook();
  #records: AlarmRecord[] = [];

  constructor(sender: string) {
    this.sender = sender;
  }

  emit(record: AlarmRecord): void {
    this.book.apply(record);
    this.#records.push(record);
  }

  /** A transition of an alarm that is known; what the patch does not name stays as it was. */
  change(alarm: AlarmInfo, transition: AlarmRecord['transition'], nowUs: number, patch: Partial<AlarmRecord>, by = ''): void {
    const { device, alarmId, condition, priority, state, onsetUs, endedUs, value, limit, channel, replay, text, episodes, take } = alarm;
    const told = { ...(episodes === undefined ? {} : { episodes }), ...(take === undefined ? {} : { take }) };
    const whole = { device, alarmId, condition, priority, state, onsetUs, endedUs, value, limit, channel, replay, text, ...told };
    this.emit({ ...this.about(device, nowUs), ...whole, ...patch, transition, by });
  }

  acknowledge(alarm: AlarmInfo, by: string, nowUs: number): void {
    this.change(alarm, 'acknowledged', nowUs, { state: alarm.endedUs === null ? 'acknowledged' : 'ended' }, by);
  }

  /** `alarmId` tells of the same event as `into`. `by`: another engine whose alarm it was. */
  merge(alarmId: string, gone: AlarmInfo | AlarmRecord, into: AlarmInfo, by: string, nowUs: number): void {
    const { priority, onsetUs, endedUs, replay } = gone;
    this.emit({
      ...this.about(into.device, nowUs),
      alarmId,
      priority,
      onsetUs,
      endedUs,
      replay,
      by,
      condition: into.condition,
      state: 'ended',
      transition: 'merged',
      mergedInto: into.alarmId,
      text: `the same event as alarm ${into.alarmId}`,
    });
  }

  /** The frame of a record about a device. */
  about(device: string, nowUs: number): Omit<AlarmRecord, 'transition'> {
    return {
      sender: this.sender,
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

  /** What was written since this was last asked. */
  take(): readonly AlarmRecord[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }
}
