import { Client, HttpError } from '@vitalwire/client';
import type { Message } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { afterEach, expect, test } from 'vitest';

let world: ScreenWorld;
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await world.stop();
});

async function connected(): Promise<Client> {
  const client = await Client.connect({ url: world.url, token: world.token, caPath: world.caPath });
  closers.push(() => client.close());
  return client;
}

test('a chunk that the front door accepts is at a viewer within a moment, once, however many lanes it took', async () => {
  world = await ScreenWorld.start();
  world.addPatient('p1', 'Bed 1', ['eeg-1']);
  await world.ready();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1', { replay: { speed: 1, source: 'Bonn' } });
  const client = await connected();
  const seen: Message[] = [];
  client.live({ streams: ['eeg', 'recording'] }, { onMessage: (message) => seen.push(message) });
  await until(() => world.viewers() === 1);

  await device.announce();
  for (let index = 0; index < 20; index++) await device.sendEeg([1, 2, 3, -4], { both: index % 2 === 0 });
  await until(() => seen.filter((message) => message.stream === 'eeg').length >= 20);
  await new Promise((resolve) => setTimeout(resolve, 200));

  const chunks = seen.filter((message) => message.stream === 'eeg');
  expect(chunks.map((chunk) => chunk.seq)).toEqual(Array.from({ length: 20 }, (_, seq) => seq));
  expect([...(chunks[0]?.samples ?? [])]).toEqual([10, 20, 30, -40]);

  const state = await client.state();
  expect(state.patients).toMatchObject([
    { key: 'p1', label: 'Bed 1', replay: { speed: 1, source: 'Bonn' }, eeg: { device: 'eeg-1', channels: 1 } },
  ]);
});

test('storage that hangs or fails is an answer with a code within the time limit, and live values keep arriving', async () => {
  world = await ScreenWorld.start({ storageTimeoutMs: 400 });
  world.addPatient('p1', 'Bed 1', ['eeg-1']);
  await world.ready();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1');
  const client = await connected();
  await expect(client.stats()).resolves.toMatchObject({ chunks: 1 });
  await expect(client.chunks(device.eegId)).resolves.toEqual({ messages: [Uint8Array.of(9, 9)], nextSeq: 7 });

  for (const mood of ['hangs', 'fails'] as const) {
    world.mood = mood;
    const beforeMs = performance.now();
    const refusal = await client.stats().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(HttpError);
    expect(refusal).toMatchObject({ status: 503, remoteCode: 'STORAGE_UNAVAILABLE', retry: true });
    expect(performance.now() - beforeMs).toBeLessThan(2_000);
    const seq = await device.sendEeg([1, 2, 3]);
    await until(async () => (await client.state()).patients[0]?.eeg?.recordingId === device.eegId && seq >= 0);
    expect((await client.state()).links.storage).toBe('down');
  }
});
