import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClockState, decodeMessage, type Message } from '@vitalwire/contract';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppendStep } from '../append.ts';
import { testRecordingId, testStart } from '../test-steps.ts';
import { OutboxFile } from './outbox-file.ts';

const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
const root = tempDir('vw-full-');
const disk = join(root, 'disk');
const mounted = mount();

beforeAll(() => {
  if (!mounted) console.warn('no small disk can be mounted here: the disk-full test is skipped');
});
afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', disk]);
  removeTempDir(root);
});

test.skipIf(!mounted)('on a full disk old chunks make room for new ones, and every answered chunk is here or declared lost', () => {
  const first = open();
  first.begin({ sessionId: testRecordingId(), version: '1', announce: true });
  const id = testRecordingId();
  expect(first.appendGroup([[testStart(id)]], false).results[0]?.ok).toBe(true);
  const answered: number[] = [];
  let full = 0;
  for (let round = 0; round < 1_500; round += 1) {
    try {
      const result = first.appendGroup([[noise(id, round)]], false).results[0];
      if (result?.ok === true) answered.push(result.value.recordings[0]?.firstSeq ?? -1);
    } catch (error) {
      expect(error).toMatchObject({ code: 'DISK_FULL', retry: true });
      full += 1;
    }
    if (round % 50 === 49) for (let step = 0; step < 20 && first.maintain(); step += 1) {}
  }
  expect(answered.length).toBeGreaterThan(1_000); // far more than fits: it goes on
  expect(full).toBeLessThan(answered.length / 2); // refused ones come again
  expect(accountedFor(first, id, answered)).toEqual([]);

  writeFileSync(join(disk, 'ballast'), Buffer.alloc(0)); // the rest of the disk goes to somebody else
  fill(join(disk, 'ballast'));
  first.close();
  const second = open(); // never refuses to start
  expect(accountedFor(second, id, answered)).toEqual([]);
  rmSync(join(disk, 'ballast'));
  again(() => second.begin({ sessionId: testRecordingId(), version: '1', announce: true }));
  const next = testRecordingId();
  expect(again(() => second.appendGroup([[testStart(next), noise(next, 0)]], false)).results[0]?.ok).toBe(true);
  second.close();
});

/** As an agent or a device does: what was refused because the disk is full is tried again. */
function again<T>(work: () => T): T {
  for (let left = 10; ; left -= 1) {
    try {
      return work();
    } catch (error) {
      expect(error).toMatchObject({ code: 'DISK_FULL' });
      if (left === 0) throw error;
    }
  }
}

/** The answered seqs that are neither in the outbox nor declared lost. */
function accountedFor(file: OutboxFile, id: string, answered: readonly number[]): number[] {
  const messages: Message[] = [];
  for (let after = 0; ; ) {
    const rows = file.read(after, 500, 1e9);
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.id;
    for (const { message } of rows) {
      const decoded = decodeMessage(message);
      if (decoded.ok) messages.push(decoded.value);
    }
  }
  const known = new Set(messages.filter((one) => one.recordingId === id).map(({ seq }) => seq));
  for (const one of messages)
    if (one.stream === 'gap' && one.subject === id) for (let seq = one.fromSeq ?? 0; seq <= (one.toSeq ?? -1); seq += 1) known.add(seq);
  return answered.filter((seq) => !known.has(seq));
}

function mount(): boolean {
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function fill(path: string): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(16 * 1024, 1), { flag: 'a' });
  } catch {
    // full
  }
}

function open(): OutboxFile {
  return OutboxFile.open({
    path: join(disk, 'outbox.sqlite'),
    owner: 'gateway-1',
    maxBytes: 1e9,
    ringMs: 1e9,
    minFreeBytes: 0,
    nowMs: Date.now,
  }).file;
}

/** About 10 KB that no codec makes smaller. */
function noise(recordingId: string, seed: number): AppendStep {
  let state = seed + 1;
  const samples = Int16Array.from({ length: 5_000 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state >> 16;
  });
  return {
    step: 'chunk',
    chunk: {
      stream: 'eeg',
      recordingId,
      measuredAtUs: 0,
      clock,
      firstSample: seed * 5_000,
      channels: 1,
      samplesPerChannel: 5_000,
      rate: { num: 256, den: 1 },
      montageHash: '0000000000000000',
      sampleBits: 16,
      samples,
    },
    readings: 5_000,
    endUs: 0,
  };
}
