import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultProxy, until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { begin, broker, chunk, cleanup, dir, gateway, outbox, pause, pki, uplink } from './test-uplink.ts';

test('everything arrives in send order, and the PUBACK moves it to the ring', async () => {
  const id = await begin();
  await Promise.all(Array.from({ length: 200 }, (_, index) => outbox.append([chunk(id, index)])));
  await uplink();
  await until(() => broker.committed.length >= 201);
  expect(broker.seqs()).toEqual(Array.from({ length: 200 }, (_, seq) => seq));
  await until(async () => (await outbox.state()).pendingChunks === 0);
  expect((await outbox.state()).ringChunks).toBe(201);
});

test('never more than the window is on the way, and a lost connection sends again from the oldest un-acknowledged', async () => {
  const id = await begin();
  await Promise.all(Array.from({ length: 40 }, (_, index) => outbox.append([chunk(id, index)])));
  broker.hold();
  await uplink({ windowPackets: 8 });
  await until(() => broker.held >= 8);
  await pause(300);
  expect(broker.held).toBe(8);
  broker.releaseSome(3); // committed and acknowledged: the start record and two chunks
  await until(async () => (await outbox.state()).deliveredId === 3);
  const before = broker.arrived.length;
  broker.dropClients();
  await until(() => broker.arrived.length > before, 8_000);
  expect(broker.arrived[before]).toMatchObject({ stream: 'eeg', seq: 2 });
  broker.letGo();
  await until(async () => (await outbox.state()).pendingChunks === 0, 10_000);
  expect(new Set(broker.seqs()).size).toBe(40);
});

test('when acknowledgements stay out too long, the connection is made anew', async () => {
  await begin();
  broker.hold();
  const link = await uplink({ ackTimeoutMs: 300 });
  await until(() => link.status().connects >= 2, 8_000);
  await until(() => broker.arrived.filter(({ stream }) => stream === 'recording').length >= 2);
  broker.letGo();
  await until(async () => (await outbox.state()).pendingChunks === 0, 10_000);
});

test('a network that comes and goes loses nothing and keeps the order of what is new', async () => {
  const proxy = await FaultProxy.start(broker.port);
  cleanup.push(() => proxy.close());
  await uplink({ url: `mqtts://127.0.0.1:${proxy.port}`, random: () => 0.05 });
  const id = await begin();
  for (let index = 0; index < 60; index += 1) {
    await outbox.append([chunk(id, index)]);
    if (index % 20 === 10) proxy.cut();
    await pause(10);
  }
  await until(async () => (await outbox.state()).pendingChunks === 0, 15_000);
  const first = [...new Set(broker.seqs())];
  expect(first).toEqual(Array.from({ length: 60 }, (_, seq) => seq));
});

test.each(['acknowledgements that do not come', 'a network that is stalled'])('a stop does not wait for %s', async (what) => {
  const proxy = await FaultProxy.start(broker.port);
  cleanup.push(() => proxy.close());
  const id = await begin();
  if (what.startsWith('ack')) broker.hold();
  const link = await uplink({ url: `mqtts://127.0.0.1:${proxy.port}` });
  await outbox.append([chunk(id, 0)]);
  await until(() => (what.startsWith('ack') ? broker.held > 0 : broker.committed.length === 2));
  if (!what.startsWith('ack')) proxy.stall();
  const began = performance.now();
  await link.stop();
  expect(performance.now() - began).toBeLessThan(5_000);
});

test('a new database generation makes the agent send again all it holds, in order', async () => {
  const id = await begin();
  await Promise.all(Array.from({ length: 20 }, (_, index) => outbox.append([chunk(id, index)])));
  const link = await uplink({ helloEveryMs: 500 });
  await until(async () => (await outbox.state()).pendingChunks === 0);
  await until(() => link.status().generation === broker.generation);
  const before = broker.committed.length;
  broker.generation = '00000000-0000-4000-8000-00000000000b';
  await until(() => broker.committed.length >= before + 21, 8_000);
  expect(broker.committed.slice(before, before + 21).map(({ stream, seq }) => `${stream} ${seq}`)).toEqual([
    'recording 0',
    ...Array.from({ length: 20 }, (_, seq) => `eeg ${seq}`),
  ]);
  await until(async () => (await outbox.state()).pendingChunks === 0);
});

test('certificate files are read at every connect; one that is half written does not replace the good one', async () => {
  const certPath = join(dir, 'cert.pem');
  copyFileSync(gateway.certPath, certPath);
  const identity = { ...gateway, certPath };
  const link = await uplink({ identity, random: () => 0.05 });
  await until(() => link.connected);
  writeFileSync(certPath, readFileSync(gateway.certPath, 'utf8').slice(0, 200));
  broker.dropClients();
  await until(() => link.status().connects >= 2 && link.connected, 8_000);
  const other = await pki.pki.issue('gateway-2', { kind: 'gateway', days: 10 });
  copyFileSync(other.certPath, certPath);
  broker.dropClients();
  await until(() => link.status().connects >= 3 && link.connected, 8_000);
  expect(link.liveStatus().certificateDaysLeft).toBeGreaterThan(300); // that certificate does not belong to the key: the old pair serves on
});

test('without a front door nothing is lost and the problem is named', async () => {
  await broker.stop();
  const id = await begin();
  const link = await uplink({ random: () => 0.05 });
  await until(() => link.status().lastProblem !== null);
  expect(link.connected).toBe(false);
  await outbox.append([chunk(id, 0)]);
  expect((await outbox.state()).pendingChunks).toBe(2);
});
