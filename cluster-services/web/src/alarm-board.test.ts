import { type Alarm, type AlarmInfo, type AlarmLine, type AlarmsNow, alarmStates, derivedId } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AlarmBoard } from './alarm-board.ts';

const nowUs = 1_800_000_000_000_000;
const second = 1_000_000;
const X = '0123456789abcdef';
const Y = 'fedcba9876543210';
const LOG = '01900000-0000-7000-8000-0123456789ab';
const OTHER_LOG = '01900000-0000-7000-8000-ba9876543210';

function line(seq: number, rest: Partial<Alarm> = {}): Alarm {
  return {
    stream: 'alarm',
    recordingId: derivedId(LOG, 'alarm'),
    seq,
    measuredAtUs: nowUs + seq * second,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    subject: LOG,
    sender: 'alarms',
    device: 'd1',
    alarmId: X,
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    transition: seq === 0 ? 'raised' : 'updated',
    onsetUs: nowUs - second,
    endedUs: null,
    value: 0.97,
    limit: 0.8,
    channel: 0,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: 'seizure pattern',
    fence: 1,
    ...rest,
  };
}

function fromGateway(seq: number, rest: Partial<Alarm> = {}): Alarm {
  return line(seq, { sender: 'gateway-1', subject: OTHER_LOG, recordingId: derivedId(OTHER_LOG, 'alarm'), alarmId: Y, ...rest });
}

function infoOf(rest: Partial<AlarmInfo> = {}): AlarmInfo {
  const board = new AlarmBoard();
  board.take(line(0), 0);
  const [info] = board.alarms();
  if (info === undefined) throw new Error('nothing');
  return { ...info, ...rest };
}

function answer(alarms: AlarmInfo[], atUs: number, pauses: AlarmsNow['pauses'] = []): AlarmsNow {
  return { nowUs: atUs, path: 'ok', alarms, pauses };
}

test('whatever order the lines of a log arrive in, and however often, the last line of an alarm is what is shown', () => {
  const logs = fc.array(fc.constantFrom(...alarmStates), { minLength: 1, maxLength: 8 }).chain((states) => {
    const log = states.map((state, seq) => line(seq, { state }));
    return fc.tuple(fc.constant(states), fc.shuffledSubarray([...log, ...log], { minLength: 2 * log.length }));
  });
  fc.assert(
    fc.property(logs, ([states, copies]) => {
      const board = new AlarmBoard();
      for (const one of copies) board.take(one, 0);
      const last = states.at(-1);
      expect(board.alarms().map(({ state }) => state)).toEqual(last === 'ended' ? [] : [last]);
    }),
  );
});

test('who acknowledged and when stays with the alarm, also when later lines do not repeat it', () => {
  const board = new AlarmBoard();
  board.take(line(0), 0);
  board.take(line(1, { transition: 'acknowledged', state: 'acknowledged', by: 'nurse-7' }), 0);
  board.take(line(2, { transition: 'updated', state: 'acknowledged' }), 0);
  expect(board.alarms()).toMatchObject([
    { state: 'acknowledged', acknowledgedBy: 'nurse-7', acknowledgedAtUs: nowUs + second, raisedAtUs: nowUs, category: 'physiological' },
  ]);
});

test('a late copy never brings an ended alarm back', () => {
  const board = new AlarmBoard();
  board.take(line(0), 0);
  board.take(line(1, { state: 'ended', transition: 'ended' }), 0);
  board.take(line(0), 0);
  expect(board.alarms()).toEqual([]);
});

test("the service's word wins over a gateway's; a gateway's counts while the service has said nothing", () => {
  const board = new AlarmBoard();
  board.take(fromGateway(0, { alarmId: X }), 0);
  expect(board.alarms()).toMatchObject([{ state: 'active', senders: ['gateway-1'] }]);
  board.take(line(0, { state: 'acknowledged', transition: 'acknowledged', by: 'n' }), 0);
  board.take(fromGateway(9, { alarmId: X }), 0);
  expect(board.alarms()).toMatchObject([{ state: 'acknowledged', senders: ['alarms', 'gateway-1'] }]);
});

test('two records of one event are one alarm with both senders, and a merge into an unknown alarm hides nothing', () => {
  const board = new AlarmBoard();
  board.take(fromGateway(0), 0);
  board.take(line(0, { alarmId: Y, transition: 'merged', mergedInto: X }), 0);
  expect(board.alarms().map(({ alarmId }) => alarmId)).toEqual([Y]);
  board.take(line(1), 0);
  expect(board.alarms()).toMatchObject([{ alarmId: X, senders: ['alarms', 'gateway-1'] }]);
  board.take(line(2, { state: 'ended', transition: 'ended' }), 0);
  expect(board.alarms()).toEqual([]);
});

