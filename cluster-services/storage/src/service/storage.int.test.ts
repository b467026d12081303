import { type ClockState, Generation, Latest, Quarantine, Registry, SamplesAnswer, Stats, StoredGateways } from '@vitalwire/contract';
import { HttpClient } from '@vitalwire/runtime';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eegRow, quarantineRow, rowOf, startRow, testGateway, testRecordingId } from '../commit/test-rows.ts';
import { detectionRow, heartRateRow, statusRow } from './test-record-rows.ts';
import { databaseKinds } from './test-service.ts';
import { testNowUs as nowUs, StorageWorld } from './test-storage-world.ts';

const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
const DEADLINE_MS = 10_000;

describe.each(databaseKinds)('the storage service on $name', ({ make, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  const world = new StorageWorld(make);
  const { commit, makeRecording } = world;

  test('the latest values of a device, each with when it was measured and when it was committed', async () => {
    const device = 'latest-1';
    const eeg = await makeRecording({ device, seqs: [0, 1] });
    const pulse = testRecordingId(nowUs);
    await commit(heartRateRow(pulse, device, 0, [60, 61, 75]), detectionRow(eeg, device, 0, 0.25));
    const { devices } = await world.client.getJson('/v1/latest', Latest, { query: { device } });
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
    const unknown = await world.client.getJson('/v1/latest', Latest, { query: { device: 'never-seen' } });
    expect(unknown.devices).toEqual([{ device: 'never-seen', patient: null, numerics: [], detection: null, eeg: null }]);
    const everything = await world.client.getJson('/v1/latest', Latest);
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
    const latestOf = async (device: string) => (await world.client.getJson('/v1/latest', Latest, { query: { device } })).devices[0];

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
    const { revision: before } = await world.client.getJson('/v1/registry', Registry);
    await world.client.putJson('/v1/patients/reg-1', { label: 'Bed 4', notes: 'n' });
    await world.client.putJson('/v1/patients/reg-1', { label: 'Bed 5' });
    await world.client.putJson('/v1/patients/reg-1', { label: 'Bed 5' });
    await world.client.putJson('/v1/devices/reg-d', { kind: 'eeg', gateway: testGateway });
    await world.client.putJson('/v1/assignments', { device: 'reg-d', patient: 'reg-1', fromUs: nowUs, toUs: null });
    await world.client.putJson('/v1/assignments', { device: 'reg-d', patient: 'reg-1', fromUs: nowUs, toUs: null });
    const after = await world.client.getJson('/v1/registry', Registry);
    expect(after.revision).toBe(before + 4);
    expect(after.patients.find(({ id }) => id === 'reg-1')).toEqual({ id: 'reg-1', label: 'Bed 5', notes: 'n' });
    expect(after.devices.find(({ id }) => id === 'reg-d')).toEqual({ id: 'reg-d', kind: 'eeg', label: null, gateway: testGateway });
    expect(after.assignments.filter(({ device }) => device === 'reg-d')).toEqual([
      { device: 'reg-d', patient: 'reg-1', fromUs: nowUs, toUs: null },
    ]);
    await world.client.putJson('/v1/patients/reg-2', {});
    await world.client.putJson('/v1/assignments', { device: 'reg-d', patient: 'reg-2', fromUs: nowUs + 10, toUs: nowUs + 20 });
    const cut = await world.client.getJson('/v1/registry', Registry);
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
    const { gateways } = await world.client.getJson('/v1/gateways', StoredGateways);
    expect(gateways).toEqual([{ gateway: 'gateway-9', session: current, version: '1.2.3', bornAtUs: nowUs + 1_000_000, diedAtUs: null }]);
    await commit(statusRow(current, 'death', nowUs + 2_000_000));
    const later = await world.client.getJson('/v1/gateways', StoredGateways);
    expect(later.gateways[0]?.diedAtUs).toBe(nowUs + 2_000_000);
  });

  test('stats count each chunk, sample, detection, conflict and quarantined message once, while they come in', async () => {
    const before = await world.client.getJson('/v1/stats', Stats);
    const recordingId = await makeRecording({ device: 'stats-1', seqs: [0, 1], lastSeq: 2 });
    await commit(detectionRow(recordingId, 'stats-1', 0, 0.5), quarantineRow(Buffer.from(`stats ${recordingId}`)));
    const middle = await world.client.getJson('/v1/stats', Stats);
    await commit(eegRow({ recordingId, seq: 2, device: 'stats-1', startUs: nowUs }));
    expect(
      await world.store.commit([eegRow({ recordingId, seq: 2, device: 'stats-1', samples: new Int16Array(50) })], DEADLINE_MS),
    ).toEqual(['conflict']);
    const after = await world.client.getJson('/v1/stats', Stats);
    const again = await world.client.getJson('/v1/stats', Stats);
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
    const { count, items } = await world.client.getJson('/v1/quarantine', Quarantine);
    expect(count).toBe(after.quarantined);
    expect(items.map(({ reason }) => reason)).toContain('conflict');
  });

  test('a generation names the database; announcing a new one asks gateways to send again', async () => {
    const before = await world.client.getJson('/v1/generation', Generation);
    expect(await world.store.generation()).toBe(before.generation);
    const made = await world.client.postJson('/v1/generation', { reason: 'restored by hand' }, Generation);
    expect(made.generation).not.toBe(before.generation);
    expect(await world.store.generation()).toBe(made.generation);
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
    const error = await world.client.getJson(path, z.unknown()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ status, remoteCode: code });
  });

  test('samples of a recording that is no signal are refused, and an empty range too', async () => {
    const recordingId = testRecordingId(nowUs);
    await commit(startRow({ recordingId, device: 'events-1', of: 'event' }));
    await expect(world.client.getJson(`/v1/recordings/${recordingId}/samples`, z.unknown())).rejects.toMatchObject({
      status: 422,
      remoteCode: 'NOT_A_SIGNAL',
    });
    const eeg = await makeRecording({ device: 'events-1', seqs: [0] });
    await expect(
      world.client.getJson(`/v1/recordings/${eeg}/samples`, z.unknown(), { query: { fromUs: 5, toUs: 5 } }),
    ).rejects.toMatchObject({
      remoteCode: 'EMPTY_RANGE',
    });
    const outside = await world.client.getJson(`/v1/recordings/${eeg}/samples`, SamplesAnswer, {
      query: { fromUs: 5, toUs: 10, points: 3 },
    });
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
    await expect(world.client.putJson(path, body)).rejects.toMatchObject({ status });
  });

  test('without the token nothing is told, the probes say that all is well', async () => {
    const stranger = new HttpClient({ baseUrl: world.client.baseUrl, token: 'another-token-altogether', caPath: world.caPath });
    for (const path of ['/v1/patients', '/v1/stats', '/v1/recordings'])
      await expect(stranger.getJson(path, z.unknown())).rejects.toMatchObject({ status: 401 });
    await stranger.close();
    const ready = await fetch(`${world.probeUrl}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'ready', checks: { readings: { ok: true }, registry: { ok: true } } });
    expect(await (await fetch(`${world.probeUrl}/metrics`)).text()).toContain('vitalwire_storage_database_up{database="readings"} 1');
  });
});
