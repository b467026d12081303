import {
  type Alarm,
  AlarmLog,
  DeviceMoves,
  derivedId,
  Latest,
  Ledger,
  newRecordingId,
  Recordings,
  RecordingWithLedger,
  Registry,
} from '@vitalwire/contract';
import { createLog, type HttpClient, systemClock } from '@vitalwire/runtime';
import { TestPki, until } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChunkStore } from '../commit/chunk-store.ts';
import type { ChunkRow } from '../commit/commit-row.ts';
import { openChunkStore } from '../commit/index.ts';
import { eegRow, endRow, rowOf, startRow, testRecordingId } from '../commit/test-rows.ts';
import type { Storage } from './storage.ts';
import { databaseKinds, startService } from './test-service.ts';

const second = 1_000_000;
const nowUs = Math.floor(systemClock.nowUs() / second) * second - 600 * second;

let pki: TestPki;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

describe.each(databaseKinds)('whose a device is, on $name', ({ make, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  let bench: Awaited<ReturnType<typeof make>>;
  let service: Storage;
  let client: HttpClient;
  let store: ChunkStore;

  beforeAll(async () => {
    bench = await make();
    ({ service, client } = await startService(pki, bench.admin));
    store = openChunkStore({ database: await bench.writer(), clock: systemClock, log: createLog({ name: 'test', level: 'silent' }) });
  });
  afterAll(async () => {
    await store.close();
    await client.close();
    await service.stop();
    await bench.stop();
  });

  /** A whole recording of 4 chunks of 250 ms that a gateway sent of a device. */
  async function record(gateway: string, device: string, startUs: number): Promise<string> {
    const recordingId = testRecordingId(startUs);
    const rows: ChunkRow[] = [
      startRow({ recordingId, device, startUs }),
      ...[0, 1, 2, 3].map((seq) => eegRow({ recordingId, device, seq, startUs })),
      endRow({ recordingId, device, lastSeq: 3, endUs: startUs + second }),
    ];
    await store.commit(
      rows.map((row) => ({ ...row, gateway })),
      10_000,
    );
    return recordingId;
  }

  const listed = async (query: Record<string, string>) =>
    (await client.getJson('/v1/recordings', Recordings, { query })).recordings.map(({ recordingId, patient }) => [recordingId, patient]);
  const ownersOf = async (device: string) =>
    ((await client.getJson('/v1/registry', Registry)).owners ?? []).filter((one) => one.device === device);

  test('a device nobody registered belongs to the gateway that announced it first, and what another sends of it reaches no view', async () => {
    const own = await record('gateway-1', 'first-1', nowUs);
    await until(async () => (await ownersOf('first-1')).length > 0, 15_000);
    expect(await ownersOf('first-1')).toMatchObject([{ gateway: 'gateway-1', fromUs: null, by: 'first announced' }]);
    const foreign = await record('gateway-2', 'first-1', nowUs + 5 * second);
    await client.putJson('/v1/patients/first-p', {});
    await client.putJson('/v1/devices/first-1', { kind: 'eeg' });
    await client.putJson('/v1/assignments', { device: 'first-1', patient: 'first-p', fromUs: nowUs - 60 * second, toUs: null });
    expect(await listed({ patient: 'first-p' })).toEqual([[own, 'first-p']]);
    expect(await listed({ device: 'first-1' })).toEqual([[own, 'first-p']]);
    expect(await listed({ device: 'first-1', gateway: 'gateway-2' })).toEqual([[foreign, null]]); // it is stored all the same
    expect(await client.getJson(`/v1/recordings/${foreign}`, RecordingWithLedger)).toMatchObject({ patient: null, storedChunks: 4 });
    for (const query of [{ device: 'first-1' }, { patient: 'first-p' }]) {
      const { recordings, spans } = await client.getJson('/v1/ledger', Ledger, {
        query: { ...query, fromUs: nowUs, toUs: nowUs + 10 * second },
      });
      expect(recordings.map(({ recordingId }) => recordingId)).toEqual([own]);
      expect(spans.filter(({ state }) => state === 'recorded').map(({ fromUs, toUs }) => [fromUs - nowUs, toUs - nowUs])).toEqual([
        [0, second],
      ]);
    }
    const { devices } = await client.getJson('/v1/latest', Latest, { query: { device: 'first-1' } });
    expect(devices[0]?.eeg?.recordingId).toBe(own);
  });

  test('a device given to a gateway in the registry is its own, though another announces it first; it changes by a move alone', async () => {
    await client.putJson('/v1/devices/given-1', { kind: 'eeg', gateway: 'gateway-1' });
    await record('gateway-2', 'given-1', nowUs);
    const refused = client.putJson('/v1/devices/given-1', { kind: 'eeg', gateway: 'gateway-2' });
    await expect(refused).rejects.toMatchObject({ status: 409, remoteCode: 'DEVICE_HAS_OWNER' });
    await client.putJson('/v1/devices/given-1', { kind: 'eeg', gateway: 'gateway-1', label: 'again' });
    expect(await listed({ device: 'given-1' })).toEqual([]);
    expect(await ownersOf('given-1')).toMatchObject([{ gateway: 'gateway-1', fromUs: null, by: 'registry' }]);
  });

  test('a move is recorded with who made it and from when, and each gateway counts for its own time', async () => {
    const device = 'moved-1';
    await client.putJson(`/v1/devices/${device}`, { kind: 'eeg', gateway: 'gateway-1' });
    await client.putJson('/v1/patients/moved-p', {});
    await client.putJson('/v1/assignments', { device, patient: 'moved-p', fromUs: nowUs - 60 * second, toUs: null });
    const before = await record('gateway-1', device, nowUs);
    const early = await record('gateway-2', device, nowUs + 10 * second);
    const movedUs = nowUs + 20 * second;
    const move = { gateway: 'gateway-2', by: 'keeper-1', fromUs: movedUs };
    const { revision } = await client.getJson('/v1/registry', Registry);
    const moved = await client.postJson(`/v1/devices/${device}/moves`, move, DeviceMoves);
    expect(moved.owners).toMatchObject([
      { gateway: 'gateway-1', fromUs: null },
      { gateway: 'gateway-2', fromUs: movedUs, by: 'keeper-1' },
    ]);
    await client.postJson(`/v1/devices/${device}/moves`, { gateway: 'gateway-2', by: 'keeper-2' }, DeviceMoves); // the same again
    const registry = await client.getJson('/v1/registry', Registry);
    expect(registry.revision).toBe(revision + 1);
    expect(registry.devices.find(({ id }) => id === device)?.gateway).toBe('gateway-2');
    const after = await record('gateway-2', device, nowUs + 30 * second);
    const late = await record('gateway-1', device, nowUs + 40 * second);
    expect((await listed({ patient: 'moved-p' })).map(([id]) => id)).toEqual([after, before]);
    expect((await listed({ device, gateway: 'gateway-2' })).map(([id]) => id)).toEqual([after, early]);
    expect((await listed({ device, gateway: 'gateway-1' })).map(([id]) => id)).toEqual([late, before]);
    const { devices } = await client.getJson('/v1/latest', Latest, { query: { device } });
    expect(devices[0]?.eeg?.recordingId).toBe(after);
    const back = (fromUs: number) => client.postJson(`/v1/devices/${device}/moves`, { gateway: 'gateway-1', by: 'k', fromUs }, DeviceMoves);
    await expect(back(movedUs)).rejects.toMatchObject({ status: 422, remoteCode: 'BAD_MOVE' });
    await expect(back(systemClock.nowUs() + 60 * second)).rejects.toMatchObject({ status: 422, remoteCode: 'BAD_MOVE' });
    const unknown = client.postJson('/v1/devices/nobodys-1/moves', { gateway: 'gateway-1', by: 'k' }, DeviceMoves);
    await expect(unknown).rejects.toMatchObject({ status: 404, remoteCode: 'NO_DEVICE' });
  });

  test("a gateway's alarm about another's device is stored, and told in no log", async () => {
    await client.putJson('/v1/devices/alarmed-1', { kind: 'eeg', gateway: 'gateway-1' });
    await store.commit(
      ['gateway-1', 'gateway-2', 'alarms'].map((sender) => rowOf(alarmLine(sender, 'alarmed-1'), { gateway: sender })),
      10_000,
    );
    for (const query of [{ device: 'alarmed-1' }, { open: 'true' }]) {
      const { lines } = await client.getJson('/v1/alarm-log', AlarmLog, { query });
      expect(
        lines
          .filter(({ device }) => device === 'alarmed-1')
          .map(({ sender }) => sender)
          .sort(),
      ).toEqual(['alarms', 'gateway-1']);
    }
  });
});

function alarmLine(sender: string, device: string): Alarm {
  const logId = newRecordingId(sender, Math.floor(nowUs / 1000), new Uint8Array(6));
  return {
    stream: 'alarm',
    recordingId: derivedId(logId, 'alarm'),
    subject: logId,
    seq: 0,
    measuredAtUs: nowUs,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    device,
    alarmId: 'e'.repeat(16),
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    transition: 'raised',
    onsetUs: nowUs,
    endedUs: null,
    value: null,
    limit: null,
    channel: null,
    untilUs: null,
    by: '',
    mergedInto: null,
    sender,
    fence: 0,
    replay: null,
    text: '*** SEIZURE',
  };
}
