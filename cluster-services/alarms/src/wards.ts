import {
  type AlarmInfo,
  type AlarmPause,
  type ClockState,
  type NumericLimits,
  type NumericStream,
  type ReplayMark,
  shardOf,
} from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';
import type { AlarmEngine, AlarmRecord, Asked, DetectionInput, Measured, RecordingEnding, Spoken } from '@vitalwire/vitals';

export type WardsOptions = {
  readonly clock: Clock;
  readonly limitsOf: (device: string, stream: NumericStream) => NumericLimits;
  /** What an engine decided, to be written at once. */
  readonly write: (records: readonly AlarmRecord[]) => void;
};

/** One engine per shard that this worker decides about; what is said of other shards is another worker's. */
export class Wards {
  readonly #options: WardsOptions;
  readonly #engines = new Map<number, AlarmEngine>();

  constructor(options: WardsOptions) {
    this.#options = options;
  }

  gain(shard: number, engine: AlarmEngine): void {
    this.#engines.set(shard, engine);
  }

  lose(shard: number): void {
    this.#engines.delete(shard);
  }

  of(device: string): AlarmEngine | null {
    return this.#engines.get(shardOf(device)) ?? null;
  }

  detection(input: DetectionInput): void {
    this.#write(this.of(input.device)?.detection(input, this.#nowUs));
  }

  numeric(
    device: string,
    reading: {
      readonly stream: NumericStream;
      readonly atUs: number;
      readonly value: number;
      readonly replay: ReplayMark | null;
      readonly take: string;
      readonly clock: ClockState;
    },
  ): void {
    const limits = this.#options.limitsOf(device, reading.stream);
    this.#write(this.of(device)?.numeric({ ...reading, device, limits }, this.#nowUs));
  }

  /** Something was measured then, by that clock. */
  clock(measured: Measured): void {
    this.#write(this.of(measured.device)?.clock(measured, this.#nowUs));
  }

  /** A recording of EEG ended, and no other goes on at once. */
  recordingEnded(ending: RecordingEnding): void {
    this.#write(this.of(ending.device)?.recordingEnded(ending, this.#nowUs));
  }

  statement({ device, statement }: Spoken): void {
    this.#write(this.of(device)?.statement(device, statement, this.#nowUs));
  }

  foreign(record: AlarmRecord): void {
    this.#write(this.of(record.device)?.foreign(record, this.#nowUs));
  }

  limits(device: string, by: string, text: string): void {
    this.#write(this.of(device)?.limitsChanged(device, by, text, this.#nowUs));
  }

  tick(): void {
    for (const engine of this.#engines.values()) this.#write(engine.tick(this.#nowUs));
  }

  /** The alarm of this id, also by the id of one that was merged into it. */
  alarm(alarmId: string): AlarmInfo | null {
    for (const engine of this.#engines.values()) {
      const alarm = engine.alarm(alarmId);
      if (alarm !== null) return alarm;
    }
    return null;
  }

  acknowledge(alarm: AlarmInfo, by: string): Asked {
    return this.#asked(this.of(alarm.device)?.acknowledge(alarm.alarmId, by, this.#nowUs) ?? { ok: false, reason: 'unknown-alarm' });
  }

  /** Null: the device is another worker's. */
  pause(device: string, seconds: number, by: string): Asked | null {
    const engine = this.of(device);
    return engine === null ? null : this.#asked(engine.pause(device, seconds, by, this.#nowUs));
  }

  now(): { readonly alarms: AlarmInfo[]; readonly pauses: AlarmPause[] } {
    const all = [...this.#engines.values()].map((engine) => engine.now());
    return { alarms: all.flatMap(({ alarms }) => alarms), pauses: all.flatMap(({ pauses }) => pauses) };
  }

  get #nowUs(): number {
    return this.#options.clock.nowUs();
  }

  #asked(asked: Asked): Asked {
    if (asked.ok) this.#write(asked.records);
    return asked;
  }

  #write(records: readonly AlarmRecord[] | undefined): void {
    if (records !== undefined && records.length > 0) this.#options.write(records);
  }
}
