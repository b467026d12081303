import type { AlarmInfo } from '@vitalwire/contract';
import { expect } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';
import type { AlarmRecord } from './record.ts';
import type { DetectionInput } from './signal-watch.ts';
import { lasting } from './test-windows.ts';

export const second = 1_000_000;
export const quiet = (seconds: number) => lasting(seconds, 0.1);
export const seizure = (seconds: number) => lasting(seconds, 0.95);

export function newEngine(sender = 'alarms') {
  const engine = new AlarmEngine({ sender });
  const log: AlarmRecord[] = [];
  const keep = (records: readonly AlarmRecord[]) => {
    log.push(...records);
    return records;
  };
  return {
    engine,
    log,
    feed: (windows: readonly DetectionInput[], nowUs?: number) => {
      for (const window of windows) keep(engine.detection(window, nowUs ?? window.toUs));
    },
    keep,
    said: () => log.map(({ transition, state }) => `${transition}:${state}`),
    only: (): AlarmInfo => {
      const [alarm, ...others] = engine.now().alarms;
      expect(others).toEqual([]);
      if (alarm === undefined) throw new Error('there is no alarm');
      return alarm;
    },
  };
}
