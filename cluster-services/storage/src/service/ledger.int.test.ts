import { Detections, Ledger, Recordings, RecordingWithLedger, Unscored } from '@vitalwire/contract';
import { describe, expect, test } from 'vitest';
import { eegRow, endRow, quarantineRow, rowOf, startRow, testRecordingId } from '../commit/test-rows.ts';
import { timeRunLimits } from '../queries/time-runs.ts';
import { detectionRow, gapRow } from './test-record-rows.ts';
import { databaseKinds } from './test-service.ts';
import { testNowUs as nowUs, StorageWorld } from './test-storage-world.ts';

const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;

describe.each(databaseKinds)('the ledger on $name', ({ make, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  const world = new StorageWorld(make);
  const { commit, makeRecording } = world;

  test('the ledger names what is stored, quarantined, declared lost and missing; without an end record the recording is open', async () => {
    const device = 'ledger-1';
    const recordingId = await makeRecording({ device, seqs: [0, 1, 2, 7, 8], lastSeq: 11 });
    await commit(
      quarantineRow(Buffer.from(`broken ${recordingId}`), { recordingId, seq: 4 }),
      gapRow({ recordingId, device, seq: 0, fromSeq: 5, toSeq: 7, reason: 'evicted' }),
    );
    const { recordings, totals, spans } = await world.client.getJson('/v1/ledger', Ledger, { query: { recording: recordingId } });
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
    const answer = await world.client.getJson(`/v1/recordings/${open}`, RecordingWithLedger);
    expect(answer.ledger).toMatchObject({ state: 'open', missing: [{ from: 1, to: 1 }] });
  });

  test('a recording of which only the start arrived is known, and so are its missing chunks once its end is', async () => {
    const device = 'ledger-2';
    const recordingId = await makeRecording({ device, seqs: [], lastSeq: 3 });
    const { ledger, startedAtUs } = await world.client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(ledger).toMatchObject({ state: 'incomplete', stored: [], missing: [{ from: 0, to: 3 }] });
    expect(startedAtUs).toBe(nowUs);
  });

  test('over any time range of a device: recorded, or not recorded because', async () => {
    const device = 'spans-1';
    const S = 1_000_000;
    const first = await makeRecording({ device, seqs: [0, 1, 2, 3], lastSeq: 3, startUs: nowUs });
    await makeRecording({ device, seqs: [0, 1, 2, 3], lastSeq: 3, startUs: nowUs + 11 * S });
    await commit(gapRow({ recordingId: first, device, seq: 0, fromUs: nowUs + 4 * S, toUs: nowUs + 11 * S, reason: 'agent-down' }));
    const { spans } = await world.client.getJson('/v1/ledger', Ledger, { query: { device, fromUs: nowUs - 2 * S, toUs: nowUs + 20 * S } });
    expect(spans.map(({ fromUs, toUs, state, reason }) => [(fromUs - nowUs) / S, (toUs - nowUs) / S, state, reason])).toEqual([
      [-2, 0, 'not-recorded', null],
      [0, 1, 'recorded', null],
      [1, 4, 'not-recorded', 'stopped'],
      [4, 11, 'not-recorded', 'agent-down'],
      [11, 12, 'recorded', null],
      [12, 20, 'not-recorded', 'stopped'],
    ]);
    expect(spans.every((span) => span.device === device && span.stream === 'eeg')).toBe(true);
    const nothing = await world.client.getJson('/v1/ledger', Ledger, { query: { device: 'never-seen', fromUs: nowUs, toUs: nowUs + S } });
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
    await world.client.getJson('/v1/ledger', Ledger, { query: { device } }); // what was seen in between must not change the answer
    await commit(...rows.filter(({ seq }) => seq % 3 === 1), endRow({ recordingId, device, lastSeq: 27, endUs: nowUs + 7 * S }));
    for (const query of [{ device }, { recording: recordingId }]) {
      const { spans, clockSteps } = await world.client.getJson('/v1/ledger', Ledger, { query });
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
    const seventy = await world.client.getJson('/v1/ledger', Ledger, { query: { device, fromUs: nowUs, toUs: nowUs + 4_200 * S } });
    const sum = seventy.spans.reduce((total, { state, fromUs, toUs }) => total + (state === 'recorded' ? toUs - fromUs : 0), 0);
    expect(sum).toBe(5 * S);
    expect(await world.client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger)).toMatchObject({
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
    const { recordings, spans } = await world.client.getJson('/v1/ledger', Ledger, { query: { device } });
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
    const { spans } = await world.client.getJson('/v1/ledger', Ledger, { query: { device, toUs: nowUs + 3_600 * S, fromUs: startUs } });
    const recorded = spans.filter(({ state }) => state === 'recorded');
    expect(recorded).toHaveLength(33);
    expect(recorded.map(({ readings }) => readings)).toEqual([...Array(32).fill(1), 3]);
    expect(recorded.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0)).toBe(32 * 60 * S + 90 * S);

    // Who wears the device in the middle of a recording, or at its end, has it too; what nobody wore is told of.
    const info = await world.client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(info).toMatchObject({ startedAtUs: startUs, endedAtUs: nowUs + 60 * S, patient: null });
    await world.client.putJson('/v1/patients/phone-p', {});
    await world.client.putJson(`/v1/devices/${device}`, { kind: 'phone' });
    await world.client.putJson('/v1/assignments', { device, patient: 'phone-p', fromUs: nowUs + 3_600 * S, toUs: null });
    const listed = () => world.client.getJson('/v1/recordings', Recordings, { query: { patient: 'phone-p' } });
    expect(await listed()).toMatchObject({ recordings: [], outside: [{ device, recordings: 1, fromUs: startUs, toUs: nowUs + 60 * S }] });
    await world.client.putJson('/v1/assignments', { device, patient: 'phone-p', fromUs: nowUs - monthUs, toUs: null });
    expect(await listed()).toMatchObject({ recordings: [{ recordingId, patient: 'phone-p' }], outside: [] });
    const { spans: worn } = await world.client.getJson('/v1/ledger', Ledger, { query: { patient: 'phone-p', toUs: nowUs + 3_600 * S } });
    expect(worn.filter(({ state }) => state === 'recorded').map(({ readings }) => readings)).toEqual([1, 3]);
  });

  test('the ledger of a patient follows the devices through their assignments', async () => {
    const S = 1_000_000;
    await world.client.putJson('/v1/patients/ledger-p', {});
    for (const device of ['worn-1', 'worn-2']) await world.client.putJson(`/v1/devices/${device}`, { kind: 'eeg' });
    const mine = await makeRecording({ device: 'worn-1', seqs: [0, 1, 2, 3], lastSeq: 3, startUs: nowUs });
    await makeRecording({ device: 'worn-1', seqs: [0], lastSeq: 0, startUs: nowUs + 50 * S }); // worn by nobody then
    const alsoMine = await makeRecording({ device: 'worn-2', seqs: [0], lastSeq: 0, startUs: nowUs + 20 * S });
    await world.client.putJson('/v1/assignments', { device: 'worn-1', patient: 'ledger-p', fromUs: nowUs, toUs: nowUs + 10 * S });
    await world.client.putJson('/v1/assignments', { device: 'worn-2', patient: 'ledger-p', fromUs: nowUs + 10 * S, toUs: null });
    const { recordings, spans } = await world.client.getJson('/v1/ledger', Ledger, {
      query: { patient: 'ledger-p', fromUs: nowUs, toUs: nowUs + 40 * S },
    });
    expect(recordings.map((one) => one.recordingId).sort()).toEqual([mine, alsoMine].sort());
    expect(spans.filter(({ state }) => state === 'recorded').map(({ device, fromUs }) => [device, (fromUs - nowUs) / S])).toEqual([
      ['worn-1', 0],
      ['worn-2', 20],
    ]);
    const listed = await world.client.getJson('/v1/recordings', Recordings, { query: { patient: 'ledger-p' } });
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
    const before = await world.client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, { query });
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
    const after = await world.client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, { query });
    expect(after).toEqual({
      ranges: [
        { fromWindow: 0, toWindow: 0 },
        { fromWindow: 2, toWindow: 3 },
        { fromWindow: 6, toWindow: 7 },
      ],
      scorableWindows: 7,
      scoredWindows: 2,
    });
    const other = await world.client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, { query: { ...query, model: 'model-b' } });
    expect(other.scoredWindows).toBe(0);
    const { detections } = await world.client.getJson(`/v1/recordings/${recordingId}/detections`, Detections, {
      query: { model: 'model-a' },
    });
    expect(detections.map(({ window, probability }) => [window, probability])).toEqual([
      [1, 0.9],
      [5, 0.1],
    ]);
    const some = await world.client.getJson(`/v1/recordings/${recordingId}/detections`, Detections, {
      query: { fromWindow: 2, toWindow: 5 },
    });
    expect(some.detections.map(({ window }) => window)).toEqual([5]);
  });

  test('a chunk whose sender did not declare its samples counts all the same', async () => {
    const device = 'undeclared-1';
    const recordingId = testRecordingId(nowUs);
    await commit(...[0, 1, 2].map((seq) => ({ ...eegRow({ recordingId, seq, device }), samples: null, firstSample: null })));
    const { ledger } = await world.client.getJson(`/v1/recordings/${recordingId}`, RecordingWithLedger);
    expect(ledger.samplesStored).toBe(150);
    const unscored = await world.client.getJson(`/v1/recordings/${recordingId}/unscored`, Unscored, {
      query: { model: 'm', window: 150, hop: 50 },
    });
    expect(unscored.scorableWindows).toBe(1);
  });
});
