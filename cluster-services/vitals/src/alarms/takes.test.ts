import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';
import type { AlarmRecord } from './record.ts';
import type { DetectionInput } from './signal-watch.ts';
import { lasting, windowsOf } from './test-windows.ts';

const second = 1_000_000;
const replay = { speed: 1, source: 'night.edf' };
const seizureFrom = (fromS: number, take: string): DetectionInput[] =>
  windowsOf([...lasting(5, 0.1), ...lasting(20, 0.95), ...lasting(10, 0.1)], { fromS, recording: take || 'own' }).map((one) =>
    take === '' ? one : { ...one, replay, take },
  );

/** An engine, and the same one after a restart: it knows its log and nothing else. */
class Engine {
  engine: AlarmEngine;
  readonly log: AlarmRecord[] = [];
  readonly #sender: string;

  constructor(sender: string) {
    this.#sender = sender;
    this.engine = new AlarmEngine({ sender });
  }

  feed(windows: readonly DetectionInput[]): void {
    for (const window of windows) this.log.push(...this.engine.detection(window, window.toUs));
  }

  restart(): void {
    this.engine = new AlarmEngine({ sender: this.#sender });
    this.engine.replay(structuredClone(this.log));
  }

  onsetsS(): number[] {
    return this.engine.now().alarms.map(({ onsetUs }) => onsetUs / second);
  }
}

test.each(['alarms', 'gateway-1'])('%s restarted between two replays of one file does not join their seizures', (sender) => {
  const one = new Engine(sender);
  one.feed(seizureFrom(0, 'first'));
  one.restart();
  one.feed(seizureFrom(30, 'second'));
  expect(one.onsetsS()).toEqual([5, 35]);
  expect(one.engine.now().alarms.map(({ take }) => take)).toEqual(['first', 'second']);
});

test('restarted in the middle of a replay it goes on with the alarm of that replay', () => {
  const one = new Engine('alarms');
  one.feed(seizureFrom(0, 'first').slice(0, 20));
  one.restart();
  one.feed(seizureFrom(0, 'first'));
  expect(one.onsetsS()).toEqual([5]);
});

test('a seizure of the device itself is not joined to one of a replay, whatever was restarted', () => {
  const one = new Engine('alarms');
  one.feed(seizureFrom(0, ''));
  one.restart();
  one.feed(seizureFrom(30, 'first'));
  expect(one.onsetsS()).toEqual([5, 35]);
  expect(one.engine.now().alarms[0]).not.toHaveProperty('take');
});

test("a gateway's alarm of one replay and the cluster's of another are two, those of the same replay one", () => {
  const gateway = new Engine('gateway-1');
  gateway.feed(seizureFrom(0, 'first'));
  const cluster = new Engine('alarms');
  cluster.feed(seizureFrom(30, 'second'));
  cluster.feed(seizureFrom(2, 'first'));
  expect(cluster.onsetsS()).toEqual([35, 7]);
  for (const record of gateway.log) cluster.engine.foreign(record, 100 * second);
  expect(cluster.engine.now().alarms.map(({ onsetUs, senders }) => [onsetUs / second, senders])).toEqual([
    [35, ['alarms']],
    [5, ['alarms', 'gateway-1']],
  ]);
});

test('an alarm that only a gateway told of is taken up by the windows of its own replay alone', () => {
  const gateway = new Engine('gateway-1');
  gateway.feed(seizureFrom(0, 'first'));
  const cluster = new Engine('alarms');
  for (const record of gateway.log) cluster.log.push(...cluster.engine.foreign(record, 100 * second));
  cluster.restart();
  cluster.feed(seizureFrom(30, 'second'));
  cluster.feed(seizureFrom(0, 'first'));
  expect(cluster.engine.now().alarms.map(({ onsetUs, take, senders }) => [onsetUs / second, take, senders.length])).toEqual([
    [5, 'first', 2],
    [35, 'second', 1],
  ]);
});

test('a log of an earlier release, which says no take, still joins what it joined', () => {
  const one = new Engine('alarms');
  one.feed(seizureFrom(0, 'first').slice(0, 20));
  for (const [index, { take: _, ...old }] of one.log.entries()) one.log[index] = old;
  one.restart();
  one.feed(seizureFrom(0, 'first'));
  expect(one.onsetsS()).toEqual([5]);
});

test('two replays whose seizures begin at the same data time are two alarms, also once the first was seen to', () => {
  const one = new Engine('alarms');
  one.feed(seizureFrom(0, 'first'));
  const [first] = one.engine.now().alarms;
  expect(one.engine.acknowledge(first?.alarmId ?? '', 'nurse-1', 50 * second).ok).toBe(true);
  one.feed(seizureFrom(0, 'second'));
  expect(one.engine.now().alarms.map(({ take, state }) => [take, state])).toEqual([['second', 'latched']]);
  one.feed(seizureFrom(0, 'third'));
  expect(one.engine.now().alarms.map(({ take }) => take)).toEqual(['second', 'third']);
  expect(new Set(one.log.filter(({ transition }) => transition === 'raised').map(({ alarmId }) => alarmId)).size).toBe(3);
});

test.each(['', 'first'])("an alarm that only a gateway held on is over with its recording (take '%s')", (take) => {
  const gateway = new Engine('gateway-1');
  gateway.feed(seizureFrom(0, take).slice(0, 20));
  const cluster = new Engine('alarms');
  // As an earlier release wrote it: without episodes and take, and never ended.
  for (const { episodes: _, take: __, ...line } of gateway.log) cluster.engine.foreign(line, 30 * second);
  expect(cluster.engine.now().alarms).toMatchObject([{ state: 'active', endedUs: null }]);
  cluster.feed(seizureFrom(0, take).slice(0, 20));
  cluster.engine.recordingEnded({ device: 'eeg-1', atUs: 24 * second, take }, 60 * second);
  expect(cluster.engine.now().alarms).toMatchObject([{ state: 'latched', endedUs: 23 * second }]);
});

test('also where the cluster has judged nothing of it, and never one that begins later', () => {
  const gateway = new Engine('gateway-1');
  gateway.feed(seizureFrom(0, '').slice(0, 20));
  const cluster = new Engine('alarms');
  for (const line of gateway.log) cluster.engine.foreign(line, 30 * second);
  cluster.engine.recordingEnded({ device: 'eeg-1', atUs: 2 * second }, 60 * second);
  expect(cluster.engine.now().alarms).toMatchObject([{ state: 'active' }]);
  cluster.engine.recordingEnded({ device: 'eeg-1', atUs: 24 * second }, 60 * second);
  expect(cluster.engine.now().alarms).toMatchObject([{ state: 'latched' }]);
  expect(cluster.engine.now().alarms[0]?.endedUs).toBeGreaterThan(5 * second);
});
