import { createLog, defineErrors } from '@vitalwire/runtime';
import type { CommitOutcome, CommitRow } from '@vitalwire/storage/commit';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { GroupCommit, type GroupCommitLimits } from './group-commit.ts';

class FakeError extends defineErrors('fake', {
  DOWN: { retry: 'yes', summary: 'down', next: 'wait' },
  BAD_ROW: { retry: 'no', summary: 'bad row', next: 'wait' },
  DAMAGED: { retry: 'no', summary: 'damaged', next: 'wait' },
}) {}

function row(seq: number, bytes = 10): CommitRow {
  return {
    kind: 'quarantine',
    sha256: new Uint8Array(32),
    sender: 's',
    topic: 't',
    reason: 'r',
    message: new Uint8Array(bytes),
    recordingId: null,
    seq,
  };
}

type Call = { seqs: (number | null)[]; deadlineMs: number; resolve: (outcomes: CommitOutcome[]) => void; reject: (error: Error) => void };

/** A store that answers when the test says so, as nothing else can hold a commit open at a chosen moment. */
function setUp(limits: Partial<GroupCommitLimits> = {}): { clock: VirtualClock; calls: Call[]; commits: GroupCommit } {
  const clock = new VirtualClock();
  const calls: Call[] = [];
  const commits = new GroupCommit({
    clock,
    limits,
    log: createLog({ name: 'test', level: 'silent' }),
    store: {
      commit: (rows, deadlineMs) =>
        new Promise((resolve, reject) => calls.push({ seqs: rows.map((one) => one.seq), deadlineMs, resolve, reject })),
    },
  });
  return { clock, calls, commits };
}

function all(call: Call | undefined, outcome: CommitOutcome = 'committed'): void {
  call?.resolve(call.seqs.map(() => outcome));
}

async function turn(): Promise<void> {
  for (let times = 0; times < 5; times += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('an idle store is used at once, and what arrives meanwhile goes together', async () => {
  const { calls, commits } = setUp();
  const outcomes = [commits.add(row(0))];
  await turn();
  outcomes.push(commits.add(row(1)), commits.add(row(2)), commits.add(row(3)));
  await turn();
  expect(calls.map((call) => call.seqs)).toEqual([[0]]);
  all(calls[0]);
  await turn();
  expect(calls.map((call) => call.seqs)).toEqual([[0], [1, 2, 3]]);
  all(calls[1], 'duplicate');
  expect(await Promise.all(outcomes)).toEqual(['committed', 'duplicate', 'duplicate', 'duplicate']);
});

test('a commit holds no more rows and bytes than its limits', async () => {
  const { calls, commits } = setUp({ rowsPerCommit: 3, bytesPerCommit: 100 });
  const outcomes = [
    ...Array.from({ length: 4 }, (_, seq) => commits.add(row(seq))),
    commits.add(row(4, 60)),
    commits.add(row(5, 60)),
    commits.add(row(6, 500)),
  ];
  for (let index = 0; index < 4; index += 1) {
    await turn();
    all(calls[index]);
  }
  await Promise.all(outcomes);
  expect(calls.map((call) => call.seqs)).toEqual([[0, 1, 2], [3, 4], [5], [6]]);
});

test('a database that is down is asked again until the deadline, then the rows fail, and the next ones succeed', async () => {
  const { calls, clock, commits } = setUp({ deadlineMs: 10_000 });
  const failed = commits.add(row(0)).then(
    () => 'committed',
    (error: Error) => error.message,
  );
  for (let ms = 0; ms < 12_000; ms += 100) {
    await turn();
    for (const call of calls) call.reject(new FakeError('DOWN'));
    await clock.advance(100);
  }
  expect(await failed).toMatch(/did not commit before the deadline/);
  expect(calls.length).toBeGreaterThan(5);
  expect(calls.every((call) => call.deadlineMs <= 10_000)).toBe(true);
  const asked = calls.length;
  const later = commits.add(row(1));
  await turn();
  all(calls[asked]);
  expect(await later).toBe('committed');
});

test('rows keep their order over a failed attempt', async () => {
  const { calls, clock, commits } = setUp();
  const outcomes = [commits.add(row(0)), commits.add(row(1))];
  await turn();
  outcomes.push(commits.add(row(2)));
  calls[0]?.reject(new FakeError('DOWN'));
  await turn();
  await clock.advance(1_000);
  await turn();
  expect(calls[1]?.seqs).toEqual([0, 1, 2]);
  all(calls[1]);
  await Promise.all(outcomes);
});

test('a store that never answers does not hold the rows beyond their deadline', async () => {
  const { clock, commits } = setUp({ deadlineMs: 5_000 });
  const failed = expect(commits.add(row(0))).rejects.toThrow(/did not commit/);
  await turn();
  await clock.advance(6_001);
  await turn();
  await clock.advance(1_000);
  await failed;
});

test('a row the database will never take fails alone', async () => {
  const { calls, commits } = setUp();
  const outcomes = [0, 1, 2].map((seq) => commits.add(row(seq)).catch((error: Error) => error.message));
  await turn();
  calls[0]?.reject(new FakeError('BAD_ROW'));
  await turn();
  all(calls[1]);
  await turn();
  calls[2]?.reject(new FakeError('BAD_ROW'));
  await turn();
  all(calls[3]);
  expect(await Promise.all(outcomes)).toEqual(['committed', 'bad row', 'committed']);
});

test('a database that is broken as a whole is no fault of a row: nothing is tried singly, the rows wait for their deadline', async () => {
  const { calls, clock, commits } = setUp({ deadlineMs: 1_000 });
  const failed = [0, 1].map((seq) => expect(commits.add(row(seq))).rejects.toThrow(/did not commit/));
  for (let ms = 0; ms < 2_000; ms += 100) {
    await turn();
    for (const call of calls) call.reject(new FakeError('DAMAGED'));
    await clock.advance(100);
  }
  await Promise.all(failed);
  expect(calls.every((call) => call.seqs.length === 2)).toBe(true);
});

test('nobody commits for a sender that has gone, and memory has a bound', async () => {
  const { calls, commits } = setUp({ waitingBytes: 100 });
  const first = commits.add(row(0));
  await turn();
  const gone = expect(commits.add(row(1, 50), () => true)).rejects.toThrow(/sender has gone/);
  const kept = commits.add(row(2, 50));
  await expect(commits.add(row(3, 50))).rejects.toThrow(/too many messages wait/);
  all(calls[0]);
  await turn();
  all(calls[1]);
  await gone;
  expect(await first).toBe('committed');
  expect(await kept).toBe('committed');
  expect(calls.map((call) => call.seqs)).toEqual([[0], [2]]);
});

test('a stop finishes what was handed in and takes nothing more', async () => {
  const { calls, commits } = setUp();
  const begun = commits.add(row(0));
  const waiting = commits.add(row(1));
  await turn();
  const stopped = commits.stop();
  await expect(commits.add(row(2))).rejects.toThrow(/stopped/);
  all(calls[0]);
  await turn();
  all(calls[1]);
  await stopped;
  expect(await begun).toBe('committed');
  expect(await waiting).toBe('committed');
});
