import { closeSync, copyFileSync, openSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { OutboxError } from '../errors.ts';
import type { OutboxFile } from './outbox-file.ts';
import { migrations } from './schema.ts';
import {
  capture,
  chunk,
  clock,
  dir,
  gap,
  MB,
  newId,
  noisyChunk,
  open,
  opened,
  path,
  range,
  readAll,
  startRecording,
} from './test-outbox-file.ts';

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

  describe.each([
    ['found when it is to be sent', () => {}],
    ['found by a repair', (file: OutboxFile) => void file.repair(new Error('test'))],
  ])('a record that is damaged, %s', (_when, repair) => {
    test('an end record is made again', () => {
      const { file } = open();
      const id = startRecording(file);
      file.appendGroup([[chunk(id, 0)], [{ step: 'end', recordingId: id, reason: 'device-gap', clock }]], false);
      const again = spoilt(file, "stream = 'recording' AND seq = 1");
      repair(again);
      expect(readAll(again).filter((one) => one.stream === 'recording' && one.kind === 'end')).toMatchObject([
        { subject: id, lastSeq: 0, readings: 10, reason: 'device-gap' },
      ]);
      expect(gapsIn(again)).toEqual([]);
    });

    test.each(['gap', 'status'])('a %s record cannot be made again: the session says that something is missing, once', (stream) => {
      const { file } = open();
      file.begin({ sessionId: newId(), version: '1', announce: true });
      file.appendGroup([[gap(startRecording(file))]], false);
      const again = spoilt(file, `stream = '${stream}'`);
      const session = newId();
      again.begin({ sessionId: session, version: '1', announce: true });
      repair(again);
      readAll(again);
      for (let times = 0; times < 3; times += 1) again.maintain();
      expect(gapsIn(again).filter(({ subject }) => subject === session)).toMatchObject([{ fromSeq: null, reason: 'outbox-damaged' }]);
    });
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

/** What a repair leaves that was cut short after the new file was whole: the damaged one is still, or no longer, in its place. */
function makeRepaired(): void {
  copyFileSync(path(), `${path()}.copy`);
  open().file.close();
  renameSync(path(), `${path()}.repaired`);
  renameSync(`${path()}.copy`, path());
}

/** Closes the outbox, spoils the messages of these rows and opens it again. */
function spoilt(file: OutboxFile, where: string): OutboxFile {
  file.close();
  const raw = new Database(path());
  expect(raw.prepare(`UPDATE outbox SET message = zeroblob(length(message)) WHERE ${where}`).run().changes).toBe(1);
  raw.close();
  return open().file;
}

function gapsIn(file: OutboxFile) {
  return readAll(file).filter((one) => one.stream === 'gap');
}

function overwrite(file: string, at: number, count: number): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(count, 0xa5), 0, count, at);
  closeSync(handle);
}