test('what neither the service nor the stored log calls open has ended, except what was heard since it was asked', () => {
  const board = new AlarmBoard();
  const nothingOpen = new Set<string>();
  board.take(line(0), 1_000);
  board.takeAnswer(answer([], nowUs + 5 * second), nothingOpen, 900, 1_100);
  expect(board.alarms()).toHaveLength(1); // heard while the question was on its way
  // A worker that has just started, or decides about other devices, names too little: one witness is not enough.
  board.takeAnswer(answer([], nowUs + 6 * second), null, 2_000, 2_100);
  board.takeAnswer(answer([], nowUs + 6 * second), new Set([X]), 2_000, 2_100);
  expect(board.alarms()).toHaveLength(1);
  expect(board.unnamedIn(answer([], nowUs))).toEqual([X]);
  board.takeAnswer(answer([], nowUs + 6 * second), nothingOpen, 2_000, 2_100);
  expect(board.alarms()).toEqual([]);
});

test('a backlog of lines from before the answer shows only what is still open when it has been read', () => {
  const board = new AlarmBoard();
  board.takeAnswer(answer([], nowUs + 60 * second), null, 0, 0);
  board.take(line(1, { alarmId: Y }), 1_000);
  board.take(line(2, { alarmId: X }), 1_000);
  board.settle(2_000);
  expect(board.alarms()).toEqual([]);
  board.take(line(3, { alarmId: Y, state: 'ended', transition: 'ended' }), 2_000);
  board.settle(5_000);
  expect(board.alarms().map(({ alarmId }) => alarmId)).toEqual([X]); // the answer was not whole: better late than lost
  board.take(line(61, { alarmId: Y }), 5_000); // newer than the answer: at once
  expect(board.alarms()).toHaveLength(2);
});

test("an answer is newer than the lines before it and older than those after it; a gateway's alarms it does not touch", () => {
  const board = new AlarmBoard();
  board.take(fromGateway(0), 0);
  board.takeAnswer(answer([infoOf({ state: 'acknowledged', changedAtUs: nowUs + 3 * second })], nowUs + 4 * second), null, 0, 10);
  board.take(line(2), 20); // a late copy
  expect(board.alarms().map(({ alarmId, state }) => [alarmId, state])).toEqual([
    [Y, 'active'],
    [X, 'acknowledged'],
  ]);
  board.take(line(5, { transition: 're-alarmed' }), 30);
  expect(board.alarms().find(({ alarmId }) => alarmId === X)?.state).toBe('active');
});

test('a pause runs until its end, is ended by the newest word, and a late copy does not bring it back', () => {
  const board = new AlarmBoard();
  const paused = (seq: number) =>
    line(seq, { alarmId: '', condition: null, transition: 'paused', untilUs: nowUs + 120 * second, by: 'n', priority: 'medium' });
  const resumed = (seq: number) => line(seq, { alarmId: '', condition: null, transition: 'resumed', by: 'n' });
  board.take(paused(0), 0);
  expect(board.pauses(nowUs)).toEqual([{ device: 'd1', untilUs: nowUs + 120 * second, by: 'n', above: 'medium' }]);
  expect(board.pauses(nowUs + 120 * second)).toEqual([]);
  board.take(resumed(1), 0);
  board.take(paused(0), 0);
  expect(board.pauses(nowUs)).toEqual([]);
  board.take(paused(2), 0);
  expect(board.pauses(nowUs)).toHaveLength(1);
  board.takeAnswer(answer([], nowUs + 3 * second), null, 1, 2);
  expect(board.pauses(nowUs)).toEqual([]);
  expect(board.alarms()).toEqual([]);
});

test('stored lines fill an empty board, and the stream goes on from them without a repeat', () => {
  const board = new AlarmBoard();
  const stored: AlarmLine = {
    logId: LOG,
    seq: 4,
    sender: 'alarms',
    device: 'd1',
    alarmId: X,
    condition: 'seizure',
    priority: 'high',
    state: 'latched',
    transition: 'condition-ended',
    atUs: nowUs,
    onsetUs: nowUs,
    endedUs: nowUs,
    value: null,
    limit: null,
    channel: null,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: '',
  };
  board.takeStored([stored], 0);
  board.take(line(3), 0);
  expect(board.alarms()).toMatchObject([{ state: 'latched', endedUs: nowUs }]);
  board.take(line(5, { state: 'ended', transition: 'ended' }), 0);
  expect(board.alarms()).toEqual([]);
});

test('at its limit the board forgets ended alarms, never open ones, and counts what it cannot take', () => {
  const board = new AlarmBoard({ maxAlarms: 2, maxPauses: 1 });
  const id = (index: number) => String(index).padStart(16, '0');
  board.take(line(0, { alarmId: id(0) }), 0);
  board.take(line(1, { alarmId: id(1), state: 'ended' }), 0);
  board.take(line(2, { alarmId: id(2) }), 0);
  board.take(line(3, { alarmId: id(3) }), 0);
  expect(
    board
      .alarms()
      .map(({ alarmId }) => alarmId)
      .sort(),
  ).toEqual([id(0), id(2)]);
  expect(board.refused).toBe(1);
});
