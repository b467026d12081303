import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { capture, chunk, newId, nowMs, open, pass, path, readAll, startRecording } from './test-outbox-file.ts';

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
    pass(1);
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
    pass(3_599_000);
    file.maintain();
    expect(file.state().ringChunks).toBe(4);
    pass(2_000);
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
    pass(10_000);
    const sinceMs = nowMs;
    file.appendGroup([[chunk(id, 10)], [chunk(id, 20)]], false);
    file.ack(3);
    pass(1_000);
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
