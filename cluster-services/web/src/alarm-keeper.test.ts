import { type Alarm, type AlarmLine, derivedId } from '@vitalwire/contract';
import { createLog } from '@vitalwire/runtime';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { AlarmBoard } from './alarm-board.ts';
import { AlarmKeeper } from './alarm-keeper.ts';

const log = createLog({ name: 'test', level: 'silent' });
const GATEWAY_LOG = '01900000-0000-7000-8000-0123456789ab';
const SERVICE_LOG = '01900000-0000-7000-8000-ba9876543210';
const OF_GATEWAY = '0123456789abcdef';
const OF_SERVICE = 'fedcba9876543210';

function line(atUs: number, rest: Partial<AlarmLine>): AlarmLine {
  return {
    logId: rest.sender === 'alarms' ? SERVICE_LOG : GATEWAY_LOG,
    seq: 0,
    sender: 'gateway-1',
    device: 'd1',
    alarmId: OF_GATEWAY,
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    transition: 'raised',
    atUs,
    onsetUs: atUs,
    endedUs: null,
    value: 1,
    limit: 0.8,
    channel: 0,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: 'seizure pattern detected',
    ...rest,
  };
}

function heard({ logId, atUs, ...rest }: AlarmLine): Alarm {
  const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
  return { ...rest, stream: 'alarm', recordingId: derivedId(logId, 'alarm'), subject: logId, measuredAtUs: atUs, clock, fence: 0 };
}

test.each([
  ['merged into another', { sender: 'alarms', seq: 1, transition: 'merged', state: 'ended', mergedInto: OF_SERVICE, by: 'gateway-1' }],
  ['ended by its gateway', { seq: 1, transition: 'ended', state: 'ended' }],
] as const)("a gateway's alarm that was %s while web was down is not shown for ever after its restart", async (_how, over) => {
  const clock = new VirtualClock();
  const nowUs = clock.nowUs();
  const raised = line(nowUs - 60_000_000, {});
  const before = new AlarmBoard();
  before.take(heard(raised), 0);
  const board = new AlarmBoard();
  board.restore(before.keep());
  expect(board.alarms()).toHaveLength(1);

  const stored = [raised, line(nowUs - 30_000_000, over)];
  const storage = {
    getJson: async <Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> =>
      schema.parse({ lines: path.includes('open=true') ? [] : stored, next: null }),
  };
  const alarms = {
    getJson: async <Schema extends z.ZodType>(_path: string, schema: Schema): Promise<z.output<Schema>> =>
      schema.parse({ nowUs: clock.nowUs(), path: 'ok', alarms: [], pauses: [] }),
  };
  const keeper = new AlarmKeeper({ alarms, storage, board, clock, log });
  await keeper.start();
  await clock.advance(1_000);
  await clock.advance(4_000);
  board.settle(clock.monotonicMs());
  expect(board.alarms()).toEqual([]);
  await keeper.stop();
});

test('an alarm that the service merged is not shown again when, after a restart of web, its gateway goes on to speak of it', async () => {
  const clock = new VirtualClock();
  const nowUs = clock.nowUs();
  const merged = { sender: 'alarms', seq: 1, transition: 'merged', state: 'ended', mergedInto: OF_SERVICE, by: 'gateway-1' } as const;
  const raised = line(nowUs - 60_000_000, {});
  const board = new AlarmBoard();
  const storage = {
    getJson: async <Schema extends z.ZodType>(_path: string, schema: Schema): Promise<z.output<Schema>> =>
      schema.parse({ lines: [raised, line(nowUs - 50_000_000, merged)], next: null }),
  };
  const alarms = {
    getJson: async <Schema extends z.ZodType>(_path: string, schema: Schema): Promise<z.output<Schema>> =>
      schema.parse({ nowUs: clock.nowUs(), path: 'ok', alarms: [], pauses: [] }),
  };
  const keeper = new AlarmKeeper({ alarms, storage, board, clock, log });
  await keeper.start();
  await clock.advance(100);
  expect(board.alarms()).toEqual([]);
  board.take(heard(line(clock.nowUs(), { seq: 1, transition: 'updated' })), clock.monotonicMs());
  expect(board.alarms()).toEqual([]);
  await keeper.stop();
});

test("a gateway's alarm that the stored log does not know yet stays on the board", async () => {
  const clock = new VirtualClock();
  const before = new AlarmBoard();
  before.take(heard(line(clock.nowUs() - 60_000_000, {})), 0);
  const board = new AlarmBoard();
  board.restore(before.keep());
  const storage = {
    getJson: async <Schema extends z.ZodType>(_path: string, schema: Schema): Promise<z.output<Schema>> =>
      schema.parse({ lines: [], next: null }),
  };
  const keeper = new AlarmKeeper({ alarms: null, storage, board, clock, log });
  await keeper.start();
  await clock.advance(5_000);
  board.settle(clock.monotonicMs());
  expect(board.alarms()).toHaveLength(1);
  await keeper.stop();
});
