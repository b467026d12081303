import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandTopic, formatTopic } from '@vitalwire/contract';
import { type Identity, Pki } from '@vitalwire/runtime';
import { publishPacket, RawMqtt, removeTempDir, subscribePacket, TestPki, tempDir } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { bus, Commits, ends, everything, listen, liveTopic, openDoor, pki, raw, topic, until } from './test-door.ts';

describe('a certificate decides who one is and what one may', () => {
  test('no certificate, one of another authority, or one without a kind gets nowhere', async () => {
    const on = await openDoor();
    const elsewhere = await TestPki.create();
    ends.push(() => elsewhere.remove());
    const strangers: Parameters<typeof RawMqtt.open>[1][] = [null, { ...(await elsewhere.gateway('gw-1')), caPath: pki.caPath }];
    for (const stranger of strangers) {
      const attempt = RawMqtt.open(on.port, stranger, pki.caPath).then(async (client) => {
        client.send([0x10, 0]);
        await client.closed();
        expect(client.packets).toEqual([]);
      });
      await attempt.catch(() => {}); // refused during the handshake or right behind it: TLS 1.3 tells the client late
    }
    expect(on.openConnections).toBe(0);
  });

  test('a connection ends with its certificate, and the expired one makes no other', async () => {
    const on = await openDoor();
    const identity = await pki.pki.issue('gw-short', { kind: 'gateway', days: 3_605 / 86_400 });
    const client = await bus(on, identity, 'gw-short');
    await new Promise<void>((resolve) => client.once('close', () => resolve()));
    await until(() => on.openConnections === 0);
    await expect(bus(on, identity, 'gw-short')).rejects.toThrow(/front door/i);
  });

  test('a forbidden publish ends its connection and is neither committed nor routed', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, everything);
    const wrongShard = topic.replace(/^vw\/1\/\d\d/, `vw/1/${String((Number(topic.slice(5, 7)) + 1) % 64).padStart(2, '0')}`);
    const forbidden: [string, string, Buffer][] = [
      ['another gateway', 'gw-1', publishPacket(formatTopic('gw-2', 'dev-1', 'eeg'), Buffer.from('x'), 1)],
      ['another shard', 'gw-1', publishPacket(wrongShard, Buffer.from('x'), 1)],
      ['QoS 0 on a durable topic', 'gw-1', publishPacket(topic, Buffer.from('x'), null)],
      ['QoS 1 on a live topic', 'gw-1', publishPacket(liveTopic, Buffer.from('x'), 1)],
      ['retain', 'gw-1', publishPacket(topic, Buffer.from('x'), 1, 0x33)],
      ['the status of a device', 'gw-1', publishPacket(formatTopic('gw-1', 'dev-1', 'status'), Buffer.from('x'), 1)],
      ['its own commands', 'gw-1', publishPacket(commandTopic('gw-1'), Buffer.from('x'), 1)],
      ['$SYS', 'gw-1', publishPacket('$SYS/x/new/clients', Buffer.from('x'), 1)],
      ['data from a service', 'web', publishPacket(topic, Buffer.from('x'), 1)],
      ['eeg from prediction', 'prediction', publishPacket(topic, Buffer.from('x'), 1)],
    ];
    for (const [what, who, bytes] of forbidden) {
      const client = await raw(on, who === 'gw-1' ? await pki.gateway(who) : await pki.service(who), { clientId: `${who}-x` });
      client.send(bytes);
      await until(() => client.isClosed, what);
      expect(client.acks, what).toEqual([]);
    }
    expect(commits.taken).toEqual([]);
    expect(received).toEqual([]);
  });

  test('prediction publishes detections of any gateway', async () => {
    const on = await openDoor();
    const received = await listen(on, 'vw/1/+/+/+/detection');
    const prediction = await bus(on, await pki.service('prediction'), 'prediction-pub');
    await prediction.publishAsync(formatTopic('gw-9', 'dev-1', 'detection'), 'd', { qos: 1 });
    await until(() => received.length === 1);
  });

  test('nobody can end a stranger: neither through $SYS nor by taking its client id', async () => {
    const on = await openDoor();
    const victim = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    const foe = await pki.gateway('gw-2');
    for (const name of ['gw-1', 'gateway:gw-1/gw-1']) {
      const attacker = await raw(on, foe, { clientId: `gw-2-${name.length}` });
      attacker.send(publishPacket('$SYS/x/new/clients', Buffer.from(name), null));
      await attacker.closed();
      await raw(on, foe, { clientId: name });
    }
    victim.send(publishPacket(topic, Buffer.from('still here'), 1));
    await until(() => victim.acks.length === 1);
  });

  test('the same certificate and client id take over their half-open predecessor', async () => {
    const on = await openDoor();
    const before = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    await before.closed();
  });

  test('a gateway that asks for data hears 0x80, and stays connected', async () => {
    const on = await openDoor();
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(subscribePacket(1, 'vw/1/#'), subscribePacket(2, commandTopic('gw-1')), subscribePacket(3, '$SYS/#'));
    await until(() => client.packets.filter((packet) => packet.first === 0x90).length === 3);
    const granted = client.packets
      .filter((packet) => packet.first === 0x90)
      .map((packet) => [packet.body.readUInt16BE(0), packet.body.readUInt8(2)]);
    expect(granted.toSorted()).toEqual([
      [1, 0x80],
      [2, 0],
      [3, 0x80],
    ]);
  });

  test('a new certificate of the front door is used without a restart, and an unusable one is not', async () => {
    const dir = tempDir('vw-door-');
    ends.push(() => removeTempDir(dir));
    const files = { certPath: join(dir, 'cert.pem'), keyPath: join(dir, 'key.pem'), caPath: pki.caPath };
    const use = (identity: Identity): void => {
      copyFileSync(identity.certPath, files.certPath);
      copyFileSync(identity.keyPath, files.keyPath);
    };
    use(await pki.service('ingest'));
    const on = await openDoor({ identity: files });
    const serial = async (): Promise<string> => (await raw(on, await pki.gateway('gw-1'))).socket.getPeerCertificate().serialNumber;
    const first = await serial();
    copyFileSync((await pki.gateway('gw-1')).keyPath, files.keyPath);
    await expect(on.reloadIdentity()).rejects.toThrow();
    expect(await serial()).toBe(first);
    use(await (await Pki.open(pki.dir)).issue('ingest', { kind: 'service' }));
    await on.reloadIdentity();
    expect(await serial()).not.toBe(first);
  });
});
