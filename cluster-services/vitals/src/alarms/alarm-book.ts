import type { AlarmCondition, AlarmInfo, AlarmPause } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/contract';
import { type AlarmRecord, categoryOf } from './record.ts';
import { alarmLimits } from './rules.ts';

/** All that the log says: what `replay` restores, and what two engines with the same log agree on. */
export type BookState = {
  readonly alarms: readonly AlarmInfo[]; // also the ended ones that are remembered
  readonly pauses: readonly AlarmPause[];
  readonly merged: readonly (readonly [from: string, into: string])[];
  readonly limits: readonly (readonly [device: string, text: string])[];
};

/** The state of all alarms, moved by log lines and by nothing else: so the log is the whole truth. */
export class AlarmBook {
  readonly #alarms = new Map<string, AlarmInfo>(); // by alarmId
  readonly #byDevice = new Map<string, Set<string>>(); // ids; last = changed last
  readonly #pauses = new Map<string, AlarmPause>();
  readonly #merged = new RecentMap<string, string>(alarmLimits.aliases);
  readonly #limits = new Map<string, string>();

  apply(record: AlarmRecord): void {
    switch (record.transition) {
      case 'pulse':
        return;
      case 'paused':
        this.#pauses.set(record.device, {
          device: record.device,
          untilUs: record.untilUs ?? record.atUs,
          by: record.by,
          above: record.priority,
        });
        return;
      case 'resumed':
        this.#pauses.delete(record.device);
        return;
      case 'limits-changed':
        this.#limits.set(record.device, record.text);
        return;
      case 'merged':
        this.#merge(record);
        return;
      default:
        if (record.alarmId !== '' && record.condition !== null) this.#keep(infoAfter(record, record.condition, this.get(record.alarmId)));
    }
  }

  /** The alarm of this id, or the one it was merged into. */
  get(alarmId: string): AlarmInfo | null {
    return this.#alarms.get(this.#resolve(alarmId)) ?? null;
  }

  /** Alarms of a device and condition, ended ones included, those changed last at the end. */
  of(device: string, condition: AlarmCondition): AlarmInfo[] {
    return this.ofDevice(device).filter((alarm) => alarm.condition === condition);
  }

  ofDevice(device: string): AlarmInfo[] {
    return [...(this.#byDevice.get(device) ?? [])].flatMap((id) => this.#alarms.get(id) ?? []);
  }

  /** Everything that has not ended. */
  open(): AlarmInfo[] {
    return [...this.#alarms.values()].filter(({ state }) => state !== 'ended');
  }

  pauses(): AlarmPause[] {
    return [...this.#pauses.values()];
  }

  pause(device: string): AlarmPause | null {
    return this.#pauses.get(device) ?? null;
  }

  /** What the log last said about the limits of this device. */
  limitsText(device: string): string | null {
    return this.#limits.get(device) ?? null;
  }

  state(): BookState {
    return {
      alarms: [...this.#alarms.values()].sort((a, b) => (a.alarmId < b.alarmId ? -1 : 1)),
      pauses: this.pauses().sort((a, b) => (a.device < b.device ? -1 : 1)),
      merged: [...this.#merged].sort(([a], [b]) => (a < b ? -1 : 1)),
      limits: [...this.#limits].sort(([a], [b]) => (a < b ? -1 : 1)),
    };
  }

  #merge({ alarmId, mergedInto, atUs, by, sender }: AlarmRecord): void {
    if (mergedInto === null) return;
    const into = this.#resolve(mergedInto);
    const gone = this.#alarms.get(alarmId);
    const target = this.#alarms.get(into);
    if (alarmId !== into) {
      this.#merged.set(alarmId, into);
      if (gone !== undefined) this.#drop(gone);
    }
    if (target === undefined) return;
    const senders = union(target.senders, gone?.senders ?? [], by === '' ? [sender] : [sender, by]);
    this.#keep({ ...target, changedAtUs: atUs, senders });
  }

  #keep(alarm: AlarmInfo): void {
    this.#alarms.set(alarm.alarmId, alarm);
    const ids = this.#byDevice.get(alarm.device) ?? new Set();
    this.#byDevice.set(alarm.device, ids);
    ids.delete(alarm.alarmId);
    ids.add(alarm.alarmId);
    const ended = this.of(alarm.device, alarm.condition).filter(({ state }) => state === 'ended');
    for (const old of ended.slice(0, Math.max(0, ended.length - alarmLimits.endedPerCondition))) this.#drop(old);
  }

  #drop({ alarmId, device }: AlarmInfo): void {
    this.#alarms.delete(alarmId);
    this.#byDevice.get(device)?.delete(alarmId);
  }

  #resolve(alarmId: string): string {
    let id = alarmId;
    // A merged alarm can be merged again; a chain longer than the number of merges would be a circle.
    for (let steps = 0; steps <= this.#merged.size; steps++) {
      const into = this.#merged.get(id);
      if (into === undefined) return id;
      id = into;
    }
    return id;
  }
}

function infoAfter(record: AlarmRecord, condition: AlarmCondition, before: AlarmInfo | null): AlarmInfo {
  const isNew = before === null || record.transition === 'raised';
  const acknowledged =
    record.transition === 'acknowledged'
      ? { acknowledgedAtUs: record.atUs, acknowledgedBy: record.by }
      : record.state === 'active' || record.state === 'latched' || isNew
        ? { acknowledgedAtUs: null, acknowledgedBy: null }
        : { acknowledgedAtUs: before.acknowledgedAtUs, acknowledgedBy: before.acknowledgedBy };
  const isAsked = record.transition === 'acknowledged' || record.by === '';
  return {
    alarmId: before?.alarmId ?? record.alarmId,
    device: record.device,
    condition,
    category: categoryOf(condition),
    priority: record.priority,
    state: record.state,
    onsetUs: record.onsetUs ?? record.atUs,
    endedUs: record.endedUs,
    raisedAtUs: isNew ? record.atUs : before.raisedAtUs,
    changedAtUs: record.atUs,
    ...acknowledged,
    value: record.value,
    limit: record.limit,
    channel: record.channel,
    senders: union(before?.senders ?? [], [record.sender], isAsked ? [] : [record.by]),
    replay: record.replay,
    text: record.text,
    ...(record.episodes === undefined ? {} : { episodes: record.episodes }),
    ...(record.take === undefined ? {} : { take: record.take }),
  };
}

function union(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort();
}
