import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClockState, decodeMessage, type EegChunk } from '@vitalwire/contract';
import { createLog, pause, systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir, until, VirtualClock } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppendStep } from './append.ts';
import { OutboxFile } from './file/outbox-file.ts';
import { Outbox, type OutboxOptions } from './outbox.ts';
import { testRecordingId, testStart } from './test-steps.ts';

const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
const samplesPerChunk = 16;
let dir: string;

beforeAll(() => {
  dir = tempDir('vw-outbox-');
});
afterAll(() => removeTempDir(dir));

test('appends of one moment share a commit, and each is answered with its own seqs', async () => {
  const outbox = await started('group');
  const id = testRecordingId();
  await outbox.append([testStart(id)]);
  const answers = await Promise.all(Array.from({ length: 300 }, (_, index) => outbox.append([chunk(id, index)])));
  expect(answers.map(({ recordings }) => recordings[0]?.firstSeq)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  await outbox.stop();
});

test('beyond the bound of what may wait an append is refused at once', async () => {
  const outbox = await started('busy', { queueBytes: 2_000 });
  const id = testRecordingId();
  await outbox.append([testStart(id)]);
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => outbox.append([chunk(id, index)])));
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({ reason: { code: 'OUTBOX_BUSY', retry: true } });
  await outbox.append([chunk(id, 99)]); // what was refused does not count for ever
  await outbox.stop();
});

test('a stop commits what waits, ends the recordings and takes nothing more', async () => {
  const outbox = await started('stop');
  const id = testRecordingId();
  await outbox.append([testStart(id)]);
  const last = outbox.append([chunk(id, 0)]);
  await Promise.all([outbox.stop(), outbox.stop()]);
  await last;
  await expect(outbox.append([chunk(id, 1)])).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' });
  const kinds = chunksIn('stop').all.map((message) => ('kind' in message ? message.kind : message.stream));
  expect(kinds).toEqual(['birth', 'start', 'eeg', 'end', 'death']);
});

test('an outbox that cannot be opened says so at its start, and does not come for the file later', async () => {
  const path = join(dir, 'not-a-file', 'outbox.sqlite');
  mkdirSync(path, { recursive: true });
  const clock = new VirtualClock();
  await expect(started('not-a-file', { clock })).rejects.toMatchObject({ code: 'OUTBOX_UNUSABLE' });
  rmdirSync(path);
  await clock.advance(60_000);
  await pause(systemClock, 500); // as long as a thread would need to open it
  expect(existsSync(path)).toBe(false);
});

test('what was lost while no thread could open the file is declared by the session that goes on', async () => {
  const path = join(dir, 'lost', 'outbox.sqlite');
  const outbox = await started('lost');
  const id = testRecordingId();
  await outbox.append([testStart(id)]);
  for (let index = 0; index < 150; index += 1) await outbox.append([chunk(id, index, randomSamples(16_000))]); // more than SQLite keeps in memory
  mkdirSync(join(`${path}.repairing`, 'in-the-way'), { recursive: true });
  for (const part of ['', '-wal']) writeFileSync(path + part, Buffer.alloc(statSync(path + part).size, 0xa5));
  await expect(outbox.read(0, 1_000, 1e9)).rejects.toMatchObject({ code: 'OUTBOX_FAILED' }); // the thread has given up
  rmSync(`${path}.repairing`, { recursive: true });
  const rows = await until(
    () =>
      outbox
        .read(0, 10, 1e6)
        .then((found) => (found.length > 0 ? found : null))
        .catch(() => null),
    {
      timeoutMs: 15_000,
      everyMs: 100,
      what: 'the next thread says that something is missing',
    },
  );
  expect(rows.map(({ message }) => decodeMessage(message))).toMatchObject([
    { ok: true, value: { stream: 'gap', subject: outbox.session, fromSeq: null, reason: 'outbox-damaged' } },
  ]);
  await outbox.stop();
  const died = { stream: 'status', kind: 'death', subject: outbox.session, reason: 'stopped' };
  expect(chunksIn('lost').all).toMatchObject([{ stream: 'gap' }, died]);
});

test('whatever was answered before a kill -9 is there afterwards, and no sample twice', async () => {
  const path = join(dir, 'killed', 'outbox.sqlite');
  let answered = 0;
  for (let round = 0; round < 6; round += 1) answered = Math.max(answered, await runAndKill(path, 60 + ((round * 97) % 240)));
  expect(answered).toBeGreaterThan(0);

  const { chunks, all } = chunksIn('killed');
  const startOf = new Map(
    all.flatMap((one) => (one.stream === 'recording' && one.kind === 'start' ? [[one.subject, one.captureFirstSample] as const] : [])),
  );
  const seen = new Set<number>();
  for (const one of chunks) {
    const first = (startOf.get(one.recordingId) ?? Number.NaN) + one.firstSample;
    for (const [index, value] of one.samples.entries()) {
      expect(seen.has(first + index)).toBe(false);
      seen.add(first + index);
      expect(value).toBe((first + index) % 30_000);
    }
  }
  for (let sample = 0; sample < answered; sample += 1) expect(seen.has(sample)).toBe(true);
  const ends = all.filter((one) => one.stream === 'recording' && one.kind === 'end');
  expect(ends.length).toBe(startOf.size - 1); // every start but the first found one recording to end
});

