import { expect, test } from 'vitest';
import { recentRule } from './recent-verdict.ts';
import { alarmFromText, alarmRuleLines } from './rule-words.ts';

test('screens tell the thresholds that alarms have, and the state word has the same', () => {
  expect(alarmFromText).toBe(`alarm from ${100 * recentRule.on} %`);
  expect(alarmRuleLines()).toEqual([
    'Seizure: 3 of 5 windows at 80 %, or 15 of 20 at 42 %.',
    'Focal: 6 of 10 at 80 % in one channel; high after 30 s.',
  ]);
});
