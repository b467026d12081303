import type { AlarmCondition, AlarmInfo } from '@vitalwire/contract';

/** Which colour an alarm has: red, yellow, cyan, and light blue for every technical one. */
export type AlarmKey = 'alarm-high' | 'alarm-medium' | 'alarm-low' | 'alarm-technical';

/** How an alarm is shown: always its mark, its colour and its word together. Vocabulary inspired by IEC 60601-1-8; no compliance is claimed. */
export type AlarmWord = { readonly key: AlarmKey; readonly mark: string; readonly word: string };

const words: Readonly<Record<AlarmCondition, string>> = {
  seizure: 'SEIZURE',
  'focal-seizure': 'FOCAL PATTERN',
  'heart-rate-high': 'HR HIGH',
  'heart-rate-low': 'HR LOW',
  'heart-rate-extreme-high': 'HR VERY HIGH',
  'heart-rate-extreme-low': 'HR VERY LOW',
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
    word: words[condition],
  };
}

/** What was measured and what it was held against, in a few characters: `134 > 120 /min`. '' when there is nothing to compare. */
export function alarmMeasure({ condition, value, limit }: Pick<AlarmInfo, 'condition' | 'value' | 'limit'>): string {
  if (value === null) return '';
  switch (condition) {
    case 'heart-rate-high':
    case 'heart-rate-extreme-high':
      return limit === null ? `${Math.round(value)} /min` : `${Math.round(value)} > ${Math.round(limit)} /min`;
    case 'heart-rate-low':
    case 'heart-rate-extreme-low':
      return limit === null ? `${Math.round(value)} /min` : `${Math.round(value)} < ${Math.round(limit)} /min`;
    default:
      return ''; // their texts say it
  }
}
