import { type AlarmInfo, alarmConditions, numericFacts } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';
import { isAudible } from './audible.ts';
import { type AlarmRecord, isLatching, rankOfPriority } from './record.ts';
import { goesOnAgainUs, maxPauseUs, seizureRule } from './rules.ts';
import { SeizureTimeline } from './seizure-timeline.ts';
import { lasting, windowsOf } from './test-windows.ts';

// Random lives of three devices: windows in stretches that may be late or twice, heart rates, statements, people, a gateway, time.
const device = fc.constantFrom('a', 'b', 'c');
const priority = fc.constantFrom('low', 'medium', 'high');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('windows'),
      device,
      atS: fc.integer({ min: 0, max: 60 }).map((tens) => tens * 10),
      seconds: fc.integer({ min: 1, max: 12 }),
      probability: fc.constantFrom(0.05, 0.6, 0.95, null),
      reason: fc.constantFrom('flat', 'mains-hum', 'rate'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('numeric'),
      device,
      stream: fc.constantFrom('heart-rate', 'spo2', 'respiratory-rate'),
      value: fc.constantFrom(30, 45, 70, 95, 130, 160, 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('statement'),
      device,
      condition: fc.constantFrom('no-data', 'gateway-offline', 'storage-behind'),
      aspect: fc.constantFrom('eeg', 'heart-rate', 'spo2'),
      priority,
      holds: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('acknowledge'), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pause'), device, seconds: fc.integer({ min: 0, max: 130 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('gateway'), which: fc.nat(), shiftS: fc.integer({ min: -20, max: 20 }), ended: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait'), seconds: fc.integer({ min: -400, max: 400 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

class Life {
  readonly engine = new AlarmEngine({ sender: 'alarms' });
  readonly log: AlarmRecord[] = [];
  nowUs = 1_000_000_000;
  #readings = 0;

  take(one: Step): readonly AlarmRecord[] {
    const records = this.#records(one);
    this.log.push(...records);
    return records;
  }

  #records(one: Step): readonly AlarmRecord[] {
    const { engine, nowUs } = this;
    switch (one.kind) {
      case 'windows':
        return windowsOf(lasting(one.seconds, one.probability), {
          device: one.device,
          fromS: one.atS,
          recording: String(one.atS),
          reason: one.reason,
        }).flatMap((window) => engine.detection(window, nowUs));
      case 'numeric':
        return lasting(4, null).flatMap(() => {
          this.#readings += 1;
          const atUs = this.#readings * 2_000_000;
          const { usual: limits } = numericFacts(one.stream).limits;
          return engine.numeric({ device: one.device, stream: one.stream, atUs, value: one.value, limits, replay: null }, nowUs);
        });
      case 'statement': {
        const { condition, aspect, priority: loud } = one;
        const holding = {
          holds: true,
          priority: loud,
          sinceUs: nowUs,
          value: null,
          limit: null,
          channel: null,
          replay: null,
          text: 'x',
        } as const;
        const statement = one.holds
          ? { condition, aspect, ...holding }
          : { condition, aspect, holds: false as const, endedUs: null, text: 'y' };
        return engine.statement(one.device, statement, nowUs);
      }
      case 'acknowledge': {
        const { alarms } = engine.now();
        const alarm = alarms[one.which % Math.max(1, alarms.length)];
        const asked = alarm === undefined ? null : engine.acknowledge(alarm.alarmId, 'nurse', nowUs);
        return asked?.ok === true ? asked.records : [];
      }
      case 'pause': {
        const asked = engine.pause(one.device, one.seconds, 'nurse', nowUs);
        return asked.ok ? asked.records : [];
      }
      case 'gateway': {
        const own = this.log[one.which % Math.max(1, this.log.length)];
        if (own === undefined || own.alarmId === '' || own.transition === 'merged') return [];
        const shiftUs = one.shiftS * 1_000_000;
        const onsetUs = (own.onsetUs ?? 0) + shiftUs;
        const endedUs = one.ended ? onsetUs + 10_000_000 : null;
        const state = one.ended ? (own.condition === 'seizure' ? ('latched' as const) : ('ended' as const)) : ('active' as const);
        const alarmId = shiftUs === 0 ? own.alarmId : (onsetUs >>> 0).toString(16).padStart(16, '0');
        return engine.foreign({ ...own, sender: 'gw-1', alarmId, state, transition: 'raised', onsetUs, endedUs, by: '' }, nowUs);
      }
      case 'wait':
        this.nowUs = Math.max(0, nowUs + one.seconds * 1_000_000);
        return engine.tick(this.nowUs);
    }
  }
}

const life = fc.array(step, { minLength: 1, maxLength: 60 });
const runs = { numRuns: 150 };

test('replaying the log gives the same state, at every moment', () => {
  fc.assert(
    fc.property(life, (steps) => {
      const one = new Life();
      for (const [index, each] of steps.entries()) {
        one.take(each);
        if (index % 7 !== 0 && index !== steps.length - 1) continue;
        const again = new AlarmEngine({ sender: 'alarms' });
        again.replay(one.log);
        expect(again.state()).toEqual(one.engine.state());
      }
    }),
    runs,
  );
});

test('an alarm that latches ends only by an acknowledgement or by joining one that is still signalled', () => {
  fc.assert(
    fc.property(life, (steps) => {
      const one = new Life();
      let before: readonly AlarmInfo[] = [];
      for (const each of steps) {
        const records = one.take(each);
        for (const alarm of before) {
          if (!isLatching(alarm.condition) || (alarm.state !== 'active' && alarm.state !== 'latched')) continue;
          const now = one.engine.alarm(alarm.alarmId); // follows a merge
          const isAcknowledged = records.some(({ transition, by }) => transition === 'acknowledged' && by !== '');
          if (!isAcknowledged) expect(now?.state).toMatch(/active|latched/);
        }
        before = one.engine.now().alarms;
      }
    }),
    runs,
  );
});

test('a pause never lasts longer than 120 s and never silences what is above it', () => {
  fc.assert(
    fc.property(life, (steps) => {
      const one = new Life();
      const askedAtUs = new Map<string, number>();
      for (const each of steps) {
        for (const { transition, device: paused, atUs } of one.take(each)) if (transition === 'paused') askedAtUs.set(paused, atUs);
        const { alarms, pauses } = one.engine.now();
        for (const alarm of alarms) {
          const isSignalled = alarm.state === 'active' || alarm.state === 'latched';
          const pause = pauses.find((other) => other.device === alarm.device) ?? null;
          const audible = isAudible(alarm, pause, one.nowUs);
          if (!isSignalled) expect(audible).toBe(false);
          else if (!audible) {
            expect(pause).not.toBeNull();
            if (pause === null) continue;
            expect(rankOfPriority(alarm.priority)).toBeLessThanOrEqual(rankOfPriority(pause.above));
            // However the wall clock was set: less than 120 s from its end, and not past it.
            expect(pause.untilUs - one.nowUs).toBeGreaterThan(0);
            expect(pause.untilUs - one.nowUs).toBeLessThanOrEqual(maxPauseUs);
            expect(pause.untilUs - (askedAtUs.get(alarm.device) ?? 0)).toBeLessThanOrEqual(maxPauseUs);
          }
        }
      }
    }),
    runs,
  );
});

test('there is at most one open alarm of a technical condition or limit per device', () => {
  fc.assert(
    fc.property(life, (steps) => {
      const one = new Life();
      for (const each of steps) {
        one.take(each);
        for (const name of ['a', 'b', 'c'])
          for (const condition of alarmConditions) {
            if (condition === 'seizure') continue;
            const open = one.engine.now().alarms.filter((alarm) => alarm.device === name && alarm.condition === condition);
            expect(open.length).toBeLessThanOrEqual(1);
          }
      }
    }),
    runs,
  );
});

const stretches = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.constantFrom(0.05, 0.3, 0.6, 0.85, 0.99, null)), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.flatMap(([seconds, probability]) => lasting(seconds, probability)));

