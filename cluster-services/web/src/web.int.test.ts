import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Client, HttpError } from '@vitalwire/client';
import type { Message } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { Agent, request, WebSocket } from 'undici';
import { expect, test } from 'vitest';
import { closers, connected, startWorld, world } from './test-web.ts';

test('a chunk that the front door accepts is at a viewer within a moment, once, however many lanes it took', async () => {
  await startWorld();
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
  await startWorld({ storageTimeoutMs: 400 });
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

test('web starts with a dead database and an earlier snapshot: patients have their names, values are live, montages are known', async () => {
  await startWorld({ storageTimeoutMs: 300 });
  world.addPatient('p1', 'Bed 1', ['eeg-1']);
  await world.ready();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1');
  await device.announce();
  const before = await connected();
  await until(() => before.montage(device.montageHash).catch(() => null));
  await new Promise((resolve) => setTimeout(resolve, 700)); // the snapshot is written soon, not at once

  await world.stopWeb();
  world.mood = 'hangs';
  const startedMs = performance.now();
  await world.startWeb();
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  const client = await connected();
  await until(async () => (await client.state()).links.frontDoor === 'ok');
  await device.sendEeg([1, 2, 3]);
  const state = await until(async () => {
    const answer = await client.state();
    return answer.patients[0]?.eeg ? answer : null;
  });
  expect(state.patients).toMatchObject([{ key: 'p1', label: 'Bed 1' }]);
  await expect(client.montage(device.montageHash)).resolves.toMatchObject({ channels: [{ label: 'EEG 1', unit: 'uV' }] });
  await expect(client.registry()).resolves.toMatchObject({ patients: [{ id: 'p1', label: 'Bed 1' }] });
  await until(async () => (await client.state()).links.storage === 'down');
});

test('without the right token there is nothing but the page: no values, no live socket', async () => {
  await startWorld({ maxViewers: 1 });
  await world.ready();
  const dispatcher = new Agent({ connect: { ca: readFileSync(world.caPath, 'utf8') } });
  closers.push(() => dispatcher.close());
  for (const path of ['/v1/state', '/v1/registry', '/v1/gateways', '/v1/stats', '/v1/time', '/v1/montages/0123456789abcdef']) {
    for (const authorization of [undefined, 'Bearer wrong-token-of-some-length']) {
      const answer = await request(world.url + path, { dispatcher, headers: authorization === undefined ? {} : { authorization } });
      expect([path, answer.statusCode]).toEqual([path, 401]);
      await answer.body.dump();
    }
  }
  const closed = await new Promise<string>((resolve) => {
    const socket = new WebSocket(`${world.url.replace('https', 'wss')}/v1/live`, {
      protocols: ['vitalwire.v1', 'bearer.wrong-token-of-some-length'],
      dispatcher,
    });
    socket.addEventListener('open', () => resolve('open'));
    socket.addEventListener('error', () => resolve('refused'));
  });
  expect(closed).toBe('refused');
  await expect(Client.connect({ url: world.url, token: 'wrong-token-of-some-length', caPath: world.caPath })).rejects.toMatchObject({
    status: 401,
    remoteCode: 'TOKEN_WRONG',
  });

  // One viewer is allowed; the second is told why it is not.
  const client = await connected();
  const first = client.live({ streams: [] }, {});
  await until(() => first.condition === 'live');
  const links: string[] = [];
  client.live({ streams: [] }, { onLink: (link) => links.push(link) });
  await until(() => links.includes('refused'));
  expect(first.condition).toBe('live');
});

test('a viewer that gives no credit back loses frames and is told how many; others see every chunk', async () => {
  await startWorld();
  await world.ready();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1', { channels: 8 });
  const client = await connected();
  const seen: number[] = [];
  client.live({ streams: ['eeg'] }, { onMessage: (message) => seen.push(message.seq) });
  // Grants a credit of 5 and never gives any back.
  const dispatcher = new Agent({ connect: { ca: readFileSync(world.caPath, 'utf8') } });
  closers.push(() => dispatcher.destroy());
  let slowFrames = 0;
  let dropped = 0;
  const slow = new WebSocket(`${world.url.replace('https', 'wss')}/v1/live`, {
    protocols: ['vitalwire.v1', `bearer.${world.token}`],
    dispatcher,
  });
  slow.binaryType = 'arraybuffer';
  slow.addEventListener('open', () => slow.send(JSON.stringify({ type: 'subscribe', streams: ['eeg'], credit: 5 })));
  slow.addEventListener('message', ({ data }) => {
    if (typeof data !== 'string') slowFrames += 1;
    else if (JSON.parse(data).type === 'behind') dropped += JSON.parse(data).dropped;
  });
  await until(() => world.viewers() === 2);
  await new Promise((resolve) => setTimeout(resolve, 300));

  const total = 60;
  for (let count = 0; count < total; count++) await device.sendEeg(Array.from({ length: 100 }, (_, index) => index));
  await until(() => seen.length === total);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await device.sendEeg([1]);
  await until(() => dropped === total + 1 - 5);
  expect(slowFrames).toBe(5);
  slow.close();
});

test('what a viewer sends is checked: nonsense ends its connection with a reason, and no one else notices', async () => {
  await startWorld();
  await world.ready();
  const client = await connected();
  const good = client.live({ streams: ['eeg'] }, {});
  await until(() => good.condition === 'live');
  const dispatcher = new Agent({ connect: { ca: readFileSync(world.caPath, 'utf8') } });
  closers.push(() => dispatcher.destroy());
  for (const nonsense of [
    '{',
    '{"type":"subscribe"}',
    '{"type":"credit","frames":-1}',
    '[]',
    '{"type":"credit","frames":1e99}',
    new Uint8Array([1, 2, 3]),
  ]) {
    const code = await new Promise<number>((resolve) => {
      const socket = new WebSocket(`${world.url.replace('https', 'wss')}/v1/live`, {
        protocols: ['vitalwire.v1', `bearer.${world.token}`],
        dispatcher,
      });
      socket.addEventListener('open', () => socket.send(nonsense));
      socket.addEventListener('close', (event) => resolve(event.code));
    });
    expect([String(nonsense), code]).toEqual([String(nonsense), 4400]);
  }
  expect(good.condition).toBe('live');
});

test('a client comes back by itself after web and after the front door went away, and its ages stay honest meanwhile', async () => {
  await startWorld();
  world.addPatient('p1', 'Bed 1', ['eeg-1']);
  await world.ready();
  const client = await connected();
  const links: string[] = [];
  const frontDoor: string[] = [];
  client.live({ streams: ['eeg'] }, { onLink: (link) => links.push(link), onState: ({ links: state }) => frontDoor.push(state.frontDoor) });
  await until(() => links.at(-1) === 'live');
  await world.stopWeb();
  await until(() => links.at(-1) === 'lost');
  await world.startWeb();
  await until(() => links.at(-1) === 'live', 20_000);
  await until(() => frontDoor.at(-1) === 'ok', 20_000);
  await world.stopFrontDoor();
  await until(() => frontDoor.at(-1) === 'down', 10_000);
  expect(links.at(-1)).toBe('live');
});

test('gateways show what is heard live, and whether births and deaths are known', async () => {
  await startWorld({ storageTimeoutMs: 300 });
  await world.ready();
  const gateway = await world.gateway();
  const client = await connected();
  gateway.sendStatus({ depthChunks: 42, certificateDaysLeft: 12 });
  const answer = await until(async () => {
    const { gateways, storage } = await client.gateways();
    return gateways.some(({ depthChunks }) => depthChunks === 42) ? { gateways, storage } : null;
  });
  expect(answer).toMatchObject({
    storage: 'ok',
    gateways: [{ gateway: 'gateway-1', state: 'online', depthChunks: 42, certificateDaysLeft: 12 }],
  });
  world.mood = 'hangs';
  await expect(client.gateways()).resolves.toMatchObject({ storage: 'down', gateways: [{ gateway: 'gateway-1', state: 'online' }] });
});

test('a patient put through web is on every screen at once', async () => {
  await startWorld();
  await world.ready();
  const client = await connected();
  const states: string[][] = [];
  client.live(
    { streams: [] },
    { onState: ({ whole, patients }) => states.push([String(whole), ...patients.map(({ label }) => label ?? '')]) },
  );
  await until(() => states.length > 0);
  await client.putPatient('p7', { label: 'Bed 7' });
  await until(() => states.some((state) => state.includes('Bed 7')), 2_000);
  await expect(client.putPatient('p7', { label: 'x'.repeat(41) })).rejects.toMatchObject({ status: 400 });
  await expect(client.recordings({ limit: 0 })).rejects.toMatchObject({ status: 400 });
});

test('it stops within a moment, also while a viewer is live and another is still in its TLS handshake', async () => {
  await startWorld();
  await world.ready();
  const client = await connected();
  const live = client.live({ streams: [] }, {});
  await until(() => live.condition === 'live');
  const halfOpen = connect(Number(new URL(world.url).port), '127.0.0.1');
  halfOpen.on('error', () => {});
  closers.push(() => void halfOpen.destroy());
  await once(halfOpen, 'connect');
  const beforeMs = performance.now();
  await world.stopWeb();
  expect(performance.now() - beforeMs).toBeLessThan(3_000);
});

test('after a restart everything that was shown is shown again, with its marks and ages, while no other service answers', async () => {
  await startWorld({ storageTimeoutMs: 300 });
  world.addPatient('p1', 'Bed 1', ['eeg-1', 'hr-1']);
  await world.ready();
  const gateway = await world.gateway();
  const replay = { speed: 1, source: 'Bonn' };
  const [eeg, pulse] = [gateway.device('eeg-1', { replay }), gateway.device('hr-1', { replay })];
  await eeg.announce();
  await eeg.sendEeg([1, 2, 3]);
  await pulse.sendHeartRate(72);
  const id = await world.alarms.raise('eeg-1', 'seizure', { text: 'x' });
  const client = await connected();
  await client.acknowledgeAlarm(id, 'nurse-7');
  await client.pauseAlarms('eeg-1', 60, 'nurse-7');
  const before = await until(async () => {
    const [patient] = (await client.state()).patients;
    return patient?.alarms[0]?.acknowledgedBy === 'nurse-7' && patient.pauses.length === 1 && patient.numerics.length > 0 ? patient : null;
  }, 10_000);
  expect(before).toMatchObject({ replay, numerics: [{ value: 72 }], eeg: { device: 'eeg-1' } });
  await world.alarms.stopHttp();
  world.mood = 'fails';
  await world.stopFrontDoor();
  await world.stopWeb();
  await world.startWeb();
  const again = await until(async () => (await client.state().catch(() => null))?.patients[0], 10_000);
  expect(again).toEqual(before);
}, 30_000);

test('the description of the API has every path of alarms', async () => {
  await startWorld();
  const dispatcher = new Agent({ connect: { ca: readFileSync(world.caPath, 'utf8') } });
  closers.push(() => dispatcher.close());
  const answer = await request(`${world.url}/openapi.json`, { dispatcher });
  const { paths } = (await answer.body.json()) as { paths: Record<string, Record<string, object>> };
  const all = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  expect(all.filter((one) => one.includes('alarm')).sort()).toEqual([
    'get /v1/alarm-limits',
    'get /v1/alarm-log',
    'get /v1/alarms',
    'get /v1/patients/{id}/alarm-limits',
    'get /v1/patients/{id}/alarm-limits/{stream}',
    'post /v1/alarms/{id}/acknowledge',
    'post /v1/devices/{id}/alarm-pause',
    'put /v1/patients/{id}/alarm-limits/{stream}',
  ]);
  expect(JSON.stringify(paths['/v1/devices/{id}/alarm-pause'])).toContain('"maximum":120');
});
