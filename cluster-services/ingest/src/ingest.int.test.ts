import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandTopic, decodeHello, encodeMessage, formatTopic, type MessageDraft, newRecordingId, uuidToBytes } from '@vitalwire/contract';
import { connectOnce, createLog, type Identity, systemClock } from '@vitalwire/runtime';
import { migrateReadings, openReadings } from '@vitalwire/storage';
import { writerGrants } from '@vitalwire/storage/commit';
import {
  hasMariaDb,
  publishPacket,
  RawMqtt,
  removeTempDir,
  startMariaDb,
  subscribePacket,
  TestPki,
  tempDir,
  until as untilWithin,
} from '@vitalwire/testkit';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createIngest, type Ingest, IngestConfig } from './index.ts';

type Readings = ReturnType<typeof openReadings>;

const topic = formatTopic('gw-1', 'dev-1', 'eeg');
const repository = new URL('../../..', import.meta.url);
/** Long enough for a busy machine: what is tested is that it happens, bounds that matter are measured. */
function until<T>(fn: () => T | Promise<T>, what = fn.toString()): ReturnType<typeof untilWithin<T>> {
  return untilWithin(fn, { timeoutMs: 20_000, what });
}

let pki: TestPki;
let gateway: Identity;
let dir: string;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gw-1');
});
beforeEach(() => {
  dir = tempDir('vw-ingest-');
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  removeTempDir(dir);
});
afterAll(() => pki.remove());

async function config(changes: Record<string, unknown> = {}): Promise<IngestConfig> {
  const { certPath, keyPath, caPath } = await pki.service('ingest');
  return IngestConfig.parse({ port: 0, certPath, keyPath, caPath, database: `sqlite:${dir}`, ...changes });
}

/** The database as the storage service makes it, and a look into it from outside. */
async function migrated(): Promise<Readings> {
  const readings = openReadings(`sqlite:${dir}`);
  ends.push(() => readings.db.destroy());
  await migrateReadings(readings.db, readings.dialect, systemClock.nowUs(), readings.where);
  return readings;
}

async function start(changes: Record<string, unknown> = {}): Promise<Ingest> {
  const ingest = createIngest(await config(changes), { log: createLog({ name: 'test', level: 'silent' }), clock: systemClock });
  ends.push(() => ingest.stop());
  await ingest.start(new AbortController().signal);
  return ingest;
}

/** With a short deadline, a busy machine may need longer than it to open the database for the first time. */
async function answering(ingest: Ingest): Promise<Ingest> {
  await until(async () => !(await probe(ingest, '/readyz')).text.includes('"degraded":true'), 'the database answers');
  return ingest;
}

/** The front door as a process of its own, so that it can be killed. */
async function startChild(testOnly: object = {}): Promise<{ port: number; child: ChildProcess; kill: () => Promise<void> }> {
  const code = `
    import { createIngest } from '@vitalwire/ingest';
    import { createLog, systemClock } from '@vitalwire/runtime';
    const { config, testOnly } = JSON.parse(process.env.TEST_INGEST);
    const ingest = createIngest(config, { log: createLog({ name: 'child', level: 'error' }), clock: systemClock }, testOnly);
    await ingest.start(new AbortController().signal);
    process.send(ingest.addresses());`;
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', code], {
    cwd: repository,
    env: { ...process.env, TEST_INGEST: JSON.stringify({ config: await config(), testOnly }) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  ends.push(kill);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (addresses: { port: number }) => resolve(addresses.port));
    child.once('exit', () => reject(new Error('the child ended before it was ready')));
  });
  return { port, child, kill };
}

function newRecording(owner = 'gw-1'): string {
  return newRecordingId(owner, systemClock.nowMs(), crypto.getRandomValues(new Uint8Array(6)));
}

function chunk(recordingId: string, seq: number, value = seq): Uint8Array {
  const draft: MessageDraft = {
    stream: 'eeg',
    recordingId,
    seq,
    measuredAtUs: 1_767_225_600_000_000 + seq * 125_000,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    firstSample: seq * 32,
    channels: 1,
    samplesPerChannel: 32,
    rate: { num: 256, den: 1 },
    montageHash: '0123456789abcdef',
    sampleBits: 16,
    samples: new Int16Array(32).fill(value),
  };
  return encodeMessage(draft);
}

async function storedSeqs({ db }: Readings, recordingId: string): Promise<number[]> {
  const { rows } = await sql<{
    seq: number;
  }>`SELECT seq FROM chunk WHERE recording_id = ${Buffer.from(uuidToBytes(recordingId))} ORDER BY seq`.execute(db);
  return rows.map((row) => Number(row.seq));
}

