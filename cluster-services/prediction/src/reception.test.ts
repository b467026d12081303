import {
  type ChannelScale,
  DeviceOwners,
  derivedId,
  type EegChunk,
  encodeMessage,
  formatTopic,
  hashMontage,
  type MessageDraft,
  newRecordingId,
} from '@vitalwire/contract';
import { gatewayMessages } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { KnownLevels } from './known-levels.ts';
import { Montages } from './montages.ts';
import { MAX_WAITING_LIVE, Reception } from './reception.ts';
import { RecordingWindows } from './recording-windows.ts';
import type { ScoringPool, ScoringSession } from './scoring/pool.ts';

const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
const channels: readonly ChannelScale[] = [
  { label: 'C3', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -2048, physicalMax: 2047, reference: '' },
];
const recordingId = newRecordingId('gw', 1_795_000_000_000, new Uint8Array(6));
const rate = { num: 100, den: 1 };

/** A pool whose sessions complete one window per chunk of one second; its score is complete when nothing before it was unseen. */
function fakePool() {
  const waiting = { live: 0, 'catch-up': 0 };
  const opened: { state: { isLost: boolean; unseen: boolean; closed: boolean; from: number[] } }[] = [];
  const recalled: (readonly number[])[] = [];
  const baseline: { now: 'own' | 'population' } = { now: 'own' };
  const session = (state: { isLost: boolean; unseen: boolean; closed: boolean; from: number[] }): ScoringSession => {
    opened.push({ state });
    let started = state.from.length > 0;
    return {
      get isLost() {
        return state.isLost || state.closed;
      },
      push: ({ firstSample, before }) => {
        if (state.isLost || state.closed) return Promise.reject(new Error('lost'));
        if (!started && before === 'unseen') state.unseen = true;
        started = true;
        state.from.push(firstSample);
        const window = firstSample / 100 - 3;
        const found = {
          probability: 0.1,
          verdict: 'quiet',
          reason: null,
          channel: 0,
          baseline: baseline.now,
          channelProbabilities: [0.1],
          channelBaselines: [3799],
        } as const;
        const scored = { ...found, window, firstSample: window * 100, samples: 400, complete: !state.unseen };
        return Promise.resolve(window < 0 ? [] : [scored]);
      },
      fork: () => session({ ...state, from: [...state.from] }),
      close: () => {
        state.closed = true;
      },
    };
  };
  const pool: Pick<ScoringPool, 'open' | 'waitingLive'> = {
    open: (_id, _rate, _montage, known) => {
      recalled.push((known ?? []).flatMap(({ levels }) => levels.map(Number)));
      return session({ isLost: false, unseen: false, closed: false, from: [] });
    },
    get waitingLive() {
      return waiting.live;
    },
  };
  return { pool, waiting, opened, recalled, baseline };
}

function reception(owners = new DeviceOwners()) {
  const fake = fakePool();
  const published: [number, 'stored' | 'provisional'][] = [];
  const missed: string[] = [];
  const receiver = new Reception({
    pool: fake.pool,
    montages: new Montages('', { warn: () => {} }),
    detections: {
      publish: (_subject, { window }) => {
        published.push([window, 'stored']);
        return Promise.resolve(true);
      },
      publishProvisional: (_subject, { window }) => void published.push([window, 'provisional']),
    },
    levels: new KnownLevels(),
    clock: { monotonicMs: () => 0 },
    owners,
    onForeign: () => missed.push('foreign'),
    onMissed: (_recordingId, why) => missed.push(why),
    onUnreadable: () => missed.push('unreadable'),
    onFailed: () => missed.push('failed'),
  });
  const take = async (message: MessageDraft, live = false) => {
    receiver.receive(formatTopic('gw', 'dev', message.stream, live), encodeMessage(message));
    await new Promise((resolve) => setImmediate(resolve));
  };
  const takeAll = async (from: number, to: number, live = false) => {
    for (let seq = from; seq <= to; seq++) await take(chunk(seq), live);
  };
  return { ...fake, receiver, published, missed, take, takeAll };
}

function start(predecessor: string | null = null, subject = recordingId): MessageDraft {
  return {
    stream: 'recording',
    kind: 'start',
    recordingId: derivedId(subject, 'recording'),
    seq: 0,
    measuredAtUs: 1,
    clock,
    subject,
    gateway: 'gw',
    device: 'dev',
    of: 'eeg',
    rate,
    channels,
    montageHash: hashMontage(channels),
    predecessor,
    captureId: 'c',
    captureFirstSample: 0,
    replay: null,
    source: 'test',
  };
}

