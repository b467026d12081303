import { type ChildProcess, spawn } from 'node:child_process';
import { formatTopic, uuidToBytes } from '@vitalwire/contract';
import { connectOnce, systemClock } from '@vitalwire/runtime';
import { publishPacket, subscribePacket } from '@vitalwire/testkit';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import {
  chunk,
  config,
  connected,
  ends,
  gateway,
  lock,
  migrated,
  mosquittoPub,
  newRecording,
  pki,
  probe,
  type Readings,
  start,
  storedSeqs,
  topic,
  until,
} from './test-ingest.ts';

const repository = new URL('../../..', import.meta.url);

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