async function storedMessage({ db }: Readings, recordingId: string, seq: number): Promise<Buffer | undefined> {
  const { rows } = await sql<{
    message: Buffer;
  }>`SELECT message FROM chunk WHERE recording_id = ${Buffer.from(uuidToBytes(recordingId))} AND seq = ${seq}`.execute(db);
  return rows[0]?.message;
}

async function quarantined({ db }: Readings): Promise<{ reason: string; sender: string }[]> {
  const { rows } = await sql<{ reason: string; sender: string }>`SELECT reason, sender FROM quarantine ORDER BY reason`.execute(db);
  return rows;
}

async function lock({ db }: Readings): Promise<() => Promise<unknown>> {
  await sql`BEGIN EXCLUSIVE`.execute(db);
  return () => sql`COMMIT`.execute(db);
}

async function connected(port: number, clientId = 'gw-1', identity = gateway): Promise<RawMqtt> {
  const client = await RawMqtt.open(port, identity, pki.caPath);
  ends.push(() => client.end());
  expect(await client.connect({ clientId })).toBe(0);
  return client;
}

/** Debian's own client, as anybody would call it. */
function mosquittoPub(port: number, message: Uint8Array, to = topic): Promise<number | null> {
  const file = join(dir, 'chunk.bin');
  writeFileSync(file, message);
  const files = ['--cafile', gateway.caPath, '--cert', gateway.certPath, '--key', gateway.keyPath];
  const child = spawn(
    'mosquitto_pub',
    ['-h', '127.0.0.1', '-p', String(port), '-V', 'mqttv311', '-q', '1', '-i', 'gw-1', ...files, '-t', to, '-f', file],
    { stdio: 'ignore' },
  );
  return new Promise((resolve, reject) => child.on('exit', resolve).on('error', reject));
}

