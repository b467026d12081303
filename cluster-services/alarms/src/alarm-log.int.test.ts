import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Alarm, decodeMessage } from '@vitalwire/contract';
import { Outbox, OutboxError } from '@vitalwire/outbox';
import { createLog, systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { AlarmEngine, type AlarmRecord, recordOf } from '@vitalwire/vitals';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlarmLog, inOrder, type LogLine } from './alarm-log.ts';

const log = createLog({ name: 'alarm-log-test', level: 'silent' });
const clockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
let dir: string;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  dir = tempDir('vw-alarm-log-');
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  removeTempDir(dir);
});

async function openLog(outboxOf: (outbox: Outbox) => Outbox = (outbox) => outbox) {
  const file = { path: join(dir, 'outbox.sqlite'), owner: 'alarms', version: '0', maxBytes: 16 * 1024 * 1024 };
  const outbox = new Outbox({ ...file, ringMs: 1_000_000, minFreeBytes: 0, announce: false, log, clock: systemClock });
  await outbox.start();
  const live: Alarm[] = [];
  const alarmLog = new AlarmLog({
    sender: 'alarms',
    dataDir: dir,
    outbox: outboxOf(outbox),
    clock: systemClock,
    clockState: () => clockState,
    log,
    fenceOf: () => 3,
    publishLive: (_topic, bytes) => {
      const decoded = decodeMessage(bytes);
      if (decoded.ok && decoded.value.stream === 'alarm') live.push(decoded.value);
    },
    onLine: () => {},
  });
  await alarmLog.start();
  const stop = async () => {
    await alarmLog.stop();
    await outbox.stop();
  };
  ends.push(stop);
  return { alarmLog, live, stop };
}

/** Writes until the disk refuses. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [64 * 1024, 1024, 1])
    try {
      for (;;) writeSync(file, Buffer.alloc(size, 1));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
  closeSync(file);
}

function pauses(...seconds: number[]): AlarmRecord[] {
  const engine = new AlarmEngine({ sender: 'alarms' });
  return seconds.flatMap((each) => {
    const asked = engine.pause('d', each, 'nurse', each * 1_000_000);
    return asked.ok ? [...asked.records] : [];
  });
}

test('a log goes on with its own numbers after a restart', async () => {
  const first = await openLog();
  first.alarmLog.write(pauses(1, 2));
  await until(() => first.live.length === 2);
  await first.stop();
  const second = await openLog();
  expect(second.alarmLog.earlier.map(({ seq, fence }) => [seq, fence])).toEqual([
    [0, 3],
    [1, 3],
  ]);
  second.alarmLog.write(pauses(3));
  await until(() => second.live.length === 1);
  expect(second.live[0]).toMatchObject({ subject: first.live[0]?.subject, seq: 2 });
});

test('without a disk lines are shown all the same, and written in order when there is one', async () => {
  let isFull = true;
  const { alarmLog, live } = await openLog(
    (outbox) =>
      new Proxy(outbox, {
        get(target, name) {
          if (name === 'append' && isFull) return () => Promise.reject(new OutboxError('DISK_FULL'));
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  );
  alarmLog.write(pauses(1, 2));
  await until(() => live.length === 2);
  expect(alarmLog.counts.written).toBe(0);
  expect(alarmLog.waiting).toBe(2);
  isFull = false;
  await until(() => alarmLog.counts.written === 2);
  expect(live).toHaveLength(2); // not shown twice
});

test.skipIf(process.getuid?.() !== 0)(
  'on a disk that is full every line has a number of its own, screens follow to the last, and what is true is kept when there is room',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=700', 'tmpfs', dir], { stdio: 'pipe' });
    ends.push(() => Promise.resolve(execFileSync('umount', ['-l', dir]))); // after the outbox is closed
    const { alarmLog, live } = await openLog();
    const filler = join(dir, 'filler');
    fill(filler);
    const engine = new AlarmEngine({ sender: 'alarms' });
    const board = new Map<string, Alarm>(); // as a screen does: within a log by its numbers, else by the sender's clock
    const isOver = (index: number) => board.get(engine.state().alarms[index]?.alarmId ?? '')?.state === 'ended';
    for (let round = 0; round < 10_400; round += 1) {
      const said = { condition: 'no-data', aspect: 'eeg' } as const;
      const values = { priority: 'medium', sinceUs: 0, value: null, limit: null, channel: null, replay: null } as const;
      const device = `d${round % 4}`;
      const holds = Math.floor(round / 4) % 2 === 0;
      const statement = holds
        ? ({ ...said, holds, ...values, text: 'x' } as const)
        : ({ ...said, holds: false, endedUs: 1, text: 'y' } as const);
      alarmLog.write(engine.statement(device, statement, round * 1_000));
    }
    await until(() => live.length === 10_400, { timeoutMs: 60_000 });
    expect(alarmLog.counts).toEqual({ written: 0, liveOnly: 396 });
    expect(alarmLog.waiting).toBe(10_004);
    expect(new Set(live.map(({ subject, seq }) => `${subject} ${seq}`)).size).toBe(10_400);
    const inOrderOfNumbers = [...live].sort((a, b) => a.seq - b.seq);
    expect(new Set(inOrderOfNumbers.map(({ seq }) => seq)).size).toBe(10_400);
    for (const line of inOrderOfNumbers) {
      const told = board.get(line.alarmId);
      const isNewer = told === undefined || (told.subject === line.subject ? line.seq > told.seq : line.measuredAtUs > told.measuredAtUs);
      if (isNewer) board.set(line.alarmId, line);
    }
    expect([0, 1, 2, 3].map(isOver)).toEqual([true, true, true, true]);
    rmSync(filler);
    await until(() => alarmLog.waiting === 0, { timeoutMs: 60_000 });
    expect(alarmLog.counts).toEqual({ written: 10_004, liveOnly: 396 });
    for (const end of ends.splice(1)) await end(); // a restart on the same disk
    const again = await openLog();
    const { earlier } = again.alarmLog;
    expect(earlier.map(({ seq }) => seq)).toEqual(Array.from({ length: 10_004 }, (_, seq) => seq)); // without a hole
    const after = new AlarmEngine({ sender: 'alarms' });
    after.replay(earlier.map(recordOf));
    expect(after.now().alarms).toEqual([]);
  },
  180_000,
);

test('lines of several logs come in the order of the wall clock, those of one log in that of their numbers', () => {
  const line = (logId: string, seq: number, atUs: number): LogLine => ({ ...(pauses(1)[0] as AlarmRecord), logId, seq, atUs });
  const lines = [line('a', 1, 5), line('b', 0, 20), line('a', 0, 10), line('b', 1, 30), line('a', 2, 25), line('a', 2, 25)];
  expect(inOrder(lines).map(({ logId, seq }) => `${logId}${seq}`)).toEqual(['a0', 'a1', 'b0', 'a2', 'b1']);
});
