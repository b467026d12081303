import { commandTopic, decodeHello, decodeLiveStatus, encodeLiveStatus, formatTopic, newRecordingId } from '@vitalwire/contract';
import { systemClock } from '@vitalwire/runtime';
import { publishPacket, subscribePacket } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import type { FrontDoor, PresenceChange } from './index.ts';
import { bus, Commits, ends, openDoor, pki, raw, until } from './test-door.ts';

const quietStatus = {
  stream: 'live-status',
  gateway: 'gw-1',
  online: true,
  version: '0.1.0',
  depthChunks: 0,
  depthBytes: 0,
  oldestAgeMs: null,
  lastPubackUs: null,
  chunksPerSecondIn: 0,
  chunksPerSecondOut: 0,
  secondsUntilFull: null,
  certificateDaysLeft: null,
  clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
  measuredAtUs: 1_764_000_000_000_000,
} as const;

describe('what the front door says itself', () => {
  test('Hello after a subscription to the commands, once the generation is known, and again when it changes', async () => {
    let generation: string | null = null;
    const on = await openDoor({
      hello: async () => {
        if (generation === null) throw new Error('not known');
        return { generation, nowUs: systemClock.nowUs(), version: '0.1.0' };
      },
    });
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    const heard: unknown[] = [];
    gateway.on('message', (at, payload) => heard.push([at, decodeHello(payload)]));
    await gateway.subscribeAsync(commandTopic('gw-1'));
    await systemClock.sleep(100);
    expect(heard).toEqual([]);
    generation = '0198c0de-0000-7000-8000-000000000001';
    await until(() => heard.length === 1);
    expect(heard[0]).toMatchObject([commandTopic('gw-1'), { ok: true, value: { generation } }]);
    generation = '0198c0de-0000-7000-8000-000000000002';
    on.announce();
    await until(() => heard.length === 2);
    expect(heard[1]).toMatchObject([commandTopic('gw-1'), { ok: true, value: { generation } }]);
  });

  test('that a gateway is offline, with what it last said, after twice its keepalive', async () => {
    const changes: PresenceChange[] = [];
    const on = await openDoor({ limits: { minKeepaliveS: 2, maxKeepaliveS: 2 }, onPresence: (change) => changes.push(change) });
    const received = await listenRaw(on, 'vw/1/+/gw-1/gw-1/status/live');
    const gateway = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1', keepaliveS: 2 });
    await until(() => changes.length === 1);
    const session = newRecordingId('gw-1', systemClock.nowMs(), crypto.getRandomValues(new Uint8Array(6)));
    const status = {
      stream: 'live-status',
      gateway: 'gw-1',
      session,
      online: true,
      version: '0.1.0',
      depthChunks: 17,
      depthBytes: 1_700,
      oldestAgeMs: 5,
      lastPubackUs: null,
      chunksPerSecondIn: 4,
      chunksPerSecondOut: 4,
      secondsUntilFull: null,
      certificateDaysLeft: 90,
      clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
      measuredAtUs: systemClock.nowUs(),
    } as const;
    gateway.send(publishPacket(formatTopic('gw-1', 'gw-1', 'status', true), encodeLiveStatus(status), null));
    await until(() => received().length === 1);
    gateway.end();
    const endedMs = performance.now();
    await until(() => changes.length === 2);
    expect(performance.now() - endedMs).toBeGreaterThan(3_800);
    await until(() => received().length === 2);
    const last = decodeLiveStatus(received()[1] ?? new Uint8Array());
    expect(last).toMatchObject({
      ok: true,
      value: { gateway: 'gw-1', session, online: false, depthChunks: 17, clock: { source: 'front-door' } },
    });
  });

  test('two agents with one identity hear of their rival; one that was started again is none', async () => {
    const hello = async () => ({ generation: '0198c0de-0000-7000-8000-000000000001', nowUs: systemClock.nowUs(), version: '0.1.0' });
    const statuses: string[] = [];
    const on = await openDoor({
      hello,
      accept: {
        durable: async () => 'route',
        live: ({ payload }) => {
          statuses.push(Buffer.from(payload.subarray(0, 16)).toString('hex'));
          return null;
        },
      },
    });
    const identity = await pki.gateway('gw-1');
    /** Connects as one of the two, says who it is, and returns whether its greeting named a rival. */
    const turn = async (session: string): Promise<boolean> => {
      const client = await bus(on, identity, 'gw-1');
      const greeting = new Promise<Buffer>((resolve) => client.once('message', (_at, payload) => resolve(payload)));
      await client.subscribeAsync(commandTopic('gw-1'));
      const greeted = decodeHello(await greeting);
      const before = statuses.length;
      await client.publishAsync(formatTopic('gw-1', 'gw-1', 'status', true), Buffer.from(encodeLiveStatus({ ...quietStatus, session })));
      await until(() => statuses.length > before);
      return greeted.ok && greeted.value.rival === true;
    };
    const [first = '', second = ''] = [1, 2].map((number) => newRecordingId('gw-1', systemClock.nowMs(), new Uint8Array(6).fill(number)));
    expect([await turn(first), await turn(first), await turn(second), await turn(second)]).toEqual([false, false, false, false]);
    expect([await turn(first), await turn(second)]).toEqual([false, true]);
  });

  test('a will counts only when its gateway stays away', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, limits: { minKeepaliveS: 2, maxKeepaliveS: 2 } });
    const will = { topic: formatTopic('gw-1', 'gw-1', 'status'), payload: Buffer.from('gone'), qos: 1 };
    const identity = await pki.gateway('gw-1');
    (await raw(on, identity, { clientId: 'gw-1', keepaliveS: 2, will })).end();
    await systemClock.sleep(500);
    const back = await raw(on, identity, { clientId: 'gw-1', keepaliveS: 2 });
    const pinging = setInterval(() => back.send([0xc0, 0]), 300);
    ends.push(() => clearInterval(pinging));
    await systemClock.sleep(4_500);
    expect(commits.taken).toEqual([]);
    const again = await raw(on, identity, { clientId: 'gw-1-x', keepaliveS: 2, will });
    clearInterval(pinging);
    back.send([0xe0, 0]);
    again.end();
    await until(() => commits.taken.length === 1);
    expect(commits.taken).toEqual(['gone']);
  });

  test('a client that says DISCONNECT leaves no will, and neither does a front door that stops', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, limits: { minKeepaliveS: 2, maxKeepaliveS: 2 } });
    const will = { topic: formatTopic('gw-1', 'gw-1', 'status'), payload: Buffer.from('gone'), qos: 1 };
    const polite = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1', keepaliveS: 2, will });
    polite.send([0xe0, 0]);
    await polite.closed();
    await systemClock.sleep(4_300);
    expect(commits.taken).toEqual([]);
    await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1', keepaliveS: 2, will });
    await on.stop();
    await systemClock.sleep(4_300);
    expect(commits.taken).toEqual([]);
  });
});

/** A service that listens with a keepalive no library offers, and keeps itself alive. */
async function listenRaw(on: FrontDoor, filter: string): Promise<() => Buffer[]> {
  const client = await raw(on, await pki.service('web'), { clientId: 'web-sub', keepaliveS: 2 });
  const pinging = setInterval(() => client.send([0xc0, 0]), 300);
  ends.push(() => clearInterval(pinging));
  client.send(subscribePacket(1, filter));
  await until(() => client.packets.some((packet) => packet.first === 0x90));
  return () =>
    client.packets.filter((packet) => packet.first === 0x30).map((packet) => packet.body.subarray(2 + packet.body.readUInt16BE(0)));
}