function end(): MessageDraft {
  return {
    stream: 'recording',
    kind: 'end',
    recordingId: derivedId(recordingId, 'recording'),
    seq: 1,
    measuredAtUs: 1,
    clock,
    subject: recordingId,
    lastSeq: 9,
    readings: 1000,
    reason: 'stopped',
  };
}

function chunk(seq: number, of = recordingId): MessageDraft {
  return {
    stream: 'eeg',
    recordingId: of,
    seq,
    measuredAtUs: 1 + seq * 1_000_000,
    clock,
    firstSample: seq * 100,
    channels: 1,
    samplesPerChannel: 100,
    rate,
    montageHash: hashMontage(channels),
    sampleBits: 16,
    samples: new Int16Array(100),
  };
}

const stored = (...windows: number[]) => windows.map((window) => [window, 'stored']);
const provisional = (...windows: number[]) => windows.map((window) => [window, 'provisional']);

test('a recording heard from its start gives stored detections', async () => {
  const { published, missed, take, takeAll } = reception();
  await take(start());
  await takeAll(0, 5);
  expect(published).toEqual(stored(0, 1, 2));
  expect(missed).toEqual([]);
});

test('a recording that began while the database is down is scored provisionally: its scale comes with the start record on the live lane', async () => {
  const { published, missed, take, takeAll } = reception();
  await take(start(), true);
  await takeAll(0, 4, true);
  expect(published).toEqual(provisional(0, 1));
  expect(missed).toEqual([]);
});

test('an end on the live lane is no end yet: the committed chunks that follow go on where they were', async () => {
  const { published, missed, take, takeAll, opened } = reception();
  await take(start());
  await takeAll(0, 3);
  await take(end(), true);
  await take(chunk(4));
  expect(published).toEqual(stored(0, 1));
  expect(missed).toEqual([]);
  await take(end());
  expect(missed).toEqual(['ended']);
  expect(opened.every(({ state }) => state.closed)).toBe(true);
});

test.each([
  ['joined on the way', null, 7],
  ['with a predecessor', newRecordingId('gw', 1, new Uint8Array(6)), 0],
])('a recording %s is scored provisionally until what lies before was read from storage', async (_, predecessor, from) => {
  const { receiver, pool, published, missed, take, takeAll } = reception();
  await take(start(predecessor));
  await takeAll(from, from + 4);
  expect(new Set(missed)).toEqual(new Set(['joined']));
  expect(published).toEqual(provisional(from, from + 1));
  expect(receiver.missing(recordingId)).toBe('all');
  // Storage has been read up to and with the second of the chunks that were received.
  const windows = RecordingWindows.open(pool, recordingId, rate, channels);
  expect(receiver.follow(recordingId, windows, from + 2)).toBe(true);
  await take(chunk(from + 5));
  expect(receiver.missing(recordingId)).toBe('nothing');
  expect(published.at(-1)?.[0]).toBe(from + 2);
});

test('a hole is read from storage with the state there is, and what is received meanwhile is provisional', async () => {
  const { receiver, published, missed, take, takeAll } = reception();
  await take(start());
  await takeAll(0, 4);
  await takeAll(7, 11);
  expect(missed).toEqual(['hole']);
  expect(published).toEqual([...stored(0, 1), ...provisional(7, 8)]);
  const missing = receiver.missing(recordingId);
  if (missing === null || typeof missing === 'string') throw new Error(`missing is ${String(missing)}`);
  expect(missing.fromSeq).toBe(5);
  for (const seq of [5, 6]) {
    expect(receiver.follow(recordingId, missing.windows, seq)).toBe(false); // not all has been read yet
    await missing.windows.push({ ...chunk(seq), codec: 0, crc32: 0 } as EegChunk, 'catch-up');
  }
  expect(receiver.follow(recordingId, missing.windows, 7)).toBe(true);
  await take(chunk(12));
  expect(published.slice(4)).toEqual(stored(4, 5, 6, 7, 8, 9)); // 2 and 3 were completed by what was read
});

