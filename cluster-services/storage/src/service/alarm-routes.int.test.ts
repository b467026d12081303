import {
  type Alarm,
  AlarmLog,
  AllLimits,
  derivedId,
  Leases,
  LimitsOfPatient,
  newRecordingId,
  numericFacts,
  numericStreams,
  PatientLimits,
} from '@vitalwire/contract';
import { createLog, type HttpClient, systemClock } from '@vitalwire/runtime';
import { TestPki } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ChunkStore } from '../commit/chunk-store.ts';
import { openChunkStore } from '../commit/index.ts';
import { rowOf } from '../commit/test-rows.ts';
import type { Storage } from './storage.ts';
import { databaseKinds, startService } from './test-service.ts';

const nowUs = systemClock.nowUs();
const second = 1_000_000;
const alarmsLog = newRecordingId('alarms', Math.floor(nowUs / 1000), new Uint8Array(6));
const gatewayLog = newRecordingId('gateway-1', Math.floor(nowUs / 1000), new Uint8Array(6));

let pki: TestPki;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

describe.each(databaseKinds)('alarms, limits and leases on $name', ({ make, skip }) => {
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
    const lines: Alarm[] = [
      line({ seq: 0, device: 'eeg-a', alarmId: 'a'.repeat(16), transition: 'raised', atS: -60 }),
      line({ seq: 1, device: 'eeg-b', alarmId: 'b'.repeat(16), transition: 'raised', atS: -50 }),
      line({
        seq: 2,
        device: 'eeg-a',
        alarmId: 'a'.repeat(16),
        transition: 'acknowledged',
        state: 'acknowledged',
        by: 'nurse-7',
        atS: -40,
      }),
      line({ seq: 3, device: 'eeg-b', alarmId: 'b'.repeat(16), transition: 'ended', state: 'ended', atS: -30 }),
      line({ seq: 4, device: 'eeg-a', alarmId: '', transition: 'paused', atS: -10 }),
      line({ seq: 0, device: 'eeg-a', alarmId: 'c'.repeat(16), transition: 'raised', atS: -55, sender: 'gateway-1' }),
    ];
    await store.commit(
      lines.map((one) => rowOf(one)),
      10_000,
    );
  });
  afterAll(async () => {
    await store.close();
    await client.close();
    await service.stop();
    await bench.stop();
  });

  test('the log is told in the order of the wall clock, page after page, over all senders', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: AlarmLog = await client.getJson('/v1/alarm-log', AlarmLog, { query: { limit: 2, cursor } });
      expect(page.lines.length).toBeLessThanOrEqual(2);
      seen.push(...page.lines.map(({ sender, transition, device }) => `${sender} ${device} ${transition}`));
      cursor = page.next;
    } while (cursor !== null);
    expect(seen).toEqual([
      'alarms eeg-a raised',
      'gateway-1 eeg-a raised',
      'alarms eeg-b raised',
      'alarms eeg-a acknowledged',
      'alarms eeg-b ended',
      'alarms eeg-a paused',
    ]);
  });

  test('the log of one device, of a time, and of a patient while the device was worn', async () => {
    const lines = async (query: Record<string, string | number>) =>
      (await client.getJson('/v1/alarm-log', AlarmLog, { query })).lines.map(({ seq, sender }) => `${sender} ${seq}`);
    expect(await lines({ device: 'eeg-b' })).toEqual(['alarms 1', 'alarms 3']);
    expect(await lines({ fromUs: nowUs - 45 * second, toUs: nowUs - 20 * second })).toEqual(['alarms 2', 'alarms 3']);
    await client.putJson('/v1/patients/p-1', {});
    await client.putJson('/v1/devices/eeg-b', { kind: 'eeg' });
    await client.putJson('/v1/assignments', { device: 'eeg-b', patient: 'p-1', fromUs: nowUs - 3_600 * second, toUs: null });
    expect(await lines({ patient: 'p-1' })).toEqual(['alarms 1', 'alarms 3']);
    await expect(client.getJson('/v1/alarm-log', AlarmLog, { query: { patient: 'nobody' } })).rejects.toMatchObject({ status: 404 });
    await expect(client.getJson('/v1/alarm-log', AlarmLog, { query: { cursor: 'x' } })).rejects.toMatchObject({ status: 400 });
    await expect(client.getJson('/v1/alarm-log', AlarmLog, { query: { fromUs: 5, toUs: 5 } })).rejects.toMatchObject({ status: 422 });
  });

  test('what is open: every line of alarms that have not ended, and the latest pauses', async () => {
    const { lines, next } = await client.getJson('/v1/alarm-log', AlarmLog, { query: { open: 'true' } });
    expect(next).toBeNull();
    expect(lines.map(({ sender, seq, state }) => `${sender} ${seq} ${state}`)).toEqual([
      'alarms 0 active',
      'gateway-1 0 active',
      'alarms 2 acknowledged',
      'alarms 4 active',
    ]);
  });

  test('an alarm that its gateway holds open comes with the word of the service that merged or ended it', async () => {
    const [at, device] = [-8, 'eeg-m'];
    const lines: Alarm[] = [
      line({ seq: 1, device, alarmId: 'd'.repeat(16), transition: 'raised', atS: at, sender: 'gateway-1' }),
      line({ seq: 5, device, alarmId: 'e'.repeat(16), transition: 'raised', atS: at }),
      { ...line({ seq: 6, device, alarmId: 'd'.repeat(16), transition: 'merged', state: 'ended', atS: at }), mergedInto: 'e'.repeat(16) },
      line({ seq: 2, device, alarmId: 'f'.repeat(16), transition: 'raised', atS: at, sender: 'gateway-1' }),
      line({ seq: 7, device, alarmId: 'f'.repeat(16), transition: 'raised', atS: at }),
      line({ seq: 8, device, alarmId: 'f'.repeat(16), transition: 'ended', state: 'ended', atS: at }),
    ];
    await store.commit(
      lines.map((one) => rowOf(one)),
      10_000,
    );
    const answer = await client.getJson('/v1/alarm-log', AlarmLog, { query: { open: 'true', device } });
    expect(answer.lines.map(({ sender, alarmId, transition }) => `${sender} ${alarmId[0]} ${transition}`).sort()).toEqual([
      'alarms d merged',
      'alarms e raised',
      'alarms f ended',
      'alarms f raised',
      'gateway-1 d raised',
      'gateway-1 f raised',
    ]);
  });

  test("a patient's limits: the default until somebody sets them, then the newest, with every change and who made it", async () => {
    await client.putJson('/v1/patients/p-2', {});
    const path = '/v1/patients/p-2/alarm-limits';
    const ofAll = await client.getJson(path, LimitsOfPatient);
    expect(ofAll.limits.map(({ stream, limits, changedAtUs }) => ({ stream, limits, changedAtUs }))).toEqual(
      numericStreams.map((stream) => ({ stream, limits: numericFacts(stream).limits.usual, changedAtUs: null })),
    );
    const first = { low: 40, high: 110, extremeDelta: 20 };
    const second = { low: null, high: 140, extremeDelta: null };
    const before = await revision(client);
    const put = (limits: object, by: string, stream = 'heart-rate') => client.putJson(`${path}/${stream}`, { limits, by }, PatientLimits);
    expect(await put(first, 'dr-1')).toMatchObject({ stream: 'heart-rate', limits: first, changedBy: 'dr-1' });
    expect(await revision(client)).toBe(before + 1);
    await put(first, 'dr-2'); // the same again is no change
    expect(await revision(client)).toBe(before + 1);
    await put(second, 'dr-3');
    const ofSpo2 = { low: 85, high: null, extremeDelta: 5 };
    await put(ofSpo2, 'dr-4', 'spo2');
    expect(await client.getJson(`${path}/spo2`, PatientLimits)).toMatchObject({ limits: ofSpo2, changedBy: 'dr-4' });
    expect(await client.getJson(`${path}/respiratory-rate`, PatientLimits)).toMatchObject({ changedBy: null });
    const all = await client.getJson('/v1/alarm-limits', AllLimits);
    expect(all.limits).toMatchObject([
      { patient: 'p-2', stream: 'heart-rate', limits: second, changedBy: 'dr-3' },
      { patient: 'p-2', stream: 'spo2', limits: ofSpo2, changedBy: 'dr-4' },
    ]);
    expect(all.changes.map(({ stream, by, before, after }) => ({ stream, by, before, after }))).toEqual([
      { stream: 'spo2', by: 'dr-4', before: null, after: ofSpo2 },
      { stream: 'heart-rate', by: 'dr-3', before: first, after: second },
      { stream: 'heart-rate', by: 'dr-1', before: null, after: first },
    ]);
  });

  test.each([
    ['heart-rate', { limits: { low: 90, high: 80, extremeDelta: 20 }, by: 'x' }, 'low must be below high'],
    ['heart-rate', { limits: { low: 0, high: 80, extremeDelta: 20 }, by: 'x' }, 'no limits of the heart rate: low'],
    ['spo2', { limits: { low: 90, high: 120, extremeDelta: 20 }, by: 'x' }, 'no limits of the oxygen saturation: high'],
    ['heart-rate', { limits: { low: 50, high: 80, extremeDelta: 20 }, by: ' ' }, 'say who asks'],
    ['heart-rate', { limits: { low: 50, high: 80 }, by: 'x' }, 'extremeDelta'],
    ['mood', { limits: { low: 50, high: 80, extremeDelta: 20 }, by: 'x' }, 'expected one of heart-rate, spo2'],
  ])('limits nobody can mean are refused: %s %j', async (stream, body, what) => {
    await client.putJson('/v1/patients/p-3', {});
    const refused = client.putJson(`/v1/patients/p-3/alarm-limits/${stream}`, body, PatientLimits);
    await expect(refused).rejects.toMatchObject({ status: 400 });
    await expect(refused).rejects.toThrow(what);
    const limits = { low: 50, high: 120, extremeDelta: 20 };
    const ofNobody = client.putJson('/v1/patients/nobody/alarm-limits/heart-rate', { limits, by: 'x' });
    await expect(ofNobody).rejects.toMatchObject({ status: 404 });
  });

  test('a shard has one holder at a time, and its fence rises when it changes hands', async () => {
    const lease = (worker: string, want: number, ttlS = 60) => client.postJson('/v1/leases/alarms', { worker, want, ttlS }, Leases);
    const first = await lease('a', 64);
    expect(first.shards).toHaveLength(64);
    expect((await lease('b', 64)).shards).toEqual([]);
    const fewer = await lease('a', 40);
    expect(fewer.shards).toEqual(first.shards.slice(0, 40)); // what it keeps, keeps its fence
    const given = await lease('b', 64);
    expect(given.shards.map(({ shard }) => shard)).toEqual(first.shards.slice(40).map(({ shard }) => shard));
    expect(given.shards.every(({ fence }) => fence === 2)).toBe(true);
    await lease('a', 40, 2);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const inherited = await lease('b', 64); // a did not renew
    expect(inherited.shards).toHaveLength(64);
    expect((await lease('a', 64)).shards).toEqual([]);
    await expect(client.postJson('/v1/leases/other', { worker: 'a', want: 1, ttlS: 5 })).rejects.toMatchObject({ status: 400 });
  });
});

async function revision(client: HttpClient): Promise<number> {
  return ((await client.getJson('/v1/registry', z.unknown())) as { revision: number }).revision;
}

function line(of: {
  seq: number;
  device: string;
  alarmId: string;
  transition: Alarm['transition'];
  state?: Alarm['state'];
  by?: string;
  atS: number;
  sender?: string;
}): Alarm {
  const subject = of.sender === 'gateway-1' ? gatewayLog : alarmsLog;
  return {
    stream: 'alarm',
    recordingId: derivedId(subject, 'alarm'),
    subject,
    sender: of.sender ?? 'alarms',
    seq: of.seq,
    measuredAtUs: nowUs + of.atS * second,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    device: of.device,
    alarmId: of.alarmId,
    condition: of.alarmId === '' ? null : 'seizure',
    priority: 'high',
    state: of.state ?? 'active',
    transition: of.transition,
    onsetUs: of.alarmId === '' ? null : nowUs - 70 * second,
    endedUs: null,
    value: null,
    limit: null,
    channel: null,
    untilUs: null,
    by: of.by ?? '',
    mergedInto: null,
    replay: null,
    text: '',
    fence: 1,
  };
}
