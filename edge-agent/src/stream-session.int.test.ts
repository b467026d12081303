import { join } from 'node:path';
import { type ClockState, decodeMessage, type Message } from '@vitalwire/contract';
import { type Appended, type AppendStep, Outbox, OutboxError } from '@vitalwire/outbox';
import { createLog, systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EegCutter } from './cutter.ts';
import { NoRepeat, SkippedSamples, type StreamRequest } from './stream-request.ts';
import { StreamSession } from './stream-session.ts';

const rate = { num: 256, den: 1 };
const clockState: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
const form = { rate, channels: [], montageHash: '0000000000000000', replay: null, source: '', key: 'a' };

let dir: string;
let outbox: Outbox;
let fail: () => boolean;
let lateFailure: () => boolean;
let session: StreamSession;
let newSession: () => StreamSession;

beforeEach(async () => {
  dir = tempDir('vw-session-');
  outbox = new Outbox({
    path: join(dir, 'outbox.sqlite'),
    owner: 'gateway-1',
    version: '1',
    maxBytes: 1e9,
    ringMs: 1e9,
    minFreeBytes: 0,
    announce: false,
    log: createLog({ name: 'test', level: 'fatal' }),
    clock: systemClock,
  });
  await outbox.start();
  fail = () => false;
  lateFailure = () => false;
  const append = async (steps: readonly AppendStep[]): Promise<Appended> => {
    if (fail()) throw new OutboxError('DISK_FULL', 'by the test');
    const appended = await outbox.append(steps);
    if (lateFailure()) throw new OutboxError('OUTBOX_FAILED', 'by the test');
    return appended;
  };
  newSession = () =>
    new StreamSession({
      gateway: 'gateway-1',
      device: 'eeg-1',
      stream: 'eeg',
      clock: systemClock,
      clockState: () => clockState,
      outbox: {
        append,
        capturePosition: (...args) => outbox.capturePosition(...args),
        compareCapture: (claim) => outbox.compareCapture(claim),
      },
    });
  session = newSession();
});
afterEach(async () => {
  await outbox.stop();
  removeTempDir(dir);
});

test('short requests side by side share one chunk, and all are answered with it', async () => {
  const answers = await Promise.all([0, 8, 16, 24].map((first) => session.submit(eeg(first, 8))));
  expect(answers.map(({ nextSample }) => nextSample)).toEqual([8, 16, 24, 32]);
  const ranges = answers.map(({ recordings }) => recordings);
  for (const one of ranges) expect(one).toMatchObject([{ firstSeq: 0, lastSeq: 0 }]);
  expect((await chunks()).map(({ samples }) => samples.length)).toEqual([32]);
});

test('what is held back when the session ends is committed first', async () => {
  const answer = session.submit(eeg(0, 5));
  await session.end('stopped');
  expect(await answer).toMatchObject({ accepted: 5 });
  expect(await chunks()).toHaveLength(1);
});

test('when an append fails, its request and those behind it fail, and all are stored once when they come again', async () => {
  fail = () => true;
  const first = session.submit(eeg(0, 64));
  const second = session.submit(eeg(64, 64));
  await expect(first).rejects.toMatchObject({ code: 'DISK_FULL' });
  await expect(second).rejects.toMatchObject({ retry: true });
  fail = () => false;
  await expect(session.submit(eeg(64, 64))).rejects.toMatchObject({ code: 'CAPTURE_MOVED' }); // a jump now would shut the first out
  await session.submit(eeg(0, 64));
  await session.submit(eeg(64, 64));
  expect(await stored()).toEqual(Array.from({ length: 128 }, (_, index) => index));
});

test.each([1, 2, 3])(
  'a device that sends several requests at once through a failing outbox loses nothing and repeats nothing (seed %i)',
  async (seed) => {
    const random = seeded(seed);
    let failures = 0;
    fail = () => {
      const yes = random() < 0.15;
      if (yes) failures += 1;
      return yes;
    };
    const total = 3_000;
    let answered = 0;
    for (let round = 0; answered < total && round < 2_000; round += 1) {
      const requests: StreamRequest[] = [];
      let at = answered;
      for (let index = 0; index < 4 && at < total; index += 1) {
        const count = Math.min(total - at, 1 + Math.floor(random() * 90));
        const overlap = Math.min(at, random() < 0.2 ? 7 : 0);
        requests.push(eeg(at - overlap, count + overlap));
        at += count;
      }
      const results = await Promise.allSettled(requests.map((request) => session.submit(request)));
      for (const result of results) {
        if (result.status === 'rejected') {
          expect(result.reason).toMatchObject({ retry: true });
          break;
        }
        answered = result.value.nextSample;
      }
    }
    expect(answered).toBe(total);
    expect(failures).toBeGreaterThan(3);
    fail = () => false;
    await session.end('stopped');
    expect(await stored()).toEqual(Array.from({ length: total }, (_, index) => index));
    const all = await messages();
    const started = all.filter((one) => one.stream === 'recording' && one.kind === 'start').length;
    const ended = all.filter((one) => one.stream === 'recording' && one.kind === 'end').length;
    expect(ended).toBe(started);
  },
);

test('a recording whose end could not be kept is ended later, also when a request is refused in between', async () => {
  await session.submit(eeg(0, 64));
  await session.submit(eeg(128, 64)); // a jump: 64 to 127 are passed over
  fail = () => true;
  await expect(session.submit(eeg(0, 64, 'd'))).rejects.toMatchObject({ code: 'DISK_FULL' });
  fail = () => false;
  await expect(session.submit(eeg(64, 64))).rejects.toThrow(SkippedSamples);
  await session.submit(eeg(0, 64, 'd'));
  expect(await openRecordings()).toHaveLength(1);
});

