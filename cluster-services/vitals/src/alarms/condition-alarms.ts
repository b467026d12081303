import type { AlarmCondition, AlarmInfo } from '@vitalwire/contract';
import { alarmIdOf } from './alarm-id.ts';
import { foreignAspect, isForeign, RESTORED } from './aspects.ts';
import { type AlarmRecord, isHigher, isLatching } from './record.ts';
import type { RecordWriter } from './record-writer.ts';
import type { Statement } from './statement.ts';

type Holding = Extract<Statement, { holds: true }>;

const MAX_TEXT = 300;

/** Alarms of every condition but seizures: at most one open alarm per device and condition, which holds while somebody says that it does. */
export class ConditionAlarms {
  readonly #writer: RecordWriter;
  readonly #aspects = new Map<string, Map<string, Holding | null>>(); // by device and condition: who says that it holds

  constructor(writer: RecordWriter) {
    this.#writer = writer;
  }

  /** What the log says of an alarm: whether it holds. */
  restore({ device, condition, endedUs }: AlarmInfo): void {
    const aspects = this.#aspectsOf(device, condition);
    if (endedUs !== null) this.#aspects.delete(keyOf(device, condition));
    else if (aspects.size === 0) aspects.set(RESTORED, null);
  }

  judge(device: string, statement: Statement, nowUs: number): void {
    if (statement.holds) this.#holds(device, statement, nowUs);
    else this.#isOver(device, statement, nowUs);
  }

  current(device: string, condition: AlarmCondition): AlarmInfo | null {
    return this.#writer.book.of(device, condition).findLast(({ state }) => state !== 'ended') ?? null;
  }

  /** Takes over an alarm that another engine raised and nobody here knows of. */
  adopt(record: AlarmRecord, condition: AlarmCondition, nowUs: number): void {
    const statement = statementOf(record, condition);
    if (!statement.holds) return;
    this.#aspectsOf(record.device, condition).set(statement.aspect, statement);
    this.#raise(record.device, statement, nowUs, { alarmId: record.alarmId, by: record.sender });
  }

  /** The next line of an alarm that both tell of. */
  follow(record: AlarmRecord, condition: AlarmCondition, nowUs: number): void {
    this.judge(record.device, statementOf(record, condition), nowUs);
  }

  #holds(device: string, statement: Holding, nowUs: number): void {
    const aspects = this.#aspectsOf(device, statement.condition);
    const isKnown = aspects.delete(RESTORED) || aspects.has(statement.aspect);
    aspects.set(statement.aspect, statement);
    const current = this.current(device, statement.condition);
    if (current === null) this.#raise(device, statement, nowUs);
    else if (current.endedUs !== null)
      this.#writer.change(current, 'condition-returned', nowUs, { ...valuesOf(statement), state: 'active', endedUs: null });
    else if (isHigher(statement.priority, current.priority))
      this.#writer.change(current, 'escalated', nowUs, { ...valuesOf(statement), state: 'active' });
    else if (!isKnown) {
      // One more of its streams: who acknowledged did not know of it.
      const text = [...aspects.values()]
        .flatMap((holding) => holding?.text ?? [])
        .join('; ')
        .slice(0, MAX_TEXT);
      this.#writer.change(current, current.state === 'acknowledged' ? 're-alarmed' : 'updated', nowUs, { text, state: 'active' });
    }
  }

  #isOver(device: string, { condition, aspect: own, endedUs, text }: Exclude<Statement, Holding>, nowUs: number): void {
    const aspects = this.#aspects.get(keyOf(device, condition));
    if (aspects === undefined) return;
    aspects.delete(own);
    const atUs = endedUs ?? nowUs;
    // Our own watcher saw the same data as a gateway's, and newer data than the log.
    for (const [aspect, holding] of aspects)
      if (holding === null || (isForeign(aspect) && (holding.sinceUs ?? 0) < atUs)) aspects.delete(aspect);
    if (aspects.size > 0) return;
    this.#aspects.delete(keyOf(device, condition));
    const current = this.current(device, condition);
    if (current === null || current.endedUs !== null) return;
    const staysLatched = isLatching(condition) && current.state === 'active';
    const state = staysLatched ? 'latched' : 'ended';
    this.#writer.change(current, staysLatched ? 'condition-ended' : 'ended', nowUs, { state, endedUs: atUs, text });
  }

  #raise(device: string, statement: Holding, nowUs: number, told?: { readonly alarmId: string; readonly by: string }): void {
    const { condition } = statement;
    const onsetUs = statement.sinceUs ?? nowUs;
    const alarmId = told?.alarmId ?? alarmIdOf(device, condition, onsetUs);
    const before = this.#writer.book.get(alarmId);
    const values = { ...valuesOf(statement), state: 'active', endedUs: null } as const;
    if (before !== null) this.#writer.change(before, 'condition-returned', nowUs, values, told?.by);
    else
      this.#writer.emit({
        ...this.#writer.about(device, nowUs),
        ...values,
        alarmId,
        condition,
        onsetUs,
        transition: 'raised',
        replay: statement.replay,
        by: told?.by ?? '',
      });
  }

  #aspectsOf(device: string, condition: AlarmCondition): Map<string, Holding | null> {
    const key = keyOf(device, condition);
    const aspects = this.#aspects.get(key) ?? new Map<string, Holding | null>();
    this.#aspects.set(key, aspects);
    return aspects;
  }
}

function keyOf(device: string, condition: AlarmCondition): string {
  return `${device}\n${condition}`;
}

function valuesOf({ priority, value, limit, channel, text }: Holding) {
  return { priority, value, limit, channel, text };
}

function statementOf(record: AlarmRecord, condition: AlarmCondition): Statement {
  const { sender, endedUs, priority, onsetUs, atUs, value, limit, channel, replay, text } = record;
  const aspect = foreignAspect(sender);
  if (endedUs !== null || record.state === 'ended') return { condition, aspect, holds: false, endedUs, text };
  return { condition, aspect, holds: true, priority, sinceUs: onsetUs ?? atUs, value, limit, channel, replay, text };
}