test.each([false, true])(
  'what is shown before storage has been read is compared with what was usual a moment ago: over a hole and a restart of the agent, lanes swapped: %s',
  async (live) => {
    const { recalled, take, takeAll } = reception();
    await take(start());
    await takeAll(0, 4);
    await takeAll(7, 8); // a hole
    expect(recalled).toEqual([[], [3799]]);
    const next = newRecordingId('gw', 1_795_000_009_000, new Uint8Array(6));
    await take(start(recordingId, next), live);
    await take(chunk(0, next), !live);
    expect(recalled.at(-1)).toEqual([3799]);
    const stranger = newRecordingId('gw', 1_795_000_010_000, new Uint8Array(6));
    await take(start('00000000-0000-7000-8000-000000000000', stranger), live);
    await take(chunk(0, stranger), true); // follows a recording nothing is known of
    expect(recalled.at(-1)).toEqual([]);
  },
);

test('what is shown ahead of storage is compared with what was usual as soon as that is known', async () => {
  const { receiver, pool, baseline, recalled, take, takeAll } = reception();
  baseline.now = 'population';
  await takeAll(7, 11, true); // joined on the way: nothing is known
  await take(start());
  await takeAll(7, 9);
  expect(recalled).toEqual([[]]);
  baseline.now = 'own'; // as storage tells it
  expect(receiver.follow(recordingId, RecordingWindows.open(pool, recordingId, rate, channels), 7)).toBe(true);
  await take(chunk(10));
  await takeAll(12, 13, true); // live is still ahead
  expect(recalled.slice(2)).toEqual([[3799]]);
  await takeAll(14, 15, true);
  expect(recalled.slice(2)).toEqual([[3799]]); // once
});

test('ahead of what is committed, live chunks go on from its state; once committed they are scored to be stored', async () => {
  const { published, take, takeAll, opened } = reception();
  await take(start());
  await takeAll(0, 4);
  await takeAll(3, 7, true); // the live lane begins with the last seconds again
  expect(published).toEqual([...stored(0, 1), ...provisional(2, 3, 4)]);
  expect(opened[1]?.state.from).toEqual([0, 100, 200, 300, 400, 500, 600, 700]); // not begun anew
  await takeAll(5, 8);
  expect(published.slice(5)).toEqual(stored(2, 3, 4, 5));
  expect(opened[1]?.state.closed).toBe(true);
});

test('after its worker died a recording is read from storage again', async () => {
  const { receiver, published, missed, take, takeAll, opened } = reception();
  await take(start());
  await takeAll(0, 4);
  for (const { state } of opened) state.isLost = true;
  await takeAll(5, 9);
  expect(missed[0]).toBe('worker-lost');
  expect(receiver.missing(recordingId)).toBe('all');
  expect(published).toEqual([...stored(0, 1), ...provisional(5, 6)]);
});

test('what comes faster than it can be scored is left to storage, and memory stays bounded', async () => {
  const { receiver, published, missed, waiting, take, takeAll } = reception();
  await take(start());
  await takeAll(0, 4);
  waiting.live = MAX_WAITING_LIVE;
  await takeAll(5, 9);
  expect(missed).toEqual(['behind']);
  expect(published).toEqual(stored(0, 1));
  waiting.live = 0;
  const missing = receiver.missing(recordingId);
  if (missing === null || typeof missing === 'string') throw new Error(`missing is ${String(missing)}`);
  expect(receiver.follow(recordingId, missing.windows, 5)).toBe(true);
  await take(chunk(10));
  expect(published.slice(2)).toEqual(stored(2, 3, 4, 5, 6, 7));
});

test.each(['recording', 'eeg'] as const)("another gateway's %s of a device is not judged, on either lane", async (stream) => {
  const owners = new DeviceOwners();
  owners.take({ devices: [], owners: [{ device: 'dev', gateway: 'gw', fromUs: null, by: 'registry', atUs: 0 }] });
  const { receiver, missed, opened, take } = reception(owners);
  await take(start());
  for (const live of [false, true]) {
    const foreign = gatewayMessages({ gateway: 'gw-2', device: 'dev', atUs: 1 }).find((one) => one.stream === stream);
    if (foreign === undefined) throw new Error('no such message');
    receiver.receive(foreign.topic(live), foreign.bytes);
  }
  expect(missed).toEqual(['foreign', 'foreign']);
  expect(receiver.recordings).toBe(1);
  await take(chunk(0));
  expect(opened).toHaveLength(1);
});
