import { commandTopic, decodeHello } from '@vitalwire/contract';
import { createLog, systemClock } from '@vitalwire/runtime';
import { migrateReadings, openReadings } from '@vitalwire/storage';
import { writerGrants } from '@vitalwire/storage/commit';
import { hasMariaDb, publishPacket, startMariaDb, subscribePacket } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { createIngest, type Ingest } from './index.ts';
import {
  chunk,
  config,
  connected,
  ends,
  lock,
  migrated,
  mosquittoPub,
  newRecording,
  pki,
  probe,
  start,
  storedSeqs,
  topic,
  until,
} from './test-ingest.ts';

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

/** With a short deadline, a busy machine may need longer than it to open the database for the first time. */
async function answering(ingest: Ingest): Promise<Ingest> {
  await until(async () => !(await probe(ingest, '/readyz')).text.includes('"degraded":true'), 'the database answers');
  return ingest;
}
