import { focalEscalatesUs, focalRule, seizureRule } from './alarms/rules.ts';

const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** From which probability on a window speaks for an alarm: the number to hold a shown one against. */
export const alarmFromText = `alarm from ${percent(seizureRule.on)}`;

/** When a seizure alarm comes, as screens tell it; made of the rules themselves. */
export function alarmRuleLines(): string[] {
  const { on, needed, windows, lasting } = seizureRule;
  const weaker = lasting === null ? '' : `, or ${lasting.needed} of ${lasting.windows} at ${percent(lasting.on)}`;
  const { needed: focalNeeded, windows: focalWindows, on: focalOn } = focalRule;
  return [
    `Seizure: ${needed} of ${windows} windows at ${percent(on)}${weaker}.`,
    `Focal: ${focalNeeded} of ${focalWindows} at ${percent(focalOn)} in one channel; high after ${focalEscalatesUs / 1e6} s.`,
  ];
}
