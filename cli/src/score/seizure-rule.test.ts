import { alarmLimits } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { runSeizureRule, type TimedVote } from './seizure-rule.ts';
import { engineHypothesis } from './stored-alarms.ts';

/** Windows of 4 s every second; `isHigh` says which speak for a seizure. */
function votes(count: number, isHigh: (window: number) => boolean, over: (window: number) => Partial<TimedVote> = () => ({})): TimedVote[] {
  return Array.from({ length: count }, (_, window) => ({
    key: `r ${window}`,
    startS: window,
    endS: window + 4,
    hopS: 1,
    verdict: isHigh(window) ? 'seizure' : 'quiet',
    probability: isHigh(window) ? 0.97 : 0.03,
    channel: 0,
    ...over(window),
  }));
}

const line = (onsetUs: number, endedUs: number | null) =>
  ({ alarmId: '0123456789abcdef', condition: 'seizure', onsetUs, endedUs, mergedInto: null }) as Parameters<
    typeof engineHypothesis
  >[0][number];

test('an alarm is raised at the end of the window that completed the evidence, and its onset lies before', () => {
  const { alarms, signals } = runSeizureRule(
    votes(200, (window) => window >= 50 && window < 80),
    204,
  );
  expect(alarms).toEqual([{ startS: 50, endS: 83, raisedS: 56 }]); // 3 of 5 windows of 4 s span 6 s
  expect(signals).toHaveLength(1);
  expect(signals[0]).toMatchObject({ raisedS: 56 });
});

test('single windows above the threshold raise nothing, nor do windows without a vote', () => {
  expect(
    runSeizureRule(
      votes(300, (window) => window % 10 === 0),
      304,
    ).alarms,
  ).toEqual([]);
  const unsure = votes(
    300,
    () => true,
    () => ({ verdict: 'unsure' }),
  );
  expect(runSeizureRule(unsure, 304)).toEqual({ alarms: [], signals: [] });
});

test('two seizures nearer than the refractory time are one alarm that sounded twice', () => {
  const { alarms, signals } = runSeizureRule(
    votes(300, (window) => (window >= 50 && window < 80) || (window >= 130 && window < 160)),
    304,
  );
  expect(alarms).toEqual([{ startS: 50, endS: 163, raisedS: 56 }]);
  expect(signals.map(({ raisedS }) => raisedS)).toEqual([56, 136]);
});

test('one that still holds lasts until the end of what is recorded', () => {
  const { alarms, signals } = runSeizureRule(
    votes(100, (window) => window >= 90),
    103.5,
  );
  expect(alarms).toEqual([{ startS: 90, endS: 103.5, raisedS: 96 }]);
  expect(signals).toEqual([{ startS: 96, endS: 103.5, raisedS: 96 }]);
});

test('stored alarms are scored as they are stored, and sound when the rule says; what one side alone has is told', () => {
  const rule = runSeizureRule(
    votes(600, (window) => (window >= 50 && window < 80) || (window >= 300 && window < 330)),
    604,
  );
  const notes: string[] = [];
  const span = { fromUs: 1_000_000_000, toUs: 1_604_000_000 };
  const hypothesis = engineHypothesis(
    [line(1_050_000_000, 1_083_000_000), line(1_450_000_000, null), line(9_000_000_000, null)],
    span,
    rule,
    notes,
  );
  expect(hypothesis).toMatchObject({
    name: 'engine',
    alarms: [
      { startS: 50, endS: 83, raisedS: 56 },
      { startS: 450, endS: 604 },
    ],
  });
  expect(hypothesis.signals?.map(({ raisedS }) => raisedS)).toEqual([56]);
  expect(notes).toEqual([
    'alarms that follow from the stored detections and are not in the log of alarms: 1',
    'stored alarms that do not follow from the stored detections, so that their latency is not known: 1',
  ]);
});

test('an alarm that goes on keeps its onset, although the engine forgets the oldest windows', () => {
  const count = alarmLimits.windowsPerDevice + 200;
  const { alarms, signals } = runSeizureRule(
    votes(count, (window) => window % 100 >= 75),
    count + 3,
  );
  expect(alarms).toHaveLength(1); // 75 s between them: below the refractory time
  expect(alarms[0]).toMatchObject({ startS: 75, raisedS: 81 });
  expect(alarms[0]?.endS).toBeGreaterThan(count - 100);
  expect(signals).toHaveLength(Math.ceil(count / 100));
});
