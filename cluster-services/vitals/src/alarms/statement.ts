import type { AlarmCondition, AlarmPriority, ReplayMark } from '@vitalwire/contract';

/**
 * What somebody who watches says about a condition of a device. `aspect` tells watchers of one condition apart (the EEG and the heart
 * rate of one device can both be silent): the condition holds while it holds for one of them.
 */
export type Statement =
  | {
      readonly condition: AlarmCondition;
      readonly aspect: string;
      readonly holds: true;
      readonly priority: AlarmPriority;
      readonly sinceUs: number | null; // data time; null = the wall clock's now will do
      readonly value: number | null;
      readonly limit: number | null;
      readonly channel: number | null;
      readonly replay: ReplayMark | null;
      readonly text: string;
    }
  | {
      readonly condition: AlarmCondition;
      readonly aspect: string;
      readonly holds: false;
      readonly endedUs: number | null; // data time; null = the wall clock's now will do
      readonly text: string;
    };
