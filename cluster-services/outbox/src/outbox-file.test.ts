import { closeSync, copyFileSync, openSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ClockState, decodeMessage, derivedId, type Message, newRecordingId } from '@vitalwire/contract';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AppendStep } from './append.ts';
import { OutboxError } from './errors.ts';
import { OutboxFile, type OutboxFileOptions } from './outbox-file.ts';
import { migrations } from './schema.ts';

const MB = 1024 * 1024;
const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

let dir: string;
let nowMs: number;
let opened: OutboxFile[];

beforeEach(() => {
  dir = tempDir('vw-outbox-');
  nowMs = Date.UTC(2026, 0, 1);
  opened = [];
});
afterEach(() => {
  for (const file of opened) file.close();
  removeTempDir(dir);
});

describe('durability', () => {
  test('every pragma holds at every open, also at the second one, where SQLite would fall back to NORMAL', () => {
    for (let round = 0; round < 2; round += 1) {
      const { file } = open();
      file.close();
    }
    const bare = new Database(path());
    expect(bare.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(bare.pragma('auto_vacuum', { simple: true })).toBe(2);
    bare.close();
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test('what was appended is there after a reopen, with its seq, in send order', () => {
    const first = open().file;
    const id = startRecording(first);
    first.appendGroup([[chunk(id, 0)], [chunk(id, 10), chunk(id, 20)]], false);
    first.close();
    const second = open().file;
    const messages = readAll(second);
    expect(messages.map(({ stream, seq }) => [stream, seq])).toEqual([
      ['recording', 0],
      ['eeg', 0],
      ['eeg', 1],
      ['eeg', 2],
    ]);
    expect(second.state().pendingChunks).toBe(4);
  });

  test('an append that is refused leaves nothing behind and does not hold back those beside it', () => {
    const { file } = open();
    const id = startRecording(file);
    const { results } = file.appendGroup(
      [
        [chunk(id, 0), capture('c', 0, 10)],
        [chunk(id, 10), capture('c', 99, 109)],
        [chunk(id, 10), capture('c', 10, 20)],
      ],
      false,
    );
    expect(results.map((result) => (result.ok ? result.value.recordings[0]?.lastSeq : result.code))).toEqual([0, 'CAPTURE_MOVED', 1]);
    expect(readAll(file).filter(({ stream }) => stream === 'eeg')).toHaveLength(2);
    expect(file.capturePosition('eeg-1', 'eeg', 'c', 0).nextSample).toBe(20);
  });

  test('a chunk for a recording that is not open is refused as a repaired outbox would refuse it', () => {
    const { file } = open();
    const { results } = file.appendGroup([[chunk(newId(), 0)]], false);
    expect(results[0]).toMatchObject({ ok: false, code: 'OUTBOX_REPLACED' });
  });

  test('ids go on rising after everything has been delivered and dropped', () => {
    const { file } = open({ ringMs: 0 });
    startRecording(file);
    file.ack(1);
    nowMs += 1;
    file.maintain();
    expect(file.state().ringChunks).toBe(0);
    startRecording(file);
    expect(file.state().lastId).toBe(2);
  });
});

describe('sessions', () => {
  test('a start ends the recordings that a crash left open, and tells of the death that nobody could tell', () => {
    const first = open().file;
    const session = newId();
    first.begin({ sessionId: session, version: '1', announce: true });
    const id = startRecording(first);
    first.appendGroup([[chunk(id, 0)]], false);
    first.close();

    const second = open().file;
    const later = newId();
    expect(second.begin({ sessionId: later, version: '2', announce: true })).toEqual({ previousSession: session, endedRecordings: 1 });
    const messages = readAll(second);
    expect(messages.find((one) => one.stream === 'recording' && one.kind === 'end')).toMatchObject({
      subject: id,
      lastSeq: 0,
      readings: 10,
      reason: 'crash',
    });
    expect(messages.filter((one) => one.stream === 'status').map((one) => [one.subject, one.kind, one.reason])).toEqual([
      [session, 'birth', 'first start'],
      [session, 'death', 'crash'],
      [later, 'birth', 'start'],
    ]);
  });

  test('after a clean end the next start has nothing to end', () => {
    const first = open().file;
    first.begin({ sessionId: newId(), version: '1', announce: true });
    startRecording(first);
    expect(first.finish()).toBe(1);
    first.close();
    expect(open().file.begin({ sessionId: newId(), version: '1', announce: true }).endedRecordings).toBe(0);
  });
});

describe('delivery', () => {
  test('acknowledged messages become ring, are kept for ringMs, and then go', () => {
    const { file } = open({ ringMs: 3_600_000 });
    const id = startRecording(file);
    for (let index = 0; index < 5; index += 1) file.appendGroup([[chunk(id, index * 10)]], false);
    file.ack(4);
    expect(file.state()).toMatchObject({ pendingChunks: 2, ringChunks: 4, deliveredId: 4 });
    nowMs += 3_599_000;
    file.maintain();
    expect(file.state().ringChunks).toBe(4);
    nowMs += 2_000;
    file.maintain();
    expect(file.state()).toMatchObject({ pendingChunks: 2, ringChunks: 0, deliveredId: 4 });
    file.close();
    expect(open().file.state()).toMatchObject({ pendingChunks: 2, deliveredId: 4 });
  });

  test('a new database generation makes everything that is still here un-acknowledged again, in order', () => {
    const { file } = open();
    const id = startRecording(file);
    file.appendGroup([[chunk(id, 0)], [chunk(id, 10)]], false);
    expect(file.newGeneration('00000000-0000-4000-8000-000000000001')).toBe(false); // the first one heard of
    file.ack(3);
    expect(file.newGeneration('00000000-0000-4000-8000-000000000001')).toBe(false);
    expect(file.state().pendingChunks).toBe(0);
    expect(file.newGeneration('00000000-0000-4000-8000-000000000002')).toBe(true);
    expect(file.state()).toMatchObject({ pendingChunks: 3, ringChunks: 0, deliveredId: 0 });
    expect(readAll(file).map(({ seq }) => seq)).toEqual([0, 0, 1]);
  });

  test('the recent ones: not older than asked for, acknowledged or not, in send order, and never more than asked for', () => {
    const { file } = open();
    const id = startRecording(file);
    file.appendGroup([[chunk(id, 0)]], false);
    nowMs += 10_000;
    const sinceMs = nowMs;
    file.appendGroup([[chunk(id, 10)], [chunk(id, 20)]], false);
    file.ack(3);
    nowMs += 1_000;
    file.appendGroup([[chunk(id, 30)]], false);
    expect(file.recent(sinceMs, 100).map((row) => row.id)).toEqual([3, 4, 5]);
    expect(file.recent(sinceMs, 2).map((row) => row.id)).toEqual([4, 5]);
    expect(file.recent(nowMs + 1, 100)).toEqual([]);
  });

  test('a read gives at least one message, however small the bound', () => {
    const { file } = open();
    startRecording(file);
    startRecording(file);
    expect(file.read(0, 10, 1)).toHaveLength(1);
  });
});

describe('the byte bound', () => {
  test('delivered messages go first; then the oldest EEG, with a gap record for each run; records, gaps and heart rate stay', () => {
    const { file } = open({ maxBytes: 3 * MB });
    const eeg = startRecording(file);
    const heart = startRecording(file, 'heart-rate');
    for (let seq = 0; seq < 300; seq += 1) {
      const steps: AppendStep[] = [noisyChunk(eeg, seq), heartRate(heart, seq)];
      const { results } = file.appendGroup([steps], false);
      expect(results[0]?.ok).toBe(true);
      nowMs += 250;
      if (seq === 20) file.ack(30);
    }
    const state = file.state();
    expect(state.usedBytes).toBeLessThanOrEqual(3 * MB);
    expect(state.ringChunks).toBe(0);
    expect(state.evictedChunks).toBeGreaterThan(0);
    const messages = readAll(file);
    const kept = new Set(messages.filter((one) => one.stream === 'eeg').map(({ seq }) => seq));
    const declared = messages.filter((one) => one.stream === 'gap');
    expect(declared.every((gap) => gap.reason === 'evicted' && gap.subject === eeg && gap.recordingId === derivedId(eeg, 'gap'))).toBe(
      true,
    );
    expect(declared.map(({ seq }) => seq)).toEqual(declared.map((_gap, index) => index)); // gaps count up, too
    const lost = declared.flatMap(({ fromSeq, toSeq }) => range(fromSeq ?? -1, toSeq ?? -1));
    // Chunks up to id 30 had been delivered; every later one is either here or declared lost, none is both.
    for (let seq = 14; seq < 300; seq += 1) expect(kept.has(seq)).not.toBe(lost.includes(seq));
    expect(messages.filter((one) => one.stream === 'heart-rate').length).toBe(state.pendingChunks - kept.size - declared.length);
    expect(Math.min(...kept)).toBeGreaterThan(Math.max(...lost)); // the oldest went
  });

  test('an append that would not fit into an empty outbox is refused, and costs nothing that is in it', () => {
    const { file } = open({ maxBytes: 2 * MB });
    const id = startRecording(file);
    for (let seq = 0; seq < 100; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    const tooMuch = Array.from({ length: 300 }, (_, index) => noisyChunk(id, 100 + index));
    expect(file.appendGroup([tooMuch], false).results).toMatchObject([{ ok: false, code: 'OUTBOX_FULL' }]);
    expect(file.state()).toMatchObject({ pendingChunks: 101, evictedChunks: 0 });
  });

  test('heart rate goes when there is no EEG left, and a gap says so', () => {
    const { file } = open({ maxBytes: MB });
    const heart = startRecording(file, 'heart-rate');
    for (let seq = 0; seq < 400; seq += 1) file.appendGroup([[heartRate(heart, seq, 250)]], false);
    expect(file.state().usedBytes).toBeLessThanOrEqual(MB);
    expect(readAll(file).some((one) => one.stream === 'gap' && one.subject === heart && one.of === 'heart-rate')).toBe(true);
  });

  test('an outbox full of what may not go refuses readings, and still takes records in', () => {
    const { file } = open({ maxBytes: 600 * 1024 });
    for (let group = 0; group < 10; group += 1)
      file.appendGroup(
        Array.from({ length: 250 }, () => [gap(newId())]),
        false,
      );
    const id = newId();
    expect(file.appendGroup([[start(id), noisyChunk(id, 0)]], false).results[0]).toMatchObject({ ok: false, code: 'OUTBOX_FULL' });
    expect(file.appendGroup([[gap(newId())]], false).results[0]?.ok).toBe(true);
    expect(readAll(file).every(({ stream }) => stream === 'gap')).toBe(true);
  });

  test('a drained file gives its pages back in small steps', () => {
    const { file } = open({ ringMs: 0 });
    const id = startRecording(file);
    for (let seq = 0; seq < 600; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    const peak = file.state().fileBytes;
    file.ack(file.state().lastId);
    nowMs += 1;
    for (let step = 0; step < 200 && file.maintain(); step += 1) {}
    expect(file.state().fileBytes).toBeLessThan(peak * 0.3);
  });
});

describe('releases', () => {
  test('an outbox of the first schema opens, with everything in it', () => {
    const old = new Database(path());
    old.pragma('auto_vacuum = INCREMENTAL');
    old.exec(migrations[0] ?? '');
    old.pragma('user_version = 1');
    old
      .prepare(
        'INSERT INTO outbox (recording_id, seq, device_id, stream, rank, bytes, measured_at_us, end_us, created_at_ms, crc32, message) VALUES (?,0,?,?,0,3,1,1,1,?,?)',
      )
      .run(Buffer.alloc(16, 7), 'eeg-1', 'recording', 0x55bc801d, Buffer.from([1, 2, 3]));
    old.close();
    const { file, replacement } = open();
    expect(replacement).toBeNull();
    expect(file.read(0, 10, MB).map(({ message }) => [...message])).toEqual([[1, 2, 3]]);
    expect(file.unseen('phone-1', 'heart_rate', [{ atUs: 1, digest: 1 }])).toEqual([0]);
  });

  test('an outbox of a later release is refused in one sentence and left as it is', () => {
    open().file.close();
    const newer = new Database(path());
    newer.pragma(`user_version = ${migrations.length + 1}`);
    newer.close();
    expect(() => open()).toThrow(OutboxError);
    expect(() => open()).toThrow(/newer release/);
    expect(readdirSync(dir).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  test('an outbox with messages in it stays with its owner: sent by another they would be refused for ever', () => {
    open().file.begin({ sessionId: newId(), version: '1', announce: true });
    for (const file of opened.splice(0)) file.close();
    expect(() => open({ owner: 'gateway-2' })).toThrow(/holds messages of 'gateway-1'/);
    expect(open().file.state().pendingChunks).toBe(1);
  });

  test('an empty outbox may be given to another owner', () => {
    open().file.close();
    opened.splice(0);
    const { file } = open({ owner: 'gateway-2' });
    file.begin({ sessionId: newId(), version: '1', announce: true });
    file.close();
    opened.splice(0);
    expect(() => open()).toThrow(/holds messages of 'gateway-2'/);
  });

  test('a second program on the same outbox is refused', () => {
    open();
    expect(() => open()).toThrow(/another program has the outbox open/);
  }, 15_000);
});

describe('damage', () => {
  test('one chunk that is not what was written is given up alone, and declared', () => {
    const { file } = open();
    const id = startRecording(file);
    for (let seq = 0; seq < 5; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    file.close();
    const raw = new Database(path());
    raw.exec('UPDATE outbox SET message = zeroblob(length(message)) WHERE id = 3');
    raw.close();
    const again = open().file;
    const messages = readAll(again);
    expect(messages.filter((one) => one.stream === 'eeg').map(({ seq }) => seq)).toEqual([0, 2, 3, 4]);
    expect(messages.find((one) => one.stream === 'gap')).toMatchObject({ subject: id, fromSeq: 1, toSeq: 1, reason: 'outbox-damaged' });
    expect(again.state()).toMatchObject({ damagedChunks: 1, pendingChunks: 6 });
  });

  test('a start record that is damaged is sent again from its copy', () => {
    const { file } = open();
    const id = startRecording(file);
    file.close();
    const raw = new Database(path());
    raw.exec('UPDATE outbox SET message = zeroblob(length(message)) WHERE id = 1');
    raw.close();
    expect(readAll(open().file)).toMatchObject([{ stream: 'recording', kind: 'start', subject: id }]);
  });

  test.each([
    ['in the middle', (pages: number) => Math.floor(pages / 2)],
    ['near the end', (pages: number) => pages - 3],
    ['of the schema', () => 0],
  ])('a file with an overwritten page %s is set aside; every chunk goes on or is declared lost', (_where, pageOf) => {
    const { file } = open();
    file.begin({ sessionId: newId(), version: '1', announce: true });
    const id = startRecording(file);
    for (let seq = 0; seq < 200; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    file.ack(50);
    file.close();
    const pages = statSync(path()).size / 4096;
    overwrite(path(), pageOf(pages) * 4096, 4096);

    const reopened = open();
    const session = newId();
    reopened.file.begin({ sessionId: session, version: '1', announce: true });
    expect(readdirSync(dir).some((name) => name.startsWith('outbox.sqlite.damaged-2026'))).toBe(reopened.replacement !== null);

    const messages = readAll(reopened.file);
    const kept = new Set(messages.filter((one) => one.stream === 'eeg').map(({ seq }) => seq));
    const gaps = messages.filter((one) => one.stream === 'gap');
    const lost = new Set(gaps.flatMap((one) => (one.fromSeq === null ? [] : range(one.fromSeq, one.toSeq ?? one.fromSeq))));
    const unknown = gaps.some((one) => one.fromSeq === null && one.subject === session);
    for (let seq = 48; seq < 200; seq += 1) expect(kept.has(seq) || lost.has(seq) || unknown).toBe(true);
    if (pageOf(pages) > 0) expect(kept.size).toBeGreaterThan(120); // one page does not take the rest with it
    // and it is a working outbox
    const next = startRecording(reopened.file);
    expect(reopened.file.appendGroup([[noisyChunk(next, 0)]], false).results[0]?.ok).toBe(true);
  });

  test('a file that is no database at all is set aside, and the next session says once that something is missing', () => {
    writeFileSync(path(), 'this is not a database, but it is long enough to be mistaken for a header'.repeat(20));
    const { file, replacement } = open();
    expect(replacement).toMatchObject({ salvaged: 0, complete: false });
    expect(file.state()).toMatchObject({ pendingChunks: 0, damagedFiles: 1 });
    const session = newId();
    file.begin({ sessionId: session, version: '1', announce: true });
    expect(gapsIn(file)).toMatchObject([{ subject: session, fromSeq: null, toSeq: null, reason: 'outbox-damaged' }]);
    file.begin({ sessionId: newId(), version: '1', announce: true });
    expect(gapsIn(file)).toHaveLength(1);
  });

  test.each([
    ['while the new file was being filled', (half: Uint8Array) => writeFileSync(`${path()}.repairing`, half)],
    ['before the damaged file was moved', () => makeRepaired()],
    [
      'between moving the one and the other',
      () => {
        makeRepaired();
        renameSync(path(), `${path()}.damaged-x`);
      },
    ],
  ])('a repair that was cut short %s is finished by the next open, and nothing is forgotten', (_when, cutShort) => {
    const { file } = open();
    const id = startRecording(file);
    for (let seq = 0; seq < 100; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    file.close();
    overwrite(path(), Math.floor(statSync(path()).size / 4096 / 2) * 4096, 4096);
    cutShort(readFileSync(path()).subarray(0, 50_000));

    const messages = readAll(open().file);
    const kept = messages.filter((one) => one.stream === 'eeg').map(({ seq }) => seq);
    const lost = messages.flatMap((one) => (one.stream === 'gap' && one.fromSeq !== null ? range(one.fromSeq, one.toSeq ?? 0) : []));
    expect([...new Set([...kept, ...lost])].toSorted((a, b) => a - b)).toEqual(range(0, 99));
    expect(kept.length).toBeGreaterThan(90);
    expect(readdirSync(dir).filter((name) => name.endsWith('.repaired') || name.endsWith('.repairing'))).toEqual([]);
  });

  test('a repair while in use keeps the recording open, its seq and the capture', () => {
    const { file } = open();
    const id = startRecording(file);
    file.appendGroup([[chunk(id, 0), capture('c', 0, 10)]], false);
    const replacement = file.repair(new Error('test'));
    expect(replacement).toMatchObject({ salvaged: 2, lost: 0, complete: true });
    expect(file.capturePosition('eeg-1', 'eeg', 'c', 0).nextSample).toBe(10);
    expect(file.appendGroup([[chunk(id, 10), capture('c', 10, 20)]], false).results[0]).toMatchObject({
      ok: true,
      value: { recordings: [{ firstSeq: 1 }] },
    });
    expect(file.state().lastId).toBe(3);
  });

  test('a capture position that a repair has lost is taken over from who has answered the device', () => {
    const { file } = open();
    expect(file.capturePosition('eeg-1', 'eeg', 'c', 500).nextSample).toBe(500);
    expect(file.capturePosition('eeg-1', 'eeg', 'c', 0).nextSample).toBe(500);
  });
});

function path(): string {
  return join(dir, 'outbox.sqlite');
}

function open(options: Partial<OutboxFileOptions> = {}) {
  const result = OutboxFile.open({
    path: path(),
    owner: 'gateway-1',
    maxBytes: 64 * MB,
    ringMs: 86_400_000,
    minFreeBytes: 0,
    nowMs: () => nowMs,
    ...options,
  });
  opened.push(result.file);
  return result;
}

let random = 0;
function newId(): string {
  random += 1;
  return newRecordingId('gateway-1', nowMs, new Uint8Array([random >> 8, random, 1, 2, 3, 4]));
}

function startRecording(file: OutboxFile, of: 'eeg' | 'heart-rate' = 'eeg'): string {
  const id = newId();
  expect(file.appendGroup([[start(id, of)]], false).results[0]?.ok).toBe(true);
  return id;
}

function start(subject: string, of: 'eeg' | 'heart-rate' = 'eeg'): AppendStep {
  return {
    step: 'start',
    start: {
      measuredAtUs: nowMs * 1000,
      clock,
      subject,
      gateway: 'gateway-1',
      device: 'eeg-1',
      of,
      rate: of === 'eeg' ? { num: 256, den: 1 } : null,
      channels: [],
      montageHash: '0000000000000000',
      predecessor: null,
      captureId: 'c',
      captureFirstSample: 0,
      replay: null,
      source: '',
    },
  };
}

function chunk(recordingId: string, firstSample: number, samples = new Int16Array(10)): AppendStep {
  return {
    step: 'chunk',
    chunk: {
      stream: 'eeg',
      recordingId,
      measuredAtUs: nowMs * 1000,
      clock,
      firstSample,
      channels: 1,
      samplesPerChannel: samples.length,
      rate: { num: 256, den: 1 },
      montageHash: '0000000000000000',
      sampleBits: 16,
      samples,
    },
    readings: samples.length,
    endUs: nowMs * 1000 + 40_000,
  };
}

/** About 10 KB that no codec makes smaller. */
function noisyChunk(recordingId: string, seq: number): AppendStep {
  const samples = new Int16Array(5_000);
  let state = seq + 1;
  for (let index = 0; index < samples.length; index += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    samples[index] = state >> 16;
  }
  return chunk(recordingId, seq * 5_000, samples);
}

function heartRate(recordingId: string, seq: number, count = 1): AppendStep {
  const readings = Array.from({ length: count }, (_, index) => ({
    atUs: nowMs * 1000 + index,
    bpm: 60.5 + index,
    minBpm: null,
    maxBpm: null,
  }));
  return {
    step: 'chunk',
    chunk: { stream: 'heart-rate', recordingId, measuredAtUs: nowMs * 1000, clock, firstSample: seq * count, kind: 'ecg', readings },
    readings: count,
    endUs: nowMs * 1000,
  };
}

function gap(subject: string): AppendStep {
  return {
    step: 'gap',
    gap: {
      measuredAtUs: 0,
      clock,
      subject,
      of: 'eeg',
      device: 'eeg-1',
      fromSeq: null,
      toSeq: null,
      fromUs: null,
      toUs: null,
      reason: 'unknown',
    },
  };
}

function capture(captureId: string, fromSample: number, nextSample: number): AppendStep {
  return { step: 'capture', device: 'eeg-1', stream: 'eeg', captureId, fromSample, nextSample, hole: null };
}

function readAll(file: OutboxFile): Message[] {
  const messages: Message[] = [];
  let after = file.state().deliveredId;
  for (;;) {
    const rows = file.read(after, 100, 10 * MB);
    const last = rows.at(-1);
    if (last === undefined) return messages;
    after = last.id;
    for (const { message } of rows) {
      const decoded = decodeMessage(message);
      if (!decoded.ok) throw new Error(decoded.reason);
      messages.push(decoded.value);
    }
  }
}

/** What a repair leaves that was cut short after the new file was whole: the damaged one is still, or no longer, in its place. */
function makeRepaired(): void {
  copyFileSync(path(), `${path()}.copy`);
  open().file.close();
  renameSync(path(), `${path()}.repaired`);
  renameSync(`${path()}.copy`, path());
}

function gapsIn(file: OutboxFile) {
  return readAll(file).filter((one) => one.stream === 'gap');
}

function overwrite(file: string, at: number, count: number): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(count, 0xa5), 0, count, at);
  closeSync(handle);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
