import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { FaultProxy, TestPki, until, VirtualClock } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../clock.ts';
import { DurablePublisher, type DurablePublisherOptions } from './durable-publisher.ts';
import { bytes, common, door, logged, parts, pki, signal } from './test-bus.ts';

describe('a durable publisher', () => {
  test('says a message is published when it is acknowledged, not when it is sent', async () => {
    const release = Promise.withResolvers<void>();
    door.hold = () => release.promise;
    const sender = await publisher();
    let done = false;
    const publishing = sender.publish('data/1', bytes('one')).then(() => {
      done = true;
    });
    await until(() => door.outstanding === 1);
    await systemClock.sleep(50);
    expect(done).toBe(false);
    release.resolve();
    await publishing;
    expect(sender.pending).toEqual({ packets: 0, bytes: 0 });
  });

  test('loses nothing and keeps the order through connections that are cut again and again', async () => {
    const proxy = await FaultProxy.start(door.port);
    door.hold = () => systemClock.sleep(Math.random() * 4);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}` });
    const names = Array.from({ length: 1_500 }, (_item, index) => `m${index}`);
    const publishing = Promise.all(names.map((name) => sender.publish('data/1', bytes(name))));
    for (let cuts = 1; cuts <= 6; cuts += 1) {
      await until(() => sender.pending.packets < 1_500 - cuts * 150, 20_000);
      proxy.cut();
    }
    await publishing;
    expect([...new Set(door.arrived)]).toEqual(names);
    expect(new Set(door.received.map(({ text }) => text)).size).toBe(names.length);
    expect(proxy.accepted).toBeGreaterThan(6);
    await sender.stop();
    await proxy.close();
  });

  test('begins again at the oldest unacknowledged message, in order', async () => {
    const proxy = await FaultProxy.start(door.port);
    const never = new Promise<void>(() => {});
    door.hold = () => never;
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}` });
    const publishing = Promise.all(['a', 'b', 'c'].map((name) => sender.publish('data/1', bytes(name))));
    await until(() => door.outstanding === 3);
    door.hold = null;
    proxy.cut();
    await publishing;
    expect(door.received.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    await sender.stop();
    await proxy.close();
  });

  test.each([
    ['64 packets', 100, 64],
    ['256 KiB', 40 * 1024, 6],
  ])('has at most %s unacknowledged on the way', async (_what, size, most) => {
    const release = Promise.withResolvers<void>();
    door.hold = () => release.promise;
    const sender = await publisher();
    const publishing = Promise.all(Array.from({ length: 100 }, () => sender.publish('data/1', new Uint8Array(size))));
    await until(() => door.outstanding > 0);
    await systemClock.sleep(100);
    expect(door.mostOutstanding).toBeLessThanOrEqual(most);
    release.resolve();
    await publishing;
    expect(door.mostOutstanding).toBeLessThanOrEqual(most);
    expect(door.mostOutstandingBytes).toBeLessThanOrEqual(256 * 1024);
  });

  test('sends a message larger than the byte window by itself', async () => {
    const sender = await publisher({ windowBytes: 10 });
    await Promise.all(['much too large', 'so is this one'].map((text) => sender.publish('data/1', bytes(text))));
    expect(door.received).toHaveLength(2);
  });

  test('holds a bounded number of messages and bytes while nobody is there, and says so', async () => {
    await door.close();
    const byCount = await publisher({ queueLimit: 2 });
    const kept = [byCount.publish('data/1', bytes('a')), byCount.publish('data/1', bytes('b'))];
    await expect(byCount.publish('data/1', bytes('c'))).rejects.toMatchObject({ code: 'QUEUE_FULL', retry: true });
    const byBytes = await publisher({ queueBytes: 10 });
    kept.push(byBytes.publish('data/1', new Uint8Array(8)));
    await expect(byBytes.publish('data/1', new Uint8Array(3))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await door.open();
    await Promise.all(kept);
  });

  test('connects again and sends everything again when no acknowledgement comes for 30 s', async () => {
    const clock = new VirtualClock();
    const never = new Promise<void>(() => {});
    door.hold = () => never;
    const sender = await publisher({ clock });
    const publishing = sender.publish('data/1', bytes('a'));
    await until(() => door.outstanding === 1);
    door.hold = null;
    await clock.advance(29_999);
    expect(sender.connected).toBe(true);
    await clock.advance(1);
    await until(() => !sender.connected);
    await until(async () => {
      await clock.advance(1_000);
      return sender.connected;
    });
    await publishing;
  });

  test('waits 250 ms, 500 ms, 1 s and then 2 s (times chance) while nobody is there: screens wait for it', async () => {
    await door.close();
    const { clock, sleeps } = impatientClock();
    await publisher({ clock, random: () => 1 });
    await until(() => sleeps.length >= 9);
    expect(sleeps.slice(0, 9)).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000]);
  });

  test('counts a kick right after the CONNACK as a failure', async () => {
    door.kickAfterConnack();
    const { clock, sleeps } = impatientClock();
    await publisher({ clock, random: () => 1 });
    await until(() => sleeps.length >= 5);
    expect(sleeps.slice(0, 5)).toEqual([250, 500, 1_000, 2_000, 2_000]);
  });

  test('at its stop waits for what is on the way, then tells what was not acknowledged', async () => {
    const slow = Promise.withResolvers<void>();
    const never = new Promise<void>(() => {});
    door.hold = (packet) => (packet.payload.toString() === 'slow' ? slow.promise : never);
    const sender = await publisher({ drainMs: 300 });
    const first = sender.publish('data/1', bytes('slow'));
    const second = sender.publish('data/1', bytes('lost')).catch((error: unknown) => error);
    await until(() => door.outstanding === 2);
    const stopping = sender.stop();
    setTimeout(() => slow.resolve(), 50);
    await first;
    await stopping;
    expect(await second).toMatchObject({ code: 'STOPPED', retry: true });
    await expect(sender.publish('data/1', bytes('late'))).rejects.toMatchObject({ code: 'STOPPED' });
    await sender.stop();
  });

  test('stops soon even when the network is stalled', async () => {
    const proxy = await FaultProxy.start(door.port);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}` });
    await until(() => sender.connected);
    proxy.stall();
    const beganMs = performance.now();
    await sender.stop();
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    await proxy.close();
  });

  test('live messages have a connection of their own and flow while every durable one is held', async () => {
    const never = new Promise<void>(() => {});
    door.hold = () => never;
    const sender = await publisher({ liveClientId: undefined as never });
    const held = Array.from({ length: 100 }, () => sender.publish('data/1', new Uint8Array(8_000)).catch(() => {}));
    await until(() => door.outstanding > 10 && door.peers.length === 2);
    await until(() => {
      sender.publishLive('data/1/live', bytes('now'));
      return door.received.some(({ text, qos, client }) => text === 'now' && qos === 0 && client === 'prediction-live');
    });
    await sender.stop();
    await Promise.all(held);
  });

  test('live messages are dropped and counted while offline, never kept', async () => {
    await door.close();
    const sender = await publisher({ liveClientId: 'prediction-live' });
    sender.publishLive('data/1/live', bytes('stale'));
    expect(sender.liveDropped).toBe(1);
    await door.open();
    await until(() => sender.connected && door.peers.length === 2);
    await sender.publish('data/1', bytes('fresh'));
    expect(door.received.map(({ text }) => text)).toEqual(['fresh']);
  });

  test('live messages are dropped, not piled up, when their connection does not keep up', async () => {
    const proxy = await FaultProxy.start(door.port);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}`, liveClientId: 'prediction-live' });
    await until(() => {
      sender.publishLive('data/1/live', bytes('x'));
      return door.received.length > 0;
    });
    proxy.stall();
    const before = sender.liveDropped;
    for (let i = 0; i < 1_000; i += 1) {
      sender.publishLive('data/1/live', new Uint8Array(40_000));
      if (i % 50 === 0) await systemClock.sleep(1);
    }
    expect(sender.liveDropped - before).toBeGreaterThan(500); // the system's own socket buffers take a few MB
    await sender.stop();
    await proxy.close();
  });

  test('uses a renewed certificate at the next connection, and the last good one while the new file is half written', async () => {
    const own = await pki.service('renewing');
    const other = await (await TestPki.create()).service('renewing'); // only to have other bytes
    const paths = { certPath: `${own.certPath}.live`, keyPath: `${own.keyPath}.live`, caPath: own.caPath };
    await copyFile(own.certPath, paths.certPath);
    await copyFile(own.keyPath, paths.keyPath);
    const proxy = await FaultProxy.start(door.port);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}`, identity: paths });
    await until(() => sender.connected);
    const again = async (): Promise<string | undefined> => {
      const before = door.peers.length;
      proxy.cut();
      await until(() => door.peers.length > before && sender.connected);
      return door.peers.at(-1);
    };
    const first = door.peers.at(-1);
    writeFileSync(paths.certPath, readFileSync(other.certPath).subarray(0, 300));
    expect(await again()).toBe(first);
    expect(logged.join('')).toContain('keeping the certificate in use');
    const renewed = await pki.pki.issue('renewing', { kind: 'service' });
    await copyFile(renewed.certPath, paths.certPath);
    await copyFile(renewed.keyPath, paths.keyPath);
    expect(await again()).not.toBe(first);
    await sender.stop();
    await proxy.close();
  });
});

async function publisher(options: Partial<DurablePublisherOptions> = {}): Promise<DurablePublisher> {
  const made = new DurablePublisher({ ...common, liveClientId: null, drainMs: 100, ...options });
  parts.push(made);
  await made.start(signal);
  return made;
}

// A clock whose sleeps are short, and are written down.
function impatientClock(): { clock: Clock; sleeps: number[] } {
  const sleeps: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, stop) => {
      sleeps.push(ms);
      return systemClock.sleep(1, stop);
    },
  };
  return { clock, sleeps };
}
