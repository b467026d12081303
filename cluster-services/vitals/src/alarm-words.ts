import {
  type AlarmCondition,
  type AlarmInfo,
  type NumericCondition,
  numericConditionOf,
  numericFacts,
  numericText,
} from '@vitalwire/contract';

/** Which colour an alarm has: red, yellow, cyan, and light blue for every technical one. */
export type AlarmKey = 'alarm-high' | 'alarm-medium' | 'alarm-low' | 'alarm-technical';

/** How an alarm is shown: always its mark, its colour and its word together. Vocabulary inspired by IEC 60601-1-8; no compliance is claimed. */
export type AlarmWord = { readonly key: AlarmKey; readonly mark: string; readonly word: string };

const words: Readonly<Record<Exclude<AlarmCondition, NumericCondition>, string>> = {
  seizure: 'SEIZURE',
  'focal-seizure': 'FOCAL PATTERN',
  'lead-off': 'LEAD OFF',
  'poor-signal': 'POOR SIGNAL',
  'no-data': 'NO DATA',
  'gateway-offline': 'GATEWAY OFF',
  'storage-behind': 'STORE BEHIND',
  'model-unavailable': 'NO DETECTOR',
  'alarm-path': 'ALARMS NOT WATCHED',
  'device-conflict': 'TWO GATEWAYS',
  'clock-wrong': 'CLOCK WRONG',
  'detection-thinned': 'JUDGED SELDOM',
};

const marks = { high: ['***', '!!!'], medium: ['**', '!!'], low: ['*', '!'] } as const;

export function alarmWord({ condition, category, priority }: Pick<AlarmInfo, 'condition' | 'category' | 'priority'>): AlarmWord {
  const isTechnical = category === 'technical';
  return {
    key: isTechnical ? 'alarm-technical' : `alarm-${priority}`,
    mark: marks[priority][isTechnical ? 1 : 0],
    word: conditionWord(condition),
  };
}

/** What was measured and what it was held against, in a few characters: `134 > 120 /min`. '' when there is nothing to compare. */
export function alarmMeasure({ condition, value, limit }: Pick<AlarmInfo, 'condition' | 'value' | 'limit'>): string {
  const vital = numericConditionOf(condition);
  if (value === null || vital === null) return ''; // the texts of others say it
  const { unit } = numericFacts(vital.stream);
  const text = (of: number) => numericText(vital.stream, of);
  const sign = vital.side.endsWith('high') ? '>' : '<';
  return limit === null ? `${text(value)} ${unit}` : `${text(value)} ${sign} ${text(limit)} ${unit}`;
}

const sideWords = { high: 'HIGH', low: 'LOW', 'extreme-high': 'VERY HIGH', 'extreme-low': 'VERY LOW' } as const;

function conditionWord(condition: AlarmCondition): string {
  const vital = numericConditionOf(condition);
  if (vital !== null) return `${numericFacts(vital.stream).short} ${sideWords[vital.side]}`;
  return words[condition as Exclude<AlarmCondition, NumericCondition>];
}