test('in whatever order the windows come, every episode has exactly one alarm', () => {
  fc.assert(
    fc.property(stretches, fc.infiniteStream(fc.nat()), (probabilities, numbers) => {
      const windows = windowsOf(probabilities);
      // In blocks, as backlogs come, and single ones again, as repeats do.
      const blocks = windows.map(() => numbers.next().value ?? 0);
      const rank = new Map(windows.map((window, index) => [window, blocks[Math.floor(index / 15)] ?? 0]));
      const repeats = windows.filter((_, index) => (blocks[index] ?? 0) % 4 === 0);
      const shuffled = [...[...windows].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)), ...repeats];
      const engine = new AlarmEngine({ sender: 'alarms' });
      for (const window of shuffled) engine.detection(window, 0);
      const timeline = new SeizureTimeline(seizureRule);
      for (const window of windows) {
        if (window.probability === null) timeline.unseen(window.toUs);
        else timeline.add({ ...window, probability: window.probability });
      }
      const alarms = engine.now().alarms.filter(({ condition }) => condition === 'seizure');
      const covers = timeline.episodes.map(
        ({ onsetUs, endUs }) =>
          alarms.filter((alarm) => alarm.onsetUs <= onsetUs && (alarm.endedUs ?? Number.POSITIVE_INFINITY) >= endUs).length,
      );
      expect(covers).toEqual(timeline.episodes.map(() => 1));
      expect(alarms.length).toBeLessThanOrEqual(timeline.episodes.length);
      // And each is told once, as it was seen: the last may still be told as a little shorter than it is by now.
      const told = alarms.flatMap(({ episodes = [] }) => episodes).sort((a, b) => a.onsetUs - b.onsetUs);
      expect(told.map(({ onsetUs, end }) => [onsetUs, end])).toEqual(timeline.episodes.map(({ onsetUs, end }) => [onsetUs, end]));
      for (const [index, { seenUntilUs, end }] of told.entries()) {
        const seenUs = timeline.episodes[index]?.endUs ?? 0;
        expect(seenUs - seenUntilUs).toBeGreaterThanOrEqual(0);
        expect(seenUs - seenUntilUs).toBeLessThan(end === 'goes-on' ? goesOnAgainUs : 1);
      }
    }),
    { numRuns: 40 },
  );
});
