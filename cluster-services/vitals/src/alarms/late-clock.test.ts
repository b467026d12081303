import { type ClockState, numericFacts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';

const s = 1_000_000;
const minute = 60 * s;
const startUs = 1_763_800_000 * s;
const known: ClockState = { offsetUs: 250_000, uncertaintyUs: 1_000, source: 'front-door' };
const unknown: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

/** An engine, the receiver's clock, and readings of a device that says when they were measured. */
class Bedside {
  readonly engine = new AlarmEngine({ sender: 'alarms' });
  nowUs = startUs;

  read(bpm: number, lateUs: number, clock: ClockState | null = known): void {
    const atUs = this.nowUs - lateUs - (clock?.offsetUs ?? 0);
    const { usual: limits } = numericFacts('heart-rate').limits;
    this.engine.numeric({ device: 'hr-1', stream: 'heart-rate', atUs, value: bpm, limits, replay: null, clock }, this.nowUs);
  }

  /** So many seconds of it, one reading a second. */
  last(seconds: number, bpm: number, lateUs: number, clock: ClockState | null = known): void {
    for (let second = 0; second < seconds; second++) {
      this.read(bpm, lateUs, clock);
      this.nowUs += s;
    }
  }

  open(): string[] {
    return this.engine
      .now()
      .alarms.map(({ condition }) => condition)
      .sort();
  }
}

test.each([
  ['90 s', 90 * s],
  ['10 minutes', 10 * minute],
  ['a day', 1_440 * minute],
])('a device whose clock is %s behind is told of, and its limits are judged', (_, behindUs) => {
  for (const clock of [known, null]) {
    const bedside = new Bedside();
    bedside.last(70, 70, behindUs, clock);
    expect(bedside.open()).toEqual(['clock-wrong']);
    expect(bedside.engine.now().alarms[0]?.text).toMatch(/heart rate comes .* after its time: set the clock of the device/);
    bedside.last(8, 190, behindUs, clock);
    expect(bedside.open()).toEqual(['clock-wrong', 'heart-rate-extreme-high']);
  }
});

test('set right, its limits go on at once and its clock is no longer called wrong', () => {
  const bedside = new Bedside();
  bedside.last(70, 70, 10 * minute);
  bedside.last(8, 190, 0);
  expect(bedside.open()).toEqual(['heart-rate-extreme-high']);
});

test('an outage that is caught up raises nothing about its past, however fast it comes', () => {
  for (const perSecond of [600, 20, 2]) {
    const bedside = new Bedside();
    bedside.last(10, 70, 0);
    bedside.nowUs += 10 * minute;
    // One a second is measured meanwhile; the last minute is as good as now.
    let waiting = 600;
    for (let second = 0; second < 600 && waiting > 70; second++) {
      const until = Math.max(70, waiting - perSecond);
      for (; waiting > until; waiting--) bedside.read(190, waiting * s);
      bedside.nowUs += s;
      if (waiting > 70) waiting += 1;
    }
    expect(bedside.open(), `${perSecond} a second`).toEqual([]);
  }
});

test('a backlog beside readings of now stays a backlog, also where the link lets it become no younger', () => {
  const bedside = new Bedside();
  for (let second = 0; second < 180; second++) {
    bedside.read(70, 0);
    bedside.read(190, 10 * minute);
    bedside.nowUs += s;
  }
  expect(bedside.open()).toEqual([]);
});

test('a device that sends a batch of half a minute twice a minute has one delay: that of the newest', () => {
  const bedside = new Bedside();
  const batch = (bpm: number) => {
    for (let ago = 30; ago > 0; ago--) bedside.read(bpm, 10 * minute + ago * s);
    bedside.nowUs += 30 * s;
  };
  for (let times = 0; times < 4; times++) batch(70);
  expect(bedside.open()).toEqual(['clock-wrong']);
  batch(190);
  expect(bedside.open()).toEqual(['clock-wrong', 'heart-rate-extreme-high']);
});

test('hours that a device sends at once are history', () => {
  const bedside = new Bedside();
  bedside.last(5, 70, 0);
  for (let ago = 7_200; ago > 61; ago--) bedside.read(190, ago * s);
  expect(bedside.open()).toEqual([]);
});

test('where the clock of the gateway was never measured, nothing is called late', () => {
  const bedside = new Bedside();
  bedside.last(8, 190, 10 * minute, unknown);
  expect(bedside.open()).toEqual(['heart-rate-extreme-high']);
});