test('a recording that began though its append was reported as failed is ended, and nothing of it is stored twice', async () => {
  lateFailure = () => true; // as when the worker dies between its commit and its answer
  await expect(session.submit(eeg(0, 64))).rejects.toMatchObject({ code: 'OUTBOX_FAILED' });
  lateFailure = () => false;
  expect(await session.submit(eeg(0, 64))).toMatchObject({ accepted: 0, repeated: 64 });
  await session.submit(eeg(64, 64));
  expect(await stored()).toEqual(Array.from({ length: 128 }, (_, index) => index));
  expect(await openRecordings()).toHaveLength(1);
});

test('a device that counts anew is refused by samples or by time, whatever the cut of its requests; the same samples are a repeat', async () => {
  await session.submit(eeg(0, 200));
  await session.submit(eeg(200, 56));
  expect(await session.submit(eeg(100, 130))).toMatchObject({ accepted: 0, repeated: 130 }); // cut elsewhere, and over two chunks
  expect(await session.submit(eeg(250, 10))).toMatchObject({ accepted: 4, repeated: 6 });
  await expect(session.submit(later(eeg(0, 200), 3_600_000_000))).rejects.toThrow(NoRepeat); // the same samples, an hour later
  await expect(session.submit(flat(eeg(0, 200)))).rejects.toThrow(/other readings at sample 1\b/); // sample 0 is 0 in both
  await expect(session.submit(flat(eeg(240, 200)))).rejects.toThrow(NoRepeat); // also where most of it would be new
  await session.submit(eeg(260, 4));
  await session.end('stopped');
  expect(await stored()).toEqual(Array.from({ length: 264 }, (_, index) => index));
});

test('a request that is sent again while its samples are still held back is a repeat, and another one is not', async () => {
  const first = session.submit(eeg(0, 5));
  const repeat = session.submit(eeg(0, 5));
  const other = session.submit(flat(eeg(0, 5)));
  await expect(other).rejects.toThrow(NoRepeat);
  expect(await first).toMatchObject({ accepted: 5 });
  expect(await repeat).toMatchObject({ accepted: 0, repeated: 5 });
});

test('what the outbox no longer has is not called a repeat', async () => {
  await session.submit(eeg(0, 64));
  const position = await outbox.capturePosition('eeg-1', 'eeg', 'c', 500); // as after a repair: answered, and gone
  expect(position.nextSample).toBe(500);
  session = newSession();
  await expect(session.submit(eeg(0, 128))).rejects.toThrow(/no longer here/);
  expect(await session.submit(eeg(0, 64))).toMatchObject({ accepted: 0, repeated: 64 });
});

test('a repeat is one in a new life of the agent, and so is a device that counts anew', async () => {
  await session.submit(eeg(0, 256));
  await session.end('stopped');
  session = newSession();
  expect(await session.submit(eeg(128, 128))).toMatchObject({ accepted: 0, repeated: 128 });
  await expect(session.submit(flat(eeg(128, 128)))).rejects.toThrow(NoRepeat);
  expect(await session.submit(flat(eeg(0, 128, 'd')))).toMatchObject({ accepted: 128 }); // as the refusal says
});

async function openRecordings(): Promise<string[]> {
  const records = (await messages()).flatMap((one) => (one.stream === 'recording' ? [one] : []));
  const ended = new Set(records.flatMap(({ kind, subject }) => (kind === 'end' ? [subject] : [])));
  return records.flatMap(({ kind, subject }) => (kind === 'start' && !ended.has(subject) ? [subject] : []));
}

function eeg(firstSample: number, count: number, captureId = 'c'): StreamRequest {
  return {
    captureId,
    firstSample,
    readings: {
      stream: 'eeg',
      channels: 1,
      rate,
      stretch: {
        measuredAtUs: Math.round((firstSample * 1e6) / 256),
        samplesPerChannel: count,
        samples: Int16Array.from({ length: count }, (_, index) => firstSample + index),
      },
    },
    form,
    makeCutter: () => new EegCutter({ channels: 1, sampleBits: 16, rate, montageHash: form.montageHash }, 250),
    end: false,
  };
}

function later(request: StreamRequest, us: number): StreamRequest {
  if (request.readings.stream !== 'eeg') throw new TypeError('no EEG');
  const { stretch } = request.readings;
  return { ...request, readings: { ...request.readings, stretch: { ...stretch, measuredAtUs: stretch.measuredAtUs + us } } };
}

/** The same request with other samples: what an electrode that has come off gives. */
function flat(request: StreamRequest): StreamRequest {
  if (request.readings.stream !== 'eeg') throw new TypeError('no EEG');
  const { stretch } = request.readings;
  return { ...request, readings: { ...request.readings, stretch: { ...stretch, samples: new Int16Array(stretch.samples.length) } } };
}

async function messages(): Promise<Message[]> {
  return (await outbox.read(0, 100_000, 1e9)).map(({ message }) => {
    const decoded = decodeMessage(message);
    if (!decoded.ok) throw new Error(decoded.reason);
    return decoded.value;
  });
}

async function chunks() {
  return (await messages()).flatMap((one) => (one.stream === 'eeg' ? [one] : []));
}

/** The samples of all chunks as the device would place them; their value is their place. */
async function stored(): Promise<number[]> {
  return (await chunks()).flatMap(({ samples }) => [...samples]).toSorted((a, b) => a - b);
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