async function probe(ingest: Ingest, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${ingest.addresses()['probePort']}${path}`);
  return { status: response.status, text: await response.text() };
}

describe('an acknowledgement means that the row is there', () => {
  test('a stock client publishes a chunk: exit 0, and the stored bytes are its bytes', async () => {
    const readings = await migrated();
    const ingest = await start();
    const recordingId = newRecording();
    expect(await mosquittoPub(ingest.door.port, chunk(recordingId, 0))).toBe(0);
    expect(await storedMessage(readings, recordingId, 0)).toEqual(Buffer.from(chunk(recordingId, 0)));
  });

  test('killed before the commit: the stock client fails and there is no row; sent again, there is one', async () => {
    const readings = await migrated();
    const recordingId = newRecording();
    const first = await startChild();
    const unlock = await lock(readings);
    const published = mosquittoPub(first.port, chunk(recordingId, 0));
    await systemClock.sleep(700);
    await first.kill();
    expect(await published).not.toBe(0);
    await unlock();
    expect(await storedSeqs(readings, recordingId)).toEqual([]);
    const second = await startChild();
    expect(await mosquittoPub(second.port, chunk(recordingId, 0))).toBe(0);
    expect(await storedSeqs(readings, recordingId)).toEqual([0]);
  });

  test('killed in the middle of a stream: every acknowledged chunk is stored', { timeout: 60_000 }, async () => {
    const readings = await migrated();
    const { port, kill } = await startChild();
    const recordingId = newRecording();
    const client = await connected(port);
    for (let seq = 0; seq < 3_000; seq += 1) client.send(publishPacket(topic, chunk(recordingId, seq), seq + 1));
    await until(() => client.acks.length > 300);
    await kill();
    await client.closed();
    const acked = client.acks.map((id) => id - 1);
    const stored = new Set(await storedSeqs(readings, recordingId));
    expect(acked.length).toBeLessThan(3_000);
    expect(acked.filter((seq) => !stored.has(seq))).toEqual([]);
  });

  test('with acknowledgement before commit the same kill loses what was acknowledged: the test can see a loss', async () => {
    const readings = await migrated();
    const { port, kill } = await startChild({ ackBeforeCommit: true });
    const recordingId = newRecording();
    const client = await connected(port);
    const unlock = await lock(readings);
    for (let seq = 0; seq < 50; seq += 1) client.send(publishPacket(topic, chunk(recordingId, seq), seq + 1));
    await until(() => client.acks.length === 50);
    await kill();
    await unlock();
    expect(await storedSeqs(readings, recordingId)).toEqual([]);
  });
});

describe('what cannot be understood is kept, acknowledged and counted', () => {
  test('garbage, foreign recordings and contradictions; what follows them is stored', async () => {
    const readings = await migrated();
    const ingest = await start();
    const recordingId = newRecording();
    const disagreeing = Uint8Array.from(chunk(recordingId, 1));
    disagreeing[23] = 99;
    const client = await connected(ingest.door.port);
    const messages = [
      Buffer.from('garbage'),
      Buffer.from('garbage'),
      new Uint8Array(),
      chunk(newRecording('gw-2'), 0),
      disagreeing,
      chunk(recordingId, 0),
    ];
    for (const [index, message] of messages.entries()) client.send(publishPacket(topic, message, index + 1));
    client.send(publishPacket(formatTopic('gw-1', 'dev-1', 'event'), chunk(recordingId, 5), 100));
    await until(() => client.acks.length === 7);
    expect((await quarantined(readings)).map((row) => row.reason)).toEqual([
      'foreign-recording',
      'prefix-disagrees',
      'topic-disagrees',
      'truncated',
      'truncated',
    ]);
    expect(new Set((await quarantined(readings)).map((row) => row.sender))).toEqual(new Set(['gw-1']));
    expect(await storedSeqs(readings, recordingId)).toEqual([0]);
    const metrics = (await probe(ingest, '/metrics')).text;
    expect(metrics).toContain('vitalwire_quarantined_total{reason="truncated"} 3');
    expect(metrics).toContain('vitalwire_quarantined_total{reason="foreign-recording"} 1');
    expect(metrics).toContain('vitalwire_rows_total{outcome="committed"} 1');
    expect(metrics).toMatch(/vitalwire_puback_seconds_count 7/);
  });

  test('a repeat changes nothing; other bytes under a known identity go to quarantine and are not routed', async () => {
    const readings = await migrated();
    const ingest = await start();
    const recordingId = newRecording();
    const web = await connected(ingest.door.port, 'web-sub', await pki.service('web'));
    web.send(subscribePacket(1, 'vw/1/+/+/+/eeg'));
    await until(() => web.packets.some((packet) => packet.first === 0x90));
    const client = await connected(ingest.door.port);
    const messages = [chunk(recordingId, 0), chunk(recordingId, 0), chunk(recordingId, 0, 77), chunk(recordingId, 1)];
    for (const [index, message] of messages.entries()) client.send(publishPacket(topic, message, index + 1));
    await until(() => client.acks.length === 4);
    expect(await storedSeqs(readings, recordingId)).toEqual([0, 1]);
    expect(await storedMessage(readings, recordingId, 0)).toEqual(Buffer.from(chunk(recordingId, 0)));
    expect(await quarantined(readings)).toHaveLength(1);
    await until(() => web.packets.filter((packet) => packet.first === 0x30).length === 3);
    const metrics = (await probe(ingest, '/metrics')).text;
    expect(metrics).toContain('vitalwire_rows_total{outcome="duplicate"} 1');
    expect(metrics).toContain('vitalwire_quarantined_total{reason="conflict"} 1');
  });
});

describe('without its database the front door stays in use', () => {
  test('from the start: it opens degraded, live values flow, a durable client is dropped in time, and all recovers by itself', {
    timeout: 30_000,
  }, async () => {
    const ingest = await start({ commitDeadlineMs: 500 });
    const ready = await probe(ingest, '/readyz');
    expect(ready.status).toBe(200);
    expect(ready.text).toContain('degraded');
    const web = await connected(ingest.door.port, 'web-sub', await pki.service('web'));
    web.send(subscribePacket(1, 'vw/1/+/+/+/+'), subscribePacket(2, 'vw/1/+/+/+/+/live'));
    const live = await connected(ingest.door.port, 'gw-1-live');
    live.send(subscribePacket(1, commandTopic('gw-1')));
    await until(() => web.packets.length === 3 && live.packets.length === 2);
    const recordingId = newRecording();
    const durable = await connected(ingest.door.port);
    durable.send(publishPacket(topic, chunk(recordingId, 0), 1));
    live.send(
      publishPacket(`${topic}/live`, chunk(recordingId, 1), null),
      publishPacket(`${topic}/live`, chunk(newRecording('gw-2'), 1), null),
    );
    await until(() => web.packets.filter((packet) => packet.first === 0x30).length === 1);
    await durable.closed();
    expect(durable.acks).toEqual([]);
    expect(live.isClosed).toBe(false);
    const readings = await migrated();
    await until(() => live.packets.some((packet) => packet.first === 0x30));
    const hello = live.packets.find((packet) => packet.first === 0x30)?.body;
    expect(decodeHello(hello?.subarray(2 + commandTopic('gw-1').length) ?? new Uint8Array())).toMatchObject({ ok: true });
    await answering(ingest);
    const again = await connected(ingest.door.port);
    again.send(publishPacket(topic, chunk(recordingId, 0), 1));
    await until(() => again.acks.length === 1);
    expect(await storedSeqs(readings, recordingId)).toEqual([0]);
    expect((await probe(ingest, '/readyz')).text).not.toContain('"degraded":true');
  });

  test('locked by somebody else: acknowledgements wait, then that client is dropped; nothing acknowledged is missing', {
    timeout: 30_000,
  }, async () => {
    const readings = await migrated();
    const ingest = await answering(await start({ commitDeadlineMs: 1_500 }));
    const recordingId = newRecording();
    const before = await connected(ingest.door.port);
    before.send(publishPacket(topic, chunk(recordingId, 0), 1));
    await until(() => before.acks.length === 1);
    const unlock = await lock(readings);
    const beganMs = performance.now();
    before.send(publishPacket(topic, chunk(recordingId, 1), 2));
    const identity = await pki.gateway('gw-2');
    const newcomer = await connected(ingest.door.port, 'gw-2', identity);
    expect(newcomer.isClosed).toBe(false);
    await before.closed();
    expect(performance.now() - beganMs).toBeGreaterThan(1_400);
    expect((await probe(ingest, '/readyz')).status).toBe(200);
    await unlock();
    await answering(ingest);
    const after = await connected(ingest.door.port);
    after.send(publishPacket(topic, chunk(recordingId, 1), 1), publishPacket(topic, chunk(recordingId, 2), 2));
    await until(() => after.acks.length === 2);
    expect(await storedSeqs(readings, recordingId)).toEqual([0, 1, 2]);
    expect((await probe(ingest, '/metrics')).text).toMatch(/vitalwire_clients_dropped_total{reason="storage-behind"} 1/);
  });

  test('a setting that names no database is told at the start', async () => {
    const ingest = createIngest(await config({ database: 'postgres://nobody' }), {
      log: createLog({ name: 'test', level: 'silent' }),
      clock: systemClock,
    });
    await expect(ingest.start(new AbortController().signal)).rejects.toThrow(/sqlite:DIR or mysql/);
  });
});

describe.skipIf(!hasMariaDb())('on MariaDB, with a user that may only insert', () => {
  test('the server stopped in its tracks (SIGSTOP): the client is dropped in time, live values flow, and afterwards all is stored', {
    timeout: 60_000,
  }, async () => {
    const server = await startMariaDb();
    ends.push(() => server.stop());
    const readings = openReadings(server.adminUrl);
    ends.push(() => readings.db.destroy());
    await migrateReadings(readings.db, readings.dialect, systemClock.nowUs(), readings.where);
    const database = await server.createUser('writer', writerGrants('writer@%', server.database));
    const ingest = await answering(await start({ database, commitDeadlineMs: 1_500 }));
    const recordingId = newRecording();
    expect(await mosquittoPub(ingest.door.port, chunk(recordingId, 0))).toBe(0);
    expect(await storedSeqs(readings, recordingId)).toEqual([0]);
    const web = await connected(ingest.door.port, 'web-sub', await pki.service('web'));
    web.send(subscribePacket(1, 'vw/1/+/+/+/+/live'));
    const live = await connected(ingest.door.port, 'gw-1-live');
    server.pause();
    try {
      const durable = await connected(ingest.door.port);
      durable.send(publishPacket(topic, chunk(recordingId, 1), 1));
      for (let index = 0; index < 10; index += 1) {
        const sentMs = performance.now();
        live.send(publishPacket(`${topic}/live`, chunk(recordingId, 2 + index), null));
        await until(() => web.packets.filter((packet) => packet.first === 0x30).length === index + 1);
        expect(performance.now() - sentMs).toBeLessThan(5_000);
      }
      await durable.closed();
      expect(durable.acks).toEqual([]);
      expect((await probe(ingest, '/readyz')).text).toContain('"degraded":true');
    } finally {
      server.resume();
    }
    await answering(ingest);
    const again = await connected(ingest.door.port);
    again.send(publishPacket(topic, chunk(recordingId, 1), 1), publishPacket(topic, chunk(recordingId, 2), 2));
    await until(() => again.acks.length === 2);
    expect(await storedSeqs(readings, recordingId)).toEqual([0, 1, 2]);
  });
});

test('mqtt.js publishes 500 chunks through a clean stop: what it was told is stored', async () => {
  const readings = await migrated();
  const ingest = await start();
  const recordingId = newRecording();
  const client = await connectOnce({ url: `mqtts://127.0.0.1:${ingest.door.port}`, identity: gateway, clientId: 'gw-1' });
  client.on('error', () => {});
  ends.push(() => client.endAsync(true));
  const acked: number[] = [];
  for (let seq = 0; seq < 500; seq += 1)
    client.publish(topic, Buffer.from(chunk(recordingId, seq)), { qos: 1 }, (error) => void (error ?? acked.push(seq)));
  await until(() => acked.length > 100);
  await ingest.stop();
  const stored = new Set(await storedSeqs(readings, recordingId));
  expect(acked.filter((seq) => !stored.has(seq))).toEqual([]);
  expect(stored.size - acked.length).toBeLessThanOrEqual(0);
});
