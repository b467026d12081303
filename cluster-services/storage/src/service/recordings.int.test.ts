import { Recordings, RecordingWithLedger, SamplesAnswer } from '@vitalwire/contract';
import { describe, expect, test } from 'vitest';
import { eegRow, endRow, rowOf, startRow, testGateway, testRecordingId } from '../commit/test-rows.ts';
import { heartRateRow, unframe } from './test-record-rows.ts';
import { databaseKinds } from './test-service.ts';
import { testNowUs as nowUs, StorageWorld } from './test-storage-world.ts';

const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;

describe.each(databaseKinds)('recordings and their samples on $name', ({ make, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  const world = new StorageWorld(make);
  const { commit, makeRecording } = world;

  test('a recording is listed with its start, what is stored of it and whether it is open', async () => {
    const recordingId = await makeRecording({ device: 'list-1', seqs: [0, 1, 2] });
    const { recordings, next } = await world.client.getJson('/v1/recordings', Recordings, { query: { device: 'list-1' } });
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
    const again = await world.client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
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
      const page: Recordings = await world.client.getJson('/v1/recordings', Recordings, { query: { device, limit: 2, cursor } });
      seen.push(...page.recordings.map((one) => one.recordingId));
      cursor = page.next;
      pages += 1;
    } while (cursor !== null && pages < 10);
    expect(seen).toEqual(made.toReversed());
    const middle = await world.client.getJson('/v1/recordings', Recordings, {
      query: { device, fromUs: nowUs + 10_000_000, toUs: nowUs + 30_000_000 },
    });
    expect(middle.recordings.map((one) => one.recordingId)).toEqual([made[2], made[1]]);
    const events = await world.client.getJson('/v1/recordings', Recordings, { query: { device, stream: 'event' } });
    expect(events.recordings).toEqual([]);
  });

  test('chunks come back byte for byte, in seq order, page after page', async () => {
    const device = 'chunks-1';
    const recordingId = testRecordingId(nowUs);
    const rows = Array.from({ length: 7 }, (_item, seq) => eegRow({ recordingId, seq, device }));
    await commit(...rows);
    const first = await world.client.getBytes(`/v1/recordings/${recordingId}/chunks`, { query: { limit: 5 } });
    expect(first.headers['content-type']).toBe('application/vnd.vitalwire.messages');
    expect(first.headers['x-next-seq']).toBe('5');
    const second = await world.client.getBytes(`/v1/recordings/${recordingId}/chunks`, { query: { fromSeq: 5 } });
    expect(second.headers['x-next-seq']).toBeUndefined();
    const messages = [...unframe(first.bytes), ...unframe(second.bytes)];
    expect(messages.map((one) => Buffer.from(one).toString('hex'))).toEqual(rows.map((row) => Buffer.from(row.message).toString('hex')));
    const nothing = await world.client.getBytes(`/v1/recordings/${testRecordingId(nowUs)}/chunks`);
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
    const answer = await world.client.getJson(`/v1/recordings/${recordingId}/samples`, SamplesAnswer, {
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
    const answer = await world.client.getJson(`/v1/recordings/${recordingId}/samples`, SamplesAnswer, { query: { points: 10_000 } });
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
    const answer = await world.client.getJson(`/v1/recordings/${recordingId}/samples`, SamplesAnswer, {
      query: { fromUs: nowUs, toUs: nowUs + 4_000_000, points: 2 },
    });
    expect(answer).toMatchObject({ channels: [{ label: 'heart rate', unit: '/min' }], min: [[60, 62]], max: [[61, 90]] });
  });
});
