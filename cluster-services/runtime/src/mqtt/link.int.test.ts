import { until } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { FreshIdentity } from '../pki.ts';
import { Link, type LinkEvents, type LinkOptions } from './link.ts';
import { common, door, identity, logged, parts, signal } from './test-bus.ts';

function started(events: Partial<LinkEvents> = {}, options: Partial<LinkOptions> = {}): Link {
  const link = new Link({ ...common, ...options }, { up: () => {}, down: () => {}, ...events });
  parts.push(link);
  void link.start(signal);
  return link;
}

describe('a link', () => {
  test('tells when a connection is there, when it is gone, and comes back on a fresh one', async () => {
    const told: string[] = [];
    const clients = new Set<unknown>();
    const up = (client: unknown) => {
      clients.add(client);
      told.push('up');
    };
    const link = started({ up, down: () => told.push('down') });
    await until(() => told.length === 1);
    link.client?.stream.destroy();
    await until(() => told.length === 3);
    expect(told).toEqual(['up', 'down', 'up']);
    expect(clients.size).toBe(2);
    expect(logged.join('')).toContain('the connection to the front door was lost');
  });

  test('says what was lost or failed to whoever wants to say it, instead of the log', async () => {
    const told: string[] = [];
    const link = started({ lost: () => told.push('lost'), failed: () => told.push('failed') });
    await until(() => link.client !== null);
    await door.close();
    await until(() => told.includes('failed'));
    expect(told[0]).toBe('lost');
    expect(logged.join('')).not.toContain('front door');
  });

  test('waits before each attempt until it is needed, and can be stopped meanwhile', async () => {
    let need = Promise.withResolvers<void>();
    let asked = 0;
    const ready = async () => {
      asked += 1;
      await need.promise;
      need = Promise.withResolvers();
    };
    const told: string[] = [];
    const link = started({ ready, lost: () => told.push('lost') });
    await until(() => asked === 1);
    expect(door.peers).toHaveLength(0);
    need.resolve();
    await until(() => link.client !== null);
    link.leave();
    link.leave();
    await until(() => asked === 2);
    expect(link.client).toBeNull();
    expect(told).toEqual([]); // nobody lost what was given up
    const stopped = link.stop();
    need.resolve();
    await stopped;
    expect(door.peers).toHaveLength(1);
  });

  test('goes on at once after it was left, as after no failure', async () => {
    const link = started({}, { reconnect: { baseMs: 3_600_000, maxMs: 3_600_000 } }); // a failure would wait for more than a minute
    await until(() => link.client !== null);
    const first = link.client;
    link.leave();
    await until(() => link.client !== null && link.client !== first);
  });

  test('asks anew at each attempt what the front door is to say for it, and shares the identity it is given', async () => {
    const shared = new FreshIdentity(identity, common.log);
    let attempt = 0;
    const will = () => {
      attempt += 1;
      return { topic: 'vw/will', payload: Buffer.from(`attempt ${attempt}`), qos: 0 as const, retain: false };
    };
    const link = started({}, { identity: shared, will });
    await until(() => link.client !== null);
    expect(shared.lastGood).not.toBeNull();
    link.client?.stream.destroy();
    await until(() => attempt === 2);
    await until(() => door.received.some(({ text }) => text === 'attempt 1'));
  });
});