/** Runs an appender in a process of its own and kills it a while after its first answer. Resolves to how many samples it was answered. */
function runAndKill(path: string, afterMs: number): Promise<number> {
  const script = `
    import { writeSync } from 'node:fs';
    import { randomBytes } from 'node:crypto';
    import { Outbox } from ${JSON.stringify(new URL('./outbox.ts', import.meta.url).href)};
    import { newRecordingId } from '@vitalwire/contract';
    import { createLog, pause, systemClock } from '@vitalwire/runtime';
    const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
    const outbox = new Outbox({ path: ${JSON.stringify(path)}, owner: 'gateway-1', version: '1', maxBytes: 1e9, ringMs: 1e9, minFreeBytes: 0, announce: true,
      log: createLog({ name: 't', level: 'fatal' }), clock: systemClock });
    await outbox.start();
    let { nextSample } = await outbox.capturePosition('eeg-1', 'eeg', 'c');
    const begin = nextSample;
    const id = newRecordingId('gateway-1', Date.now(), randomBytes(6));
    await outbox.append([{ step: 'start', start: { measuredAtUs: 0, clock, subject: id, gateway: 'gateway-1', device: 'eeg-1', of: 'eeg', rate: { num: 256, den: 1 },
      channels: [], montageHash: '0000000000000000', predecessor: null, captureId: 'c', captureFirstSample: begin, replay: null, source: '' } }]);
    const send = async () => {
      for (;;) {
        const from = nextSample;
        nextSample += ${samplesPerChunk};
        const samples = Int16Array.from({ length: ${samplesPerChunk} }, (_, index) => (from + index) % 30000);
        await outbox.append([
          { step: 'chunk', chunk: { stream: 'eeg', recordingId: id, measuredAtUs: 0, clock, firstSample: from - begin, channels: 1, samplesPerChannel: ${samplesPerChunk},
            rate: { num: 256, den: 1 }, montageHash: '0000000000000000', sampleBits: 16, samples }, readings: ${samplesPerChunk}, endUs: 0 },
          { step: 'capture', device: 'eeg-1', stream: 'eeg', captureId: 'c', fromSample: from, nextSample: from + ${samplesPerChunk}, hole: null },
        ]);
        writeSync(1, String(from + ${samplesPerChunk}) + '\\n');
      }
    };
    await Promise.all([send(), send(), send(), send()]);
  `;
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  return new Promise((resolve, reject) => {
    const tooLong = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error('the child never answered'));
    }, 20_000);
    child.stdout.on('data', (bytes: Buffer) => {
      if (text === '') setTimeout(() => child.kill('SIGKILL'), afterMs);
      text += bytes.toString();
    });
    child.on('close', () => {
      clearTimeout(tooLong);
      const whole = text.slice(0, text.lastIndexOf('\n') + 1); // the last line may have been cut by the kill
      resolve(Math.max(0, ...whole.split('\n').map(Number)));
    });
  });
}

async function started(name: string, options: Partial<OutboxOptions> = {}): Promise<Outbox> {
  const outbox = new Outbox({
    path: join(dir, name, 'outbox.sqlite'),
    owner: 'gateway-1',
    version: '1',
    maxBytes: 1e9,
    ringMs: 1e9,
    minFreeBytes: 0,
    announce: true,
    log: createLog({ name: 'test', level: 'fatal' }),
    clock: systemClock,
    ...options,
  });
  await outbox.start();
  return outbox;
}

function chunksIn(name: string) {
  const { file } = OutboxFile.open({
    path: join(dir, name, 'outbox.sqlite'),
    owner: 'gateway-1',
    maxBytes: 1e9,
    ringMs: 1e9,
    minFreeBytes: 0,
    nowMs: Date.now,
  });
  const all = file.read(0, 1_000_000, 1e9).map(({ message }) => {
    const decoded = decodeMessage(message);
    if (!decoded.ok) throw new Error(decoded.reason);
    return decoded.value;
  });
  file.close();
  return { all, chunks: all.filter((message): message is EegChunk => message.stream === 'eeg') };
}

function randomSamples(count: number): Int16Array<ArrayBuffer> {
  return new Int16Array(randomFillSync(new Uint8Array(2 * count)).buffer);
}

function chunk(recordingId: string, index: number, samples = new Int16Array(samplesPerChunk)): AppendStep {
  return {
    step: 'chunk',
    chunk: {
      stream: 'eeg',
      recordingId,
      measuredAtUs: 0,
      clock,
      firstSample: index * samples.length,
      channels: 1,
      samplesPerChannel: samples.length,
      rate: { num: 256, den: 1 },
      montageHash: '0000000000000000',
      sampleBits: 16,
      samples,
    },
    readings: samples.length,
    endUs: 0,
  };
}
