import { type ClockState, numericFacts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';
import type { AlarmRecord } from './record.ts';
import type { DetectionInput } from './signal-watch.ts';
import { lasting, windowsOf } from './test-windows.ts';

const s = 1_000_000;
const hour = 3_600 * s;
const startUs = 1_763_800_000 * s;
const unknown: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

/** An engine and the receiver's clock. */
class Bedside {
  engine = new AlarmEngine({ sender: 'alarms' });
  readonly log: AlarmRecord[] = [];
  nowUs = startUs;
  #windows = 0;

  /** A heart rate of now, by a clock that is so far ahead; a second passes. */
  heartRate(bpm: number, aheadUs = 0, clock: ClockState = unknown): readonly AlarmRecord[] {
    const { usual: limits } = numericFacts('heart-rate').limits;
    const reading = { device: 'hr-1', stream: 'heart-rate', atUs: this.nowUs + aheadUs, value: bpm, limits, replay: null, clock } as const;
    const records = this.engine.numeric(reading, this.nowUs);
    this.log.push(...records);
    this.nowUs += s;
    return records;
  }

  /** Windows that end now, one a second, by a clock that is so far ahead; the same recording goes on while nobody sets it. */
  eeg(probabilities: readonly (number | null)[], aheadUs = 0, changes: Partial<DetectionInput> = {}): void {
    for (const window of windowsOf(probabilities)) {
      const toUs = this.nowUs + aheadUs;
      const key = `r/${this.#windows++}`; // its count goes on, whatever the clock says
      this.log.push(...this.engine.detection({ ...window, key, fromUs: toUs - 4 * s, toUs, ...changes }, this.nowUs));
      this.log.push(...this.engine.clock({ device: 'eeg-1', stream: 'eeg', atUs: toUs, clock: unknown, replay: null }, this.nowUs));
      this.nowUs += s;
    }
  }

  open(): string[] {
    return this.engine.now().alarms.map(({ condition, state }) => `${condition} ${state}`);
  }
}

test.each([
  ['an hour', hour],
  ['half a century', 73 * 365 * 24 * hour],
  ['a minute', 60 * s],
])('readings dated %s ahead hold back no alarm, and are told of', (_, aheadUs) => {
  const bedside = new Bedside();
  for (const bpm of [70, 71, 72]) bedside.heartRate(bpm, aheadUs);
  expect(bedside.open()).toEqual(['clock-wrong active']);
  for (let second = 0; second < 8; second++) bedside.heartRate(190);
  expect(bedside.open()).toContain('heart-rate-extreme-high active');
  for (let second = 0; second < 70; second++) bedside.heartRate(190);
  expect(bedside.open()).toEqual(['heart-rate-extreme-high active']);
});

test('a device whose clock is always ahead has its limits all the same, also as it is set right', () => {
  const bedside = new Bedside();
  for (let second = 0; second < 8; second++) bedside.heartRate(150, hour);
  expect(bedside.open()).toContain('heart-rate-extreme-high active');
  for (let second = 0; second < 3; second++) bedside.heartRate(80, hour);
  for (let second = 0; second < 8; second++) bedside.heartRate(150, 0); // set right
  expect(bedside.log.filter(({ condition }) => condition === 'heart-rate-extreme-high').map(({ transition }) => transition)).toEqual([
    'raised',
    'condition-ended',
    'condition-returned',
  ]);
});

test.each([hour, 2 * hour, 30 * 60 * s, -hour])('a clock that is set from one wrong time to another recovers within seconds', (second) => {
  const bedside = new Bedside();
  for (let at = 0; at < 20; at++) bedside.heartRate(80, hour);
  for (let at = 0; at < 20; at++) bedside.heartRate(150, second);
  expect(bedside.log.some(({ condition }) => condition === 'heart-rate-extreme-high')).toBe(second > 0); // behind is history
});

test('where the offset of the gateway is known nothing is wrong, and setting its clock right changes nothing', () => {
  const bedside = new Bedside();
  const ahead: ClockState = { offsetUs: -hour, uncertaintyUs: 1_000, source: 'front-door' };
  for (let second = 0; second < 5; second++) bedside.heartRate(150, hour, ahead);
  for (let second = 0; second < 5; second++) bedside.heartRate(150, 0, { ...ahead, offsetUs: 0 });
  expect(bedside.open()).toEqual(['heart-rate-extreme-high active']); // neither part alone is long enough
});

test('a seizure by a clock that is ahead begins and ends', () => {
  const bedside = new Bedside();
  bedside.eeg([...lasting(20, 0.1), ...lasting(20, 0.95)], hour);
  expect(bedside.open().sort()).toEqual(['clock-wrong active', 'seizure active']);
  bedside.eeg(lasting(10, 0.1), hour);
  expect(bedside.open().sort()).toEqual(['clock-wrong active', 'seizure latched']);
});

test.each([
  ['set right', hour, 0],
  ['set ahead', 0, hour],
  ['set back, and still ahead', 2 * hour, hour],
  ['set back by half a minute', 30 * s, 0],
])('a clock that is %s in the middle of a seizure lets it go on within seconds, and end', (_, before, after) => {
  const bedside = new Bedside();
  bedside.eeg([...lasting(20, 0.1), ...lasting(20, 0.95)], before);
  bedside.eeg(lasting(10, 0.95), after);
  expect(bedside.open()).toContain('seizure active');
  bedside.eeg(lasting(10, 0.1), after);
  expect(bedside.open()).toContain('seizure latched');
  expect(bedside.open()).not.toContain('seizure active');
});

test.each([
  ['set right', hour, 0],
  ['set back, and still ahead', 2 * hour, hour],
])('a seizure begun by a clock that is then %s ends with the quiet that follows, and one after it begins', (_, before, after) => {
  const bedside = new Bedside();
  bedside.eeg([...lasting(20, 0.1), ...lasting(20, 0.95)], before);
  bedside.eeg(lasting(10, 0.1), after);
  expect(bedside.open()).not.toContain('seizure active');
  bedside.eeg(lasting(10, 0.95), after);
  expect(bedside.open()).toContain('seizure active');
});

test('a lead that is off by a clock that is set back is told of', () => {
  const bedside = new Bedside();
  bedside.eeg(lasting(20, 0.1), hour);
  bedside.eeg(lasting(15, null), 0, { reason: 'flat', verdict: 'not-scorable' });
  expect(bedside.open()).toContain('lead-off active');
});

test('a seizure that the log dates ahead ends with the first quiet after a restart', () => {
  const before = new Bedside();
  const window = windowsOf(lasting(20, 0.95)).map((one) => ({
    ...one,
    fromUs: one.fromUs + startUs + hour,
    toUs: one.toUs + startUs + hour,
  }));
  for (const one of window) before.log.push(...before.engine.detection(one, startUs)); // as it was decided by data time alone
  const after = new Bedside();
  after.engine.replay(before.log);
  expect(after.open()).toEqual(['seizure active']);
  after.eeg(lasting(5, 0.1));
  expect(after.open()).toEqual(['seizure latched']);
});

test("the receiver's own clock set back holds back nothing for longer than seconds", () => {
  const bedside = new Bedside();
  for (let second = 0; second < 20; second++) bedside.heartRate(80);
  bedside.eeg([...lasting(20, 0.1), ...lasting(20, 0.95)]);
  bedside.nowUs -= hour;
  for (let second = 0; second < 23; second++) bedside.heartRate(150);
  bedside.eeg(lasting(6, 0.1));
  expect(bedside.open().sort()).toEqual(['heart-rate-extreme-high active', 'seizure latched']);
});

test('a replay has a time of its own, at any speed', () => {
  const bedside = new Bedside();
  const replay = { speed: 60, source: 'file' };
  const windows = windowsOf([...lasting(300, 0.1), ...lasting(30, 0.95), ...lasting(10, 0.1)], { fromS: startUs / s });
  for (const window of windows) bedside.log.push(...bedside.engine.detection({ ...window, replay, take: 'one' }, startUs + 5 * s));
  expect(bedside.log.map(({ condition, transition }) => `${condition} ${transition}`)).toEqual([
    'seizure raised',
    'seizure condition-ended',
  ]);
  expect(bedside.engine.now().alarms).toMatchObject([{ onsetUs: startUs + 300 * s, endedUs: startUs + 333 * s }]);
});

test('a backlog behind windows that are ahead stays on their time line', () => {
  const bedside = new Bedside();
  bedside.eeg(lasting(620, 0.1), hour);
  const nowUs = bedside.nowUs;
  for (const [index, window] of windowsOf(lasting(30, 0.95)).entries()) {
    const toUs = startUs + hour + (100 + index) * s; // received late, counted then
    bedside.log.push(
      ...bedside.engine.detection(
        { ...window, key: `r/${100 + index}x`, originUs: startUs + hour, recording: 'r', fromUs: toUs - 4 * s, toUs },
        nowUs,
      ),
    );
  }
  const alarm = bedside.engine.now().alarms.find(({ condition }) => condition === 'seizure');
  expect(alarm).toMatchObject({ state: 'latched', onsetUs: startUs + hour + 96 * s });
});
