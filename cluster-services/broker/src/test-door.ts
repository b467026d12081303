import { formatTopic } from '@vitalwire/contract';
import { connectOnce, createLog, type Identity, Registry, systemClock } from '@vitalwire/runtime';
import { RawMqtt, TestPki, until as untilWithin } from '@vitalwire/testkit';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Acceptance, createFrontDoor, type Delivery, type FrontDoor, type FrontDoorOptions, type TestOnly } from './index.ts';

type Bus = Awaited<ReturnType<typeof connectOnce>>;

export const topic = formatTopic('gw-1', 'dev-1', 'eeg');
export const liveTopic = formatTopic('gw-1', 'dev-1', 'eeg', true);
/** Long enough for a busy machine: what is tested is that it happens, bounds that matter are measured. */
export function until<T>(fn: () => T | Promise<T>, what = fn.toString()): ReturnType<typeof untilWithin<T>> {
  return untilWithin(fn, { timeoutMs: 20_000, what });
}

export let pki: TestPki;
export let door: FrontDoor | null = null;
export const ends: (() => unknown)[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await door?.stop();
  door = null;
});
afterAll(() => pki.remove());

/** Commits that the test settles by hand. */
export class Commits {
  readonly waiting: { delivery: Delivery; resolve: (acceptance: Acceptance) => void; reject: (error: Error) => void }[] = [];
  readonly taken: string[] = [];

  readonly durable = (delivery: Delivery): Promise<Acceptance> => {
    this.taken.push(Buffer.from(delivery.payload).toString());
    return new Promise((resolve, reject) => this.waiting.push({ delivery, resolve, reject }));
  };
}

export async function openDoor(options: Partial<FrontDoorOptions> = {}, testOnly: TestOnly = {}): Promise<FrontDoor> {
  door = createFrontDoor(
    {
      host: '127.0.0.1',
      port: 0,
      identity: await pki.service('ingest'),
      accept: { durable: async () => 'route', live: () => null },
      hello: () => Promise.reject(new Error('not known')),
      log: createLog({ name: 'test', level: 'silent' }),
      clock: systemClock,
      registry: new Registry(),
      ...options,
      limits: { stopWithinMs: 500, ...options.limits },
    },
    testOnly,
  );
  await door.start();
  return door;
}

export async function bus(on: FrontDoor, identity: Identity, clientId: string): Promise<Bus> {
  const client = await connectOnce({ url: `mqtts://127.0.0.1:${on.port}`, identity, clientId });
  client.on('error', () => {}); // a test that ends a connection looks at `close`
  ends.push(() => client.endAsync(true));
  return client;
}

export async function raw(on: FrontDoor, identity: Identity, connecting: Parameters<RawMqtt['connect']>[0] = {}): Promise<RawMqtt> {
  const client = await RawMqtt.open(on.port, identity, pki.caPath);
  ends.push(() => client.end());
  expect(await client.connect(connecting)).toBe(0);
  return client;
}

type Received = { topic: string; payload: Buffer };
export const everything = ['vw/1/+/+/+/+', 'vw/1/+/+/+/+/live'];

export async function listen(on: FrontDoor, filter: string | string[], name = 'web'): Promise<Received[]> {
  const client = await bus(on, await pki.service(name), `${name}-sub`);
  const received: Received[] = [];
  client.on('message', (at, payload) => received.push({ topic: at, payload }));
  await client.subscribeAsync(filter);
  return received;
}
