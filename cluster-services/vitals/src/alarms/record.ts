import { type Alarm, type AlarmCondition, type AlarmPriority, numericConditionOf } from '@vitalwire/contract';

/**
 * One transition and the whole state after it. Whoever sends it puts its identity around it and numbers it; a line of the stored log,
 * as the API gives it, is one too.
 */
export type AlarmRecord = Pick<
  Alarm,
  | 'sender'
  | 'device'
  | 'alarmId'
  | 'condition'
  | 'priority'
  | 'state'
  | 'transition'
  | 'onsetUs'
  | 'endedUs'
  | 'value'
  | 'limit'
  | 'channel'
  | 'untilUs'
  | 'by'
  | 'mergedInto'
  | 'replay'
  | 'text'
  | 'episodes'
  | 'take'
> & { readonly atUs: number /* wall clock of the sender */ };

/** What a message of the wire says, without its identity. */
export function recordOf(alarm: Alarm): AlarmRecord {
  const { sender, device, alarmId, condition, priority, state, transition, onsetUs, endedUs, value } = alarm;
  const { limit, channel, untilUs, by, mergedInto, replay, text, episodes, take, measuredAtUs } = alarm;
  return {
    sender,
    device,
    alarmId,
    condition,
    priority,
    state,
    transition,
    onsetUs,
    endedUs,
    value,
    limit,
    channel,
    untilUs,
    by,
    mergedInto,
    replay,
    text,
    ...(episodes === undefined ? {} : { episodes }),
    ...(take === undefined ? {} : { take }),
    atUs: measuredAtUs,
  };
}

const seizures: ReadonlySet<AlarmCondition> = new Set(['seizure', 'focal-seizure']);

export function categoryOf(condition: AlarmCondition): 'physiological' | 'technical' {
  return seizures.has(condition) || numericConditionOf(condition) !== null ? 'physiological' : 'technical';
}

/** Whether the signal goes on when the condition is over, until somebody acknowledges: seizures of every kind and extremes do; technical alarms never. */
export function isLatching(condition: AlarmCondition): boolean {
  return seizures.has(condition) || numericConditionOf(condition)?.side.startsWith('extreme') === true;
}

const ranks = { low: 1, medium: 2, high: 3 } as const satisfies Record<AlarmPriority, number>;

/** Higher is more urgent. */
export function rankOfPriority(priority: AlarmPriority): number {
  return ranks[priority];
}

export function isHigher(a: AlarmPriority, b: AlarmPriority): boolean {
  return ranks[a] > ranks[b];
}
