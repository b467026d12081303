import { renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClockState,
  Detections,
  decodeMessage,
  derivedId,
  detectionKind,
  Generation,
  Latest,
  Ledger,
  type Message,
  Quarantine,
  Recordings,
  RecordingWithLedger,
  Registry,
  SamplesAnswer,
  Stats,
  StoredGateways,
  Unscored,
} from '@vitalwire/contract';
import { createLog, HttpClient, HttpError, systemClock } from '@vitalwire/runtime';
import { hasMariaDb, type MariaDb, removeTempDir, startMariaDb, TestPki, tempDir, until } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ChunkStore } from '../commit/chunk-store.ts';
import type { CommitRow } from '../commit/commit-row.ts';
import { openChunkStore } from '../commit/index.ts';
import { eegRow, endRow, quarantineRow, rowOf, startRow, testGateway, testRecordingId } from '../commit/test-rows.ts';
import { timeRunLimits } from '../queries/time-runs.ts';
import type { Storage } from './storage.ts';
import { databaseKinds, startService } from './test-service.ts';

const log = createLog({ name: 'test', level: 'silent' });
const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
const DEADLINE_MS = 10_000;
const nowUs = Math.floor(Date.now() / 1000) * 1_000_000;

let pki: TestPki;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

describe.each(databaseKinds)('the storage service on $name', ({ make, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  let bench: Awaited<ReturnType<typeof make>>;
  let service: Storage;
  let client: HttpClient;
  let probeUrl: string;
  let store: ChunkStore;

  beforeAll(async () => {
    bench = await make();
    ({ service, client, probeUrl } = await startService(pki, bench.admin));
    store = openChunkStore({ database: await bench.writer(), clock: systemClock, log });
  });
  afterAll(async () => {
    await store.close();
    await client.close();
    await service.stop();
    await bench.stop();
  });

  async function commit(...rows: CommitRow[]): Promise<void> {
    const outcomes = await store.commit(rows, DEADLINE_MS);
    expect(outcomes.every((outcome) => outcome === 'committed')).toBe(true);
  }

  /** A recording of one device with the given seqs stored, and an end record unless it is open. */
  async function makeRecording(options: {
    device: string;
    seqs: readonly number[];
    lastSeq?: number | null;
    startUs?: number;
    channels?: number;
  }): Promise<string> {
    const { device, seqs, lastSeq = null, startUs = nowUs, channels = 1 } = options;
    const recordingId = testRecordingId(startUs);
    await commit(
      startRow({ recordingId, device, startUs, channels }),
      ...seqs.map((seq) => eegRow({ recordingId, device, seq, startUs, channels })),
      ...(lastSeq === null ? [] : [endRow({ recordingId, device, lastSeq, endUs: startUs + (lastSeq + 1) * 250_000 })]),
    );
    return recordingId;
  }

  test('a recording is listed with its start, what is stored of it and whether it is open', async () => {
    const recordingId = await makeRecording({ device: 'list-1', seqs: [0, 1, 2] });
    const { recordings, next } = await client.getJson('/v1/recordings', Recordings, { query: { device: 'list-1' } });
    expect(next).toBeNull();
    expect(recordings).toMatchObject([
      {
        recordingId,
        gateway: testGateway,
        device: 'list-1',
        patient: null,
        stream: 'eeg',
        rate: { num: 200, den: 1 },
        startedAtUs: nowUs,
        endedAtUs: null,
        open: true,
        lastSeq: null,
        storedChunks: 3,
        firstSeq: 0,
        maxSeq: 2,
        captureId: 'capture-1',
        captureFirstSample: 0,
        replay: { speed: 1, source: 'test' },
        montageHash: '0123456789abcdef',
      },
    ]);
    await commit(endRow({ recordingId, device: 'list-1', lastSeq: 2, endUs: nowUs + 750_000 }));
    const again = await client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(again).toMatchObject({
      open: false,
      lastSeq: 2,
      endedAtUs: nowUs + 750_000,
      ledger: { state: 'complete', samplesStored: 150, chunksStored: 3 },
    });
  });

  test('lists are filtered by time and stream, and go on where the last page ended', async () => {
    const device = 'pages-1';
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1)
      made.push(await makeRecording({ device, seqs: [0], lastSeq: 0, startUs: nowUs + index * 10_000_000 }));
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: Recordings = await client.getJson('/v1/recordings', Recordings, { query: { device, limit: 2, cursor } });
      seen.push(...page.recordings.map((one) => one.recordingId));
      cursor = page.next;
      pages += 1;
    } while (cursor !== null && pages < 10);
    expect(seen).toEqual(made.toReversed());
    const middle = await client.getJson('/v1/recordings', Recordings, {
      query: { device, fromUs: nowUs + 10_000_000, toUs: nowUs + 30_000_000 },
    });
    expect(middle.recordings.map((one) => one.recordingId)).toEqual([made[2], made[1]]);
    const events = await client.getJson('/v1/recordings', Recordings, { query: { device, stream: 'event' } });
    expect(events.recordings).toEqual([]);
  });

  test('chunks come back byte for byte, in seq order, page after page', async () => {
    const device = 'chunks-1';
    const recordingId = testRecordingId(nowUs);
    const rows = Array.from({ length: 7 }, (_item, seq) => eegRow({ recordingId, seq, device }));
    await commit(...rows);
    const first = await client.getBytes(`/v1/recordings/${recordingId}/chunks`, { query: { limit: 5 } });
    expect(first.headers['content-type']).toBe('application/vnd.vitalwire.messages');
    expect(first.headers['x-next-seq']).toBe('5');
    const second = await client.getBytes(`/v1/recordings/${recordingId}/chunks`, { query: { fromSeq: 5 } });
    expect(second.headers['x-next-seq']).toBeUndefined();
    const messages = [...unframe(first.bytes), ...unframe(second.bytes)];
    expect(messages.map((one) => Buffer.from(one).toString('hex'))).toEqual(rows.map((row) => Buffer.from(row.message).toString('hex')));
    const nothing = await client.getBytes(`/v1/recordings/${testRecordingId(nowUs)}/chunks`);
    expect(nothing.bytes.byteLength).toBe(0);
  });

  test('decimation keeps a spike of one sample, and says null where nothing is stored', async () => {
    const device = 'spike-1';
    const recordingId = testRecordingId(nowUs);
    const startUs = nowUs;
    const seqs = [...Array(40).keys()].filter((seq) => seq < 20 || seq >= 30);
    const flat = (seq: number): Int16Array => {
      const samples = new Int16Array(50);
      if (seq === 13) samples[17] = 3_000;
      return samples;
    };
    await commit(
      startRow({ recordingId, device, startUs }),
      ...seqs.map((seq) => eegRow({ recordingId, device, seq, startUs, samples: flat(seq) })),
    );
    const answer = await client.getJson(`/v1/recordings/${recordingId}/samples`, SamplesAnswer, {
      query: { fromUs: startUs, toUs: startUs + 10_000_000, points: 20 },
    });
    expect(answer).toMatchObject({
      recordingId,
      fromUs: startUs,
      bucketUs: 500_000,
      channels: [{ label: 'C1', unit: 'uV' }],
      rate: { num: 200, den: 1 },
    });
    const [min, max] = [answer.min[0] ?? [], answer.max[0] ?? []];
    expect(max).toHaveLength(20);
    const spikeBucket = Math.floor((13 * 0.25 + 17 / 200) / 0.5);
    expect(max[spikeBucket]).toBeCloseTo(300, 6); // 3000 digital steps of 0.1 uV
    expect(min[spikeBucket]).toBeCloseTo(0, 6);
    expect(max.filter((value) => value !== null && value > 1)).toHaveLength(1);
    for (let bucket = 0; bucket < 20; bucket += 1) expect(max[bucket] === null, `bucket ${bucket}`).toBe(bucket >= 10 && bucket < 15);
  });

  test('at full resolution every sample has its own bucket, also when the rate is no whole number', async () => {
    const device = 'full-1';
    const recordingId = testRecordingId(nowUs);
    const samples = (seq: number): Int16Array => Int16Array.from({ length: 43 }, (_item, index) => seq * 43 + index);
    const rate = { num: 17_361, den: 100 };
    const rows = [0, 1, 2, 3].map((seq) =>
      rowOf(
        {
          stream: 'eeg',
          recordingId,
          seq,
          measuredAtUs: nowUs + Math.round((seq * 43 * 1e6 * rate.den) / rate.num),
          clock,
          firstSample: seq * 43,
          channels: 1,
          samplesPerChannel: 43,
          rate,
          montageHash: '0123456789abcdef',
          sampleBits: 16,
          samples: samples(seq),
        },
        { device },
      ),
    );
    await commit(...rows);
    const answer = await client.getJson(`/v1/recordings/${recordingId}/samples`, SamplesAnswer, { query: { points: 10_000 } });
    const values = (answer.max[0] ?? []).filter((value) => value !== null);
    expect(answer.channels).toEqual([{ label: 'channel 1', unit: 'digital' }]); // its start record has not arrived
    expect(new Set(values).size).toBeGreaterThan(4 * 43 - 4);
    expect(Math.max(...values)).toBe(4 * 43 - 1);
  });

  test('heart rate is drawn from its readings, with their own smallest and largest value', async () => {
    const device = 'pulse-1';
    const recordingId = testRecordingId(nowUs);
    await commit(
      startRow({ recordingId, device, of: 'heart-rate', startUs: nowUs }),
      heartRateRow(recordingId, device, 0, [60, 61]),
      heartRateRow(recordingId, device, 1, [90, 62]),
    );
    const answer = await client.getJson(`/v1/recordings/${recordingId}/samples`, SamplesAnswer, {
      query: { fromUs: nowUs, toUs: nowUs + 4_000_000, points: 2 },
    });
    expect(answer).toMatchObject({ channels: [{ label: 'heart rate', unit: '/min' }], min: [[60, 62]], max: [[61, 90]] });
  });

  test('the ledger names what is stored, quarantined, declared lost and missing; without an end record the recording is open', async () => {
    const device = 'ledger-1';
    const recordingId = await makeRecording({ device, seqs: [0, 1, 2, 7, 8], lastSeq: 11 });
    await commit(
      quarantineRow(Buffer.from(`broken ${recordingId}`), { recordingId, seq: 4 }),
      gapRow({ recordingId, device, seq: 0, fromSeq: 5, toSeq: 7, reason: 'evicted' }),
    );
    const { recordings, totals, spans } = await client.getJson('/v1/ledger', Ledger, { query: { recording: recordingId } });
    expect(recordings).toEqual([
      {
        recordingId,
        stream: 'eeg',
        state: 'incomplete',
        stored: [
          { from: 0, to: 2 },
          { from: 7, to: 8 },
        ],
        quarantined: [{ from: 4, to: 4 }],
        declaredLost: [{ range: { from: 5, to: 6 }, reason: 'evicted' }],
        missing: [
          { from: 3, to: 3 },
          { from: 9, to: 11 },
        ],
        samplesStored: 250,
        chunksStored: 5,
      },
    ]);
    expect(totals).toEqual({ recordings: 1, chunksStored: 5, samplesStored: 250, quarantined: 1, declaredLost: 2, missing: 4 });
    const chunkUs = 250_000;
    expect(spans.map(({ fromUs, toUs, state, reason }) => [(fromUs - nowUs) / chunkUs, (toUs - nowUs) / chunkUs, state, reason])).toEqual([
      [0, 3, 'recorded', null],
      [3, 5, 'not-recorded', 'unknown'],
      [5, 7, 'not-recorded', 'evicted'],
      [7, 9, 'recorded', null],
      [9, 12, 'not-recorded', 'unknown'],
    ]);
    const open = await makeRecording({ device, seqs: [0, 2] });
    const answer = await client.getJson(`/v1/recordings/${open}`, RecordingWithLedger);
    expect(answer.ledger).toMatchObject({ state: 'open', missing: [{ from: 1, to: 1 }] });
  });

  test('a recording of which only the start arrived is known, and so are its missing chunks once its end is', async () => {
    const device = 'ledger-2';
    const recordingId = await makeRecording({ device, seqs: [], lastSeq: 3 });
    const { ledger, startedAtUs } = await client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(ledger).toMatchObject({ state: 'incomplete', stored: [], missing: [{ from: 0, to: 3 }] });
    expect(startedAtUs).toBe(nowUs);
  });

  test('over any time range of a device: recorded, or not recorded because', async () => {
    const device = 'spans-1';
    const S = 1_000_000;
    const first = await makeRecording({ device, seqs: [0, 1, 2, 3], lastSeq: 3, startUs: nowUs });
    await makeRecording({ device, seqs: [0, 1, 2, 3], lastSeq: 3, startUs: nowUs + 11 * S });
    await commit(gapRow({ recordingId: first, device, seq: 0, fromUs: nowUs + 4 * S, toUs: nowUs + 11 * S, reason: 'agent-down' }));
    const { spans } = await client.getJson('/v1/ledger', Ledger, { query: { device, fromUs: nowUs - 2 * S, toUs: nowUs + 20 * S } });
    expect(spans.map(({ fromUs, toUs, state, reason }) => [(fromUs - nowUs) / S, (toUs - nowUs) / S, state, reason])).toEqual([
      [-2, 0, 'not-recorded', null],
      [0, 1, 'recorded', null],
      [1, 4, 'not-recorded', 'stopped'],
      [4, 11, 'not-recorded', 'agent-down'],
      [11, 12, 'recorded', null],
      [12, 20, 'not-recorded', 'stopped'],
    ]);
    expect(spans.every((span) => span.device === device && span.stream === 'eeg')).toBe(true);
    const nothing = await client.getJson('/v1/ledger', Ledger, { query: { device: 'never-seen', fromUs: nowUs, toUs: nowUs + S } });
    expect(nothing).toMatchObject({ recordings: [], spans: [{ state: 'not-recorded', reason: null }] });
  });

  test('a clock that jumps makes no recorded time: seven seconds stay seven, and each step is told', async () => {
    const device = 'stepping-1';
    const S = 1_000_000;
    const decadeUs = 10 * 365 * 86_400 * S;
    const recordingId = testRecordingId(nowUs);
    // 28 chunks without a missing sample: the clock goes an hour on, then ten years, and back.
    const stepOf = (seq: number) => (seq < 8 ? 0 : seq < 16 ? 3_600 * S : seq < 24 ? decadeUs : 0);
    const rows = Array.from({ length: 28 }, (_item, seq) =>
      eegRow({ recordingId, device, seq, startUs: nowUs + stepOf(seq), firstSample: seq * 50 }),
    );
    await commit(startRow({ recordingId, device, startUs: nowUs }), ...rows.filter(({ seq }) => seq % 3 !== 1));
    await client.getJson('/v1/ledger', Ledger, { query: { device } }); // what was seen in between must not change the answer
    await commit(...rows.filter(({ seq }) => seq % 3 === 1), endRow({ recordingId, device, lastSeq: 27, endUs: nowUs + 7 * S }));
    for (const query of [{ device }, { recording: recordingId }]) {
      const { spans, clockSteps } = await client.getJson('/v1/ledger', Ledger, { query });
      const recorded = spans.filter(({ state }) => state === 'recorded');
      expect(recorded.map(({ fromUs, toUs }) => [(fromUs - nowUs) / S, (toUs - nowUs) / S])).toEqual([
        [0, 2],
        [6, 7],
        [3_602, 3_604],
        [decadeUs / S + 4, decadeUs / S + 6],
      ]);
      expect(spans.filter(({ state }) => state !== 'recorded').map(({ reason }) => reason)).toEqual([
        'clock-step',
        'clock-step',
        'clock-step',
      ]);
      expect(clockSteps?.map(({ seq, fromUs, toUs }) => [seq, (fromUs - nowUs) / S, (toUs - nowUs) / S])).toEqual([
        [8, 2, 3_602],
        [16, 3_604, decadeUs / S + 4],
        [24, decadeUs / S + 6, 6],
      ]);
    }
    const seventy = await client.getJson('/v1/ledger', Ledger, { query: { device, fromUs: nowUs, toUs: nowUs + 4_200 * S } });
    const sum = seventy.spans.reduce((total, { state, fromUs, toUs }) => total + (state === 'recorded' ? toUs - fromUs : 0), 0);
    expect(sum).toBe(5 * S);
    expect(await client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger)).toMatchObject({
      startedAtUs: nowUs,
      endedAtUs: nowUs + decadeUs + 6 * S,
      ledger: { state: 'complete' },
    });
  });

  test('of a recording whose clock is set all the time no second is called recorded, and every chunk is', async () => {
    const device = 'unsteady-1';
    const recordingId = testRecordingId(nowUs);
    const chunks = timeRunLimits.runs + 2;
    const samples = Int16Array.of(1, 2, 3, 4, 5);
    const row = (seq: number) =>
      eegRow({ recordingId, device, seq, samples, startUs: nowUs + (seq % 2) * 10_000_000, firstSample: seq * 5 });
    for (let from = 0; from < chunks; from += 2_000)
      await commit(...Array.from({ length: Math.min(2_000, chunks - from) }, (_item, index) => row(from + index)));
    await commit(
      startRow({ recordingId, device, startUs: nowUs }),
      endRow({ recordingId, device, lastSeq: chunks - 1, endUs: nowUs + 1_000_000 }),
    );
    const { recordings, spans } = await client.getJson('/v1/ledger', Ledger, { query: { device } });
    expect(recordings).toMatchObject([{ state: 'complete', chunksStored: chunks }]);
    expect(spans.map(({ state, reason }) => [state, reason])).toContainEqual(['not-recorded', 'clock-step']);
    expect(spans.filter(({ state }) => state === 'recorded')).toEqual([]);
  });

  test('single readings cover their validity and no more; the ledger says how many there are', async () => {
    const device = 'phone-1';
    const S = 1_000_000;
    const monthUs = 30 * 86_400 * S;
    const recordingId = testRecordingId(nowUs);
    const startUs = nowUs - 32 * monthUs;
    const reading = (atUs: number) => ({ atUs, value: 60, least: null, most: null });
    // One a month, all in one chunk, and in the second chunk three within two minutes.
    const times = [Array.from({ length: 32 }, (_item, month) => startUs + month * monthUs), [0, 30, 60].map((at) => nowUs + at * S)];
    await commit(
      startRow({ recordingId, device, of: 'heart-rate', startUs }),
      ...times
        .map((atUs, seq) =>
          rowOf(
            {
              stream: 'heart-rate',
              recordingId,
              seq,
              measuredAtUs: atUs[0] ?? 0,
              clock,
              firstSample: seq * 32,
              kind: 'phone',
              readings: atUs.map(reading),
            },
            { device },
          ),
        )
        .map((row) => ({ ...row, spanUs: Math.min(0xffff_ffff, row.spanUs) })),
      endRow({ recordingId, device, lastSeq: 1, endUs: nowUs + 60 * S }),
    );
    const { spans } = await client.getJson('/v1/ledger', Ledger, { query: { device, toUs: nowUs + 3_600 * S, fromUs: startUs } });
    const recorded = spans.filter(({ state }) => state === 'recorded');
    expect(recorded).toHaveLength(33);
    expect(recorded.map(({ readings }) => readings)).toEqual([...Array(32).fill(1), 3]);
    expect(recorded.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0)).toBe(32 * 60 * S + 90 * S);

    // Who wears the device in the middle of a recording, or at its end, has it too; what nobody wore is told of.
    const info = await client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(info).toMatchObject({ startedAtUs: startUs, endedAtUs: nowUs + 60 * S, patient: null });
    await client.putJson('/v1/patients/phone-p', {});
    await client.putJson(`/v1/devices/${device}`, { kind: 'phone' });
    await client.putJson('/v1/assignments', { device, patient: 'phone-p', fromUs: nowUs + 3_600 * S, toUs: null });
    const listed = () => client.getJson('/v1/recordings', Recordings, { query: { patient: 'phone-p' } });
    expect(await listed()).toMatchObject({ recordings: [], outside: [{ device, recordings: 1, fromUs: startUs, toUs: nowUs + 60 * S }] });
    await client.putJson('/v1/assignments', { device, patient: 'phone-p', fromUs: nowUs - monthUs, toUs: null });
    expect(await listed()).toMatchObject({ recordings: [{ recordingId, patient: 'phone-p' }], outside: [] });
    const { spans: worn } = await client.getJson('/v1/ledger', Ledger, { query: { patient: 'phone-p', toUs: nowUs + 3_600 * S } });
    expect(worn.filter(({ state }) => state === 'recorded').map(({ readings }) => readings)).toEqual([1, 3]);
  });

  test('the ledger of a patient follows the devices through their assignments', async () => {
    const S = 1_000_000;
    await client.putJson('/v1/patients/ledger-p', {});
    for (const device of ['worn-1', 'worn-2']) await client.putJson(`/v1/devices/${device}`, { kind: 'eeg' });
    const mine = await makeRecording({ device: 'worn-1', seqs: [0, 1, 2, 3], lastSeq: 3, startUs: nowUs });
    await makeRecording({ device: 'worn-1', seqs: [0], lastSeq: 0, startUs: nowUs + 50 * S }); // worn by nobody then
    const alsoMine = await makeRecording({ device: 'worn-2', seqs: [0], lastSeq: 0, startUs: nowUs + 20 * S });
    await client.putJson('/v1/assignments', { device: 'worn-1', patient: 'ledger-p', fromUs: nowUs, toUs: nowUs + 10 * S });
    await client.putJson('/v1/assignments', { device: 'worn-2', patient: 'ledger-p', fromUs: nowUs + 10 * S, toUs: null });
    const { recordings, spans } = await client.getJson('/v1/ledger', Ledger, {
      query: { patient: 'ledger-p', fromUs: nowUs, toUs: nowUs + 40 * S },
    });
    expect(recordings.map((one) => one.recordingId).sort()).toEqual([mine, alsoMine].sort());
    expect(spans.filter(({ state }) => state === 'recorded').map(({ device, fromUs }) => [device, (fromUs - nowUs) / S])).toEqual([
      ['worn-1', 0],
      ['worn-2', 20],
    ]);
    const listed = await client.getJson('/v1/recordings', Recordings, { query: { patient: 'ledger-p' } });
    expect(new Map(listed.recordings.map(({ recordingId, patient }) => [recordingId, patient]))).toEqual(
      new Map([
        [mine, 'ledger-p'],
        [alsoMine, 'ledger-p'],
      ]),
    );
  });

  test('windows that are wholly stored and not yet scored', async () => {
    const device = 'score-1';
    const recordingId = await makeRecording({ device, seqs: [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16] });
    const query = { model: 'model-a', window: 100, hop: 100 };
    const before = await client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, { query });
    // Samples 0-399 and 500-849 are stored: windows 0-3 and 5-7; window 8 needs samples up to 899.
    expect(before).toEqual({
      ranges: [
        { fromWindow: 0, toWindow: 3 },
        { fromWindow: 5, toWindow: 7 },
      ],
      scorableWindows: 7,
      scoredWindows: 0,
    });
    await commit(detectionRow(recordingId, device, 1, 0.9), detectionRow(recordingId, device, 5, 0.1));
    const after = await client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, { query });
    expect(after).toEqual({
      ranges: [
        { fromWindow: 0, toWindow: 0 },
        { fromWindow: 2, toWindow: 3 },
        { fromWindow: 6, toWindow: 7 },
      ],
      scorableWindows: 7,
      scoredWindows: 2,
    });
    const other = await client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, { query: { ...query, model: 'model-b' } });
    expect(other.scoredWindows).toBe(0);
    const { detections } = await client.getJson(`/v1/recordings/${recordingId}/detections`, Detections, { query: { model: 'model-a' } });
    expect(detections.map(({ window, probability }) => [window, probability])).toEqual([
      [1, 0.9],
      [5, 0.1],
    ]);
    const some = await client.getJson(`/v1/recordings/${recordingId}/detections`, Detections, { query: { fromWindow: 2, toWindow: 5 } });
    expect(some.detections.map(({ window }) => window)).toEqual([5]);
  });

  test('a chunk whose sender did not declare its samples counts all the same', async () => {
    const device = 'undeclared-1';
    const recordingId = testRecordingId(nowUs);
    await commit(...[0, 1, 2].map((seq) => ({ ...eegRow({ recordingId, seq, device }), samples: null, firstSample: null })));
    const { ledger } = await client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(ledger.samplesStored).toBe(150);
    const unscored = await client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, {
      query: { model: 'm', window: 150, hop: 50 },
    });
    expect(unscored.scorableWindows).toBe(1);
  });

  test('the latest values of a device, each with when it was measured and when it was committed', async () => {
    const device = 'latest-1';
    const eeg = await makeRecording({ device, seqs: [0, 1] });
    const pulse = testRecordingId(nowUs);
    await commit(heartRateRow(pulse, device, 0, [60, 61, 75]), detectionRow(eeg, device, 0, 0.25));
    const { devices } = await client.getJson('/v1/latest', Latest, { query: { device } });
    expect(devices).toMatchObject([
      {
        device,
        patient: null,
        numerics: [{ stream: 'heart-rate', value: 75, kind: 'ecg', measuredAtUs: nowUs + 2_000_000 }],
        detection: { window: 0, probability: 0.25, recordingId: eeg },
        eeg: { recordingId: eeg, measuredAtUs: nowUs + 495_000 },
      },
    ]);
    expect(Math.abs((devices[0]?.eeg?.committedAtUs ?? 0) - Date.now() * 1000)).toBeLessThan(60_000_000);
    const unknown = await client.getJson('/v1/latest', Latest, { query: { device: 'never-seen' } });
    expect(unknown.devices).toEqual([{ device: 'never-seen', patient: null, numerics: [], detection: null, eeg: null }]);
    const everything = await client.getJson('/v1/latest', Latest);
    expect(everything.devices.some((one) => one.device === device)).toBe(true);
  });

  describe('the latest is what was measured last, in whatever order it came', () => {
    const minute = 60_000_000;
    const aheadUs = 75 * 365 * 86_400_000_000;
    const pulse = (
      recordingId: string,
      device: string,
      seq: number,
      bpms: readonly [atUs: number, bpm: number][],
      at: ClockState = clock,
    ) => {
      const readings = bpms.map(([atUs, bpm]) => ({ atUs, value: bpm, least: null, most: null }));
      const measuredAtUs = readings[0]?.atUs ?? 0;
      return rowOf(
        { stream: 'heart-rate', recordingId, seq, measuredAtUs, clock: at, firstSample: seq * 2, kind: 'phone', readings },
        { device },
      );
    };
    const latestOf = async (device: string) => (await client.getJson('/v1/latest', Latest, { query: { device } })).devices[0];

    test("a backfill of yesterday does not make yesterday's 55 the latest today", async () => {
      const id = testRecordingId(nowUs);
      const yesterday = Array.from({ length: 40 }, (_, n) => pulse(id, 'back-1', n + 1, [[nowUs - (1_440 - n) * minute, 55]]));
      await commit(pulse(id, 'back-1', 0, [[nowUs - 10 * minute, 72]]), ...yesterday);
      expect((await latestOf('back-1'))?.numerics[0]).toMatchObject({ value: 72, measuredAtUs: nowUs - 10 * minute, recordingId: id });
      const older = testRecordingId(nowUs + 1_000_000); // a recording of its own, begun later, of last week
      await commit(pulse(older, 'back-1', 0, [[nowUs - 7 * 1_440 * minute, 48]]));
      expect((await latestOf('back-1'))?.numerics[0]?.value).toBe(72);
    });

    test('a reading of the future is never the latest: not alone, not among others, not in recordings of its own', async () => {
      const id = testRecordingId(nowUs);
      await commit(
        pulse(id, 'ahead-1', 0, [[nowUs - 10 * minute, 72]]),
        pulse(id, 'ahead-1', 1, [
          [nowUs - 5 * minute, 74],
          [nowUs + 60 * minute, 41],
        ]),
        pulse(id, 'ahead-1', 2, [[nowUs + aheadUs, 42]]),
        ...[1, 2, 3, 4, 5, 6].map((n) => pulse(testRecordingId(nowUs + n), 'ahead-1', 0, [[nowUs + aheadUs + n, 43]])),
      );
      expect((await latestOf('ahead-1'))?.numerics[0]).toMatchObject({ value: 74, measuredAtUs: nowUs - 5 * minute });
      await commit(pulse(testRecordingId(nowUs), 'ahead-2', 0, [[nowUs + aheadUs, 42]]));
      expect((await latestOf('ahead-2'))?.numerics).toEqual([]);
      const eeg = testRecordingId(nowUs);
      await commit(
        startRow({ recordingId: eeg, device: 'ahead-1', startUs: nowUs - minute, replay: null }),
        eegRow({ recordingId: eeg, device: 'ahead-1', seq: 0, startUs: nowUs - minute }),
        // Longer than is read message by message: the columns tell where it began.
        ...Array.from({ length: 40 }, (_, n) => eegRow({ recordingId: eeg, device: 'ahead-1', seq: n + 1, startUs: nowUs + aheadUs })),
      );
      expect((await latestOf('ahead-1'))?.eeg?.measuredAtUs).toBe(nowUs - minute + 245_000);
    });

    test('a gateway clock that is ahead by a known offset is no fault, and a replay has a time of its own', async () => {
      const known = { offsetUs: -60 * minute, uncertaintyUs: 1_000, source: 'front-door' } as const;
      const id = testRecordingId(nowUs);
      await commit(pulse(id, 'offset-1', 0, [[nowUs - minute, 72]]), pulse(id, 'offset-1', 1, [[nowUs + 60 * minute, 80]], known));
      expect((await latestOf('offset-1'))?.numerics[0]).toMatchObject({ value: 80, clockOffsetUs: -60 * minute });
      const eeg = testRecordingId(nowUs);
      await commit(
        startRow({ recordingId: eeg, device: 'offset-1', startUs: nowUs }),
        eegRow({ recordingId: eeg, device: 'offset-1', seq: 0, startUs: nowUs + 60 * minute }),
      );
      expect((await latestOf('offset-1'))?.eeg).toMatchObject({
        measuredAtUs: nowUs + 60 * minute + 245_000,
        gateway: testGateway,
        replay: { speed: 1, source: 'test' },
        channels: 1,
        rate: { num: 200, den: 1 },
      });
    });
  });

  test('the registry: what is put is there, a repeat changes nothing, a change raises the revision', async () => {
    const { revision: before } = await client.getJson('/v1/registry', Registry);
    await client.putJson('/v1/patients/reg-1', { label: 'Bed 4', notes: 'n' });
    await client.putJson('/v1/patients/reg-1', { label: 'Bed 5' });
    await client.putJson('/v1/patients/reg-1', { label: 'Bed 5' });
    await client.putJson('/v1/devices/reg-d', { kind: 'eeg', gateway: testGateway });
    await client.putJson('/v1/assignments', { device: 'reg-d', patient: 'reg-1', fromUs: nowUs, toUs: null });
    await client.putJson('/v1/assignments', { device: 'reg-d', patient: 'reg-1', fromUs: nowUs, toUs: null });
    const after = await client.getJson('/v1/registry', Registry);
    expect(after.revision).toBe(before + 4);
    expect(after.patients.find(({ id }) => id === 'reg-1')).toEqual({ id: 'reg-1', label: 'Bed 5', notes: 'n' });
    expect(after.devices.find(({ id }) => id === 'reg-d')).toEqual({ id: 'reg-d', kind: 'eeg', label: null, gateway: testGateway });
    expect(after.assignments.filter(({ device }) => device === 'reg-d')).toEqual([
      { device: 'reg-d', patient: 'reg-1', fromUs: nowUs, toUs: null },
    ]);
    await client.putJson('/v1/patients/reg-2', {});
    await client.putJson('/v1/assignments', { device: 'reg-d', patient: 'reg-2', fromUs: nowUs + 10, toUs: nowUs + 20 });
    const cut = await client.getJson('/v1/registry', Registry);
    expect(
      cut.assignments
        .filter(({ device }) => device === 'reg-d')
        .map(({ patient, fromUs, toUs }) => [patient, fromUs - nowUs, toUs === null ? null : toUs - nowUs]),
    ).toEqual([
      ['reg-1', 0, 10],
      ['reg-2', 10, 20],
      ['reg-1', 20, null],
    ]);
  });

  test('gateways are known by their births and deaths', async () => {
    const [old, current] = [testRecordingId(nowUs), testRecordingId(nowUs + 1_000_000)];
    await commit(statusRow(old, 'birth', nowUs));
    await commit(statusRow(old, 'death', nowUs + 500_000));
    await commit(statusRow(current, 'birth', nowUs + 1_000_000));
    const { gateways } = await client.getJson('/v1/gateways', StoredGateways);
    expect(gateways).toEqual([{ gateway: 'gateway-9', session: current, version: '1.2.3', bornAtUs: nowUs + 1_000_000, diedAtUs: null }]);
    await commit(statusRow(current, 'death', nowUs + 2_000_000));
    const later = await client.getJson('/v1/gateways', StoredGateways);
    expect(later.gateways[0]?.diedAtUs).toBe(nowUs + 2_000_000);
  });

  test('stats count each chunk, sample, detection, conflict and quarantined message once, while they come in', async () => {
    const before = await client.getJson('/v1/stats', Stats);
    const recordingId = await makeRecording({ device: 'stats-1', seqs: [0, 1], lastSeq: 2 });
    await commit(detectionRow(recordingId, 'stats-1', 0, 0.5), quarantineRow(Buffer.from(`stats ${recordingId}`)));
    const middle = await client.getJson('/v1/stats', Stats);
    await commit(eegRow({ recordingId, seq: 2, device: 'stats-1', startUs: nowUs }));
    expect(await store.commit([eegRow({ recordingId, seq: 2, device: 'stats-1', samples: new Int16Array(50) })], DEADLINE_MS)).toEqual([
      'conflict',
    ]);
    const after = await client.getJson('/v1/stats', Stats);
    const again = await client.getJson('/v1/stats', Stats);
    const change = (one: Stats) => [
      one.chunks - before.chunks,
      one.samples - before.samples,
      one.detections - before.detections,
      one.quarantined - before.quarantined,
      one.conflicts - before.conflicts,
    ];
    expect(change(middle)).toEqual([2, 100, 1, 1, 0]);
    expect(change(after)).toEqual([3, 150, 1, 2, 1]);
    expect(again).toEqual(after);
    expect(after.schemaVersion).toBe(1);
    expect(after.lastCommittedAtUs).toBeGreaterThan(Date.now() * 1000 - 60_000_000);
    const { count, items } = await client.getJson('/v1/quarantine', Quarantine);
    expect(count).toBe(after.quarantined);
    expect(items.map(({ reason }) => reason)).toContain('conflict');
  });

  test('a generation names the database; announcing a new one asks gateways to send again', async () => {
    const before = await client.getJson('/v1/generation', Generation);
    expect(await store.generation()).toBe(before.generation);
    const made = await client.postJson('/v1/generation', { reason: 'restored by hand' }, Generation);
    expect(made.generation).not.toBe(before.generation);
    expect(await store.generation()).toBe(made.generation);
  });

  const known = '01890a5d-ac96-774b-bcce-b302099a8057';
  test.each([
    ['/v1/recordings?limit=0', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?limit=1001', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?limit=x', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?device=a%20b', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?stream=status', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?fromUs=1.5', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?colour=red', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?cursor=nonsense', 400, 'INVALID_REQUEST'],
    ['/v1/recordings?fromUs=5&toUs=5', 422, 'EMPTY_RANGE'],
    ['/v1/recordings?patient=nobody', 404, 'NO_PATIENT'],
    ['/v1/recordings/not-a-uuid', 400, 'INVALID_REQUEST'],
    [`/v1/recordings/${known}`, 404, 'NO_RECORDING'],
    [`/v1/recordings/${known}/samples`, 404, 'NO_RECORDING'],
    [`/v1/recordings/${known}/samples?points=10001`, 400, 'INVALID_REQUEST'],
    [`/v1/recordings/${known}/chunks?limit=501`, 400, 'INVALID_REQUEST'],
    [`/v1/recordings/${known}/chunks?fromSeq=-1`, 400, 'INVALID_REQUEST'],
    [`/v1/recordings/${known}/unscored`, 400, 'INVALID_REQUEST'],
    [`/v1/recordings/${known}/unscored?model=m&window=0&hop=1`, 400, 'INVALID_REQUEST'],
    [`/v1/recordings/${known}/unscored?model=m&window=1&hop=1`, 404, 'NO_RECORDING'],
    [`/v1/recordings/${known}/detections?limit=0`, 400, 'INVALID_REQUEST'],
    ['/v1/latest?device=a&patient=b', 400, 'INVALID_REQUEST'],
    ['/v1/ledger', 400, 'INVALID_REQUEST'],
    ['/v1/ledger?device=a&patient=b', 400, 'INVALID_REQUEST'],
    ['/v1/ledger?device=a&fromUs=2&toUs=1', 422, 'EMPTY_RANGE'],
    ['/v1/ledger?patient=nobody', 404, 'NO_PATIENT'],
    [`/v1/ledger?recording=${known}`, 404, 'NO_RECORDING'],
    ['/v1/quarantine?limit=0', 400, 'INVALID_REQUEST'],
    ['/v1/patients/nobody', 404, 'NO_PATIENT'],
    ['/v1/devices/nothing', 404, 'NO_DEVICE'],
    ['/v1/patients/-bad', 400, 'INVALID_REQUEST'],
    ['/v1/nothing', 404, 'NOT_FOUND'],
  ])('GET %s is refused with %i %s', async (path, status, code) => {
    const error = await client.getJson(path, z.unknown()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ status, remoteCode: code });
  });

  test('samples of a recording that is no signal are refused, and an empty range too', async () => {
    const recordingId = testRecordingId(nowUs);
    await commit(startRow({ recordingId, device: 'events-1', of: 'event' }));
    await expect(client.getJson(`/v1/recordings/${recordingId}/samples`, z.unknown())).rejects.toMatchObject({
      status: 422,
      remoteCode: 'NOT_A_SIGNAL',
    });
    const eeg = await makeRecording({ device: 'events-1', seqs: [0] });
    await expect(client.getJson(`/v1/recordings/${eeg}/samples`, z.unknown(), { query: { fromUs: 5, toUs: 5 } })).rejects.toMatchObject({
      remoteCode: 'EMPTY_RANGE',
    });
    const outside = await client.getJson(`/v1/recordings/${eeg}/samples`, SamplesAnswer, { query: { fromUs: 5, toUs: 10, points: 3 } });
    expect(outside.max[0]?.every((value) => value === null)).toBe(true);
  });

  test.each([
    ['/v1/patients/p', { label: 'x'.repeat(41) }, 400],
    ['/v1/patients/p', { name: 'Ada' }, 400],
    ['/v1/patients/p', 'text', 400],
    ['/v1/devices/d', {}, 400],
    ['/v1/devices/d', { kind: 'toaster' }, 400],
    ['/v1/devices/d', { kind: 'eeg', gateway: '/' }, 400],
    ['/v1/devices/%20', { kind: 'eeg' }, 400],
    ['/v1/assignments', { device: 'd', patient: 'p', fromUs: 1 }, 400],
    ['/v1/assignments', { device: 'd', patient: 'p', fromUs: 2, toUs: 2 }, 400],
    ['/v1/assignments', { device: 'd', patient: 'p', fromUs: 0.5, toUs: null }, 400],
    ['/v1/assignments', { device: 'reg-none', patient: 'reg-1', fromUs: 1, toUs: null }, 404],
    ['/v1/assignments', { device: 'reg-d', patient: 'reg-none', fromUs: 1, toUs: null }, 404],
  ])('PUT %s %j is refused with %i', async (path, body, status) => {
    await expect(client.putJson(path, body)).rejects.toMatchObject({ status });
  });

  test('without the token nothing is told, the probes say that all is well', async () => {
    const stranger = new HttpClient({ baseUrl: client.baseUrl, token: 'another-token-altogether', caPath: pki.caPath });
    for (const path of ['/v1/patients', '/v1/stats', '/v1/recordings'])
      await expect(stranger.getJson(path, z.unknown())).rejects.toMatchObject({ status: 401 });
    await stranger.close();
    const ready = await fetch(`${probeUrl}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'ready', checks: { readings: { ok: true }, registry: { ok: true } } });
    expect(await (await fetch(`${probeUrl}/metrics`)).text()).toContain('vitalwire_storage_database_up{database="readings"} 1');
  });
});

describe('a database that comes back', () => {
  test('SQLite restored from a backup: the next start gives it a new generation', async () => {
    const dir = tempDir();
    const { copyFileSync } = await import('node:fs');
    const first = await startService(pki, `sqlite:${dir}`);
    const before = await first.client.getJson('/v1/generation', Generation);
    await first.service.stop();
    await first.client.close();
    copyFileSync(join(dir, 'readings.sqlite'), join(dir, 'backup.sqlite'));
    const second = await startService(pki, `sqlite:${dir}`);
    expect((await second.client.getJson('/v1/generation', Generation)).generation).toBe(before.generation);
    await second.service.stop();
    await second.client.close();
    renameSync(join(dir, 'backup.sqlite'), join(dir, 'readings.sqlite'));
    const third = await startService(pki, `sqlite:${dir}`);
    expect((await third.client.getJson('/v1/generation', Generation)).generation).not.toBe(before.generation);
    await third.service.stop();
    await third.client.close();
    removeTempDir(dir);
  });

  test('a schema of a newer release: the service does not start, and says so in one sentence', async () => {
    const dir = tempDir();
    const first = await startService(pki, `sqlite:${dir}`);
    await first.service.stop();
    await first.client.close();
    const { default: Sqlite } = await import('better-sqlite3');
    const db = new Sqlite(join(dir, 'readings.sqlite'));
    db.exec("INSERT INTO readings_migration VALUES ('0042-from-the-future', '2030')");
    db.close();
    await expect(startService(pki, `sqlite:${dir}`)).rejects.toMatchObject({
      code: 'SCHEMA_NEWER',
      message: expect.not.stringContaining('\n'),
    });
    removeTempDir(dir);
  });
});

describe.skipIf(!hasMariaDb())('MariaDB that is away', () => {
  let server: MariaDb;
  beforeAll(async () => {
    server = await startMariaDb();
  });
  afterAll(async () => {
    await server.stop();
  });

  test('standing still: a question gets 503 in time, /readyz says degraded, the stop does not wait; then all is as it was', {
    timeout: 60_000,
  }, async () => {
    await server.restart();
    const { service, client, probeUrl } = await startService(pki, server.adminUrl);
    await client.getJson('/v1/stats', Stats);
    server.pause();
    const beganMs = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.getJson('/v1/stats', Stats).catch((error: unknown) => error)),
    );
    expect(performance.now() - beganMs).toBeLessThan(25_000);
    for (const answer of answers) expect(answer).toBeInstanceOf(HttpError);
    expect(await (await fetch(`${probeUrl}/readyz`)).json()).toMatchObject({
      status: 'degraded',
      checks: { readings: { degraded: true } },
    });
    const asked = client.getJson('/v1/stats', Stats).catch((error: unknown) => error);
    const stoppingMs = performance.now();
    await service.stop();
    expect(performance.now() - stoppingMs).toBeLessThan(8_000);
    expect(await asked).toBeInstanceOf(HttpError);
    await client.close();
    server.resume();
    const again = await startService(pki, server.adminUrl);
    await again.client.getJson('/v1/stats', Stats);
    await again.service.stop();
    await again.client.close();
  });

  test('down at the start: the service starts, answers 503 with a code, is degraded, and works by itself once the database is there', async () => {
    await server.kill9();
    const { service, client, probeUrl } = await startService(pki, server.adminUrl);
    const error = await client.getJson('/v1/stats', Stats).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 503, remoteCode: 'UNAVAILABLE', retry: true });
    expect((error as Error).message).not.toContain(new URL(server.adminUrl).password);
    expect(await (await fetch(`${probeUrl}/readyz`)).json()).toMatchObject({ status: 'degraded' });
    expect((await fetch(`${probeUrl}/readyz`)).status).toBe(200);
    await server.restart();
    await until(async () => (await client.getJson('/v1/stats', Stats).catch(() => null)) !== null, 15_000);
    const readyz = async (): Promise<unknown> => (await fetch(`${probeUrl}/readyz`)).json();
    await until(async () => JSON.stringify(await readyz()).includes('"status":"ready"'), 15_000); // said after the next look at the database
    await server.kill9();
    await expect(client.getJson('/v1/stats', Stats)).rejects.toMatchObject({ status: 503 });
    await server.restart();
    await until(async () => (await client.getJson('/v1/stats', Stats).catch(() => null)) !== null, 15_000);
    await client.close();
    await service.stop();
  });
});

function unframe(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; ) {
    const length = view.getUint32(at);
    messages.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  for (const message of messages) expect(decodeMessage(message).ok).toBe(true);
  return messages;
}

function heartRateRow(recordingId: string, device: string, seq: number, bpms: readonly number[]) {
  const startUs = nowUs + seq * 2_000_000;
  const readings = bpms.map((bpm, index) => ({ atUs: startUs + index * 1_000_000, value: bpm, least: null, most: null }));
  return rowOf(
    { stream: 'heart-rate', recordingId, seq, measuredAtUs: startUs, clock, firstSample: seq * 2, kind: 'ecg', readings },
    { device },
  );
}

function detectionRow(subject: string, device: string, window: number, probability: number) {
  return rowOf({
    stream: 'detection',
    recordingId: derivedId(subject, detectionKind('model-a')),
    seq: window,
    measuredAtUs: nowUs + window * 500_000,
    clock,
    subject,
    gateway: testGateway,
    device,
    channel: 0,
    modelHash: 'model-a',
    modelVersion: '1',
    firstSample: window * 100,
    samples: 100,
    probability,
    verdict: 'quiet',
    reason: null,
    baseline: null,
    channelProbabilities: [],
    fence: 1,
  });
}

type GapFields = {
  recordingId: string;
  device: string;
  seq: number;
  fromSeq?: number;
  toSeq?: number;
  fromUs?: number;
  toUs?: number;
  reason: Extract<Message, { stream: 'gap' }>['reason'];
};

function gapRow({ recordingId, device, seq, fromSeq, toSeq, fromUs, toUs, reason }: GapFields) {
  return rowOf({
    stream: 'gap',
    recordingId: derivedId(recordingId, 'gap'),
    seq,
    measuredAtUs: nowUs,
    clock,
    subject: recordingId,
    of: 'eeg',
    device,
    fromSeq: fromSeq ?? null,
    toSeq: toSeq ?? null,
    fromUs: fromUs ?? null,
    toUs: toUs ?? null,
    reason,
  });
}

function statusRow(session: string, kind: 'birth' | 'death', measuredAtUs: number) {
  return rowOf(
    {
      stream: 'status',
      recordingId: derivedId(session, 'status'),
      seq: kind === 'birth' ? 0 : 1,
      measuredAtUs,
      clock,
      subject: session,
      gateway: 'gateway-9',
      kind,
      version: '1.2.3',
      reason: 'test',
      previousSession: null,
    },
    { gateway: 'gateway-9', device: 'gateway-9' },
  );
}
