import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { formatTopic } from '@vitalwire/contract';
import { createLog, Registry, systemClock } from '@vitalwire/runtime';
import { connectPacket, publishPacket, RawMqtt, rawPacket } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { bus, Commits, ends, everything, listen, liveTopic, openDoor, pki, raw, topic, until } from './test-door.ts';

describe('a PUBACK means committed', () => {
  test('it leaves only after the commit, and the message is routed only then', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, 'vw/1/+/+/+/eeg');
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    let isAcked = false;
    const acked = gateway.publishAsync(topic, 'reading', { qos: 1 }).then(() => {
      isAcked = true;
    });
    const { delivery, resolve } = await until(() => commits.waiting.shift());
    await systemClock.sleep(150);
    expect(isAcked).toBe(false);
    expect(received).toEqual([]);
    expect(delivery).toMatchObject({
      sender: { kind: 'gateway', id: 'gw-1' },
      topicText: topic,
      topic: { gateway: 'gw-1', device: 'dev-1', stream: 'eeg', live: false },
    });
    resolve('route');
    await acked;
    await until(() => received.length === 1);
    expect(received[0]?.payload.toString()).toBe('reading');
  });

  test('what was being committed as its sender went is routed all the same, and what was kept is not', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, 'vw/1/+/+/+/eeg');
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(publishPacket(topic, Buffer.from('the last before the link broke'), 1));
    const { delivery, resolve } = await until(() => commits.waiting.shift());
    client.end();
    await until(() => delivery.isAbandoned());
    resolve('route');
    await until(() => received.length === 1);
    expect(received[0]?.payload.toString()).toBe('the last before the link broke');

    const kept = await raw(on, await pki.gateway('gw-1'));
    kept.send(publishPacket(topic, Buffer.from('nobody understands it'), 1));
    const refused = await until(() => commits.waiting.shift());
    kept.end();
    await until(() => refused.delivery.isAbandoned());
    refused.resolve('keep');
    await systemClock.sleep(150);
    expect(received).toHaveLength(1);
  });

  test('acknowledgements of a client leave in arrival order, though the commits return in another', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const client = await raw(on, await pki.gateway('gw-1'));
    for (let id = 1; id <= 20; id += 1) client.send(publishPacket(topic, Buffer.from(String(id)), id));
    await until(() => commits.waiting.length === 20);
    for (const { resolve } of commits.waiting.toReversed()) {
      expect(client.acks).toEqual([]);
      resolve('route');
    }
    await until(() => client.acks.length === 20);
    expect(client.acks).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('without a commit in time that client is dropped, after the acknowledgements it has earned; others stay', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const client = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    const other = await raw(on, await pki.gateway('gw-2'), { clientId: 'gw-2' });
    client.send(
      publishPacket(topic, Buffer.from('first'), 1),
      publishPacket(topic, Buffer.from('second'), 2),
      publishPacket(topic, Buffer.from('third'), 3),
    );
    other.send(publishPacket(formatTopic('gw-2', 'dev', 'eeg'), Buffer.from('other'), 9));
    await until(() => commits.waiting.length === 4);
    commits.waiting.find(({ delivery }) => delivery.sender.id === 'gw-2')?.resolve('route');
    const [first, second, third] = commits.waiting.filter(({ delivery }) => delivery.sender.id === 'gw-1');
    third?.resolve('route');
    first?.resolve('route');
    second?.reject(new Error('the database did not answer'));
    await client.closed();
    expect(client.acks).toEqual([1]);
    expect(second?.delivery.isAbandoned()).toBe(true);
    await until(() => other.acks.length === 1);
  });

  test('a client whose whole window is overdue is one client dropped, and one line in the log', async () => {
    const commits = new Commits();
    const registry = new Registry();
    const lines: string[] = [];
    const log = createLog({ name: 'test', level: 'warn', destination: { write: (line: string) => void lines.push(line) } });
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, registry, log });
    const gateway = await raw(on, await pki.gateway('gw-1'));
    gateway.send(...['a', 'b', 'c'].map((text, index) => publishPacket(topic, Buffer.from(text), index + 1)));
    await until(() => commits.waiting.length === 3);
    for (const { reject } of commits.waiting) reject(new Error('no commit in time'));
    await gateway.closed();
    expect(lines.filter((line) => line.includes('client dropped'))).toHaveLength(1);
    expect(await registry.metrics()).toContain('vitalwire_clients_dropped_total{reason="storage-behind"} 1');
  });

  test('what went to quarantine is acknowledged, but nobody takes it for a reading', async () => {
    const on = await openDoor({ accept: { durable: async () => 'keep', live: () => null } });
    const received = await listen(on, everything);
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    await gateway.publishAsync(topic, 'poison', { qos: 1 });
    await gateway.publishAsync(liveTopic, 'marker');
    await until(() => received.length > 0);
    expect(received.map((message) => message.payload.toString())).toEqual(['marker']);
  });

  test('at QoS 2 the PUBREC waits for the commit too', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(publishPacket(topic, Buffer.from('exactly'), 7, 0x34));
    const { resolve } = await until(() => commits.waiting.shift());
    await systemClock.sleep(100);
    expect(client.packets.map((packet) => packet.first)).toEqual([0x20]);
    resolve('route');
    await until(() => client.packets.some((packet) => packet.first === 0x50));
    client.send(rawPacket(0x62, [[0, 7]]));
    await until(() => client.packets.some((packet) => packet.first === 0x70));
  });

  test('the switch that breaks the promise does break it, so that a test for loss can prove itself', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } }, { ackBeforeCommit: true });
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    await gateway.publishAsync(topic, 'lost when the process dies now', { qos: 1 });
    expect(commits.waiting).toHaveLength(1);
  });

  test('the switch for benchmarks listens without TLS for one sender, and that sender may no more than its own', async () => {
    const on = await openDoor({}, { plainTcpAs: { kind: 'gateway', id: 'gw-1' } });
    const plainly = async (to: string): Promise<Buffer[]> => {
      const socket = connect({ host: '127.0.0.1', port: on.port });
      ends.push(() => socket.destroy());
      const answers: Buffer[] = [];
      let isClosed = false;
      socket
        .on('data', (bytes) => answers.push(bytes))
        .on('close', () => {
          isClosed = true;
        });
      socket.write(Buffer.concat([connectPacket({ clientId: to }), publishPacket(to, Buffer.from('x'), 9)]));
      await until(() => isClosed || Buffer.concat(answers).byteLength >= 8);
      return answers;
    };
    expect(Buffer.concat(await plainly(topic)).toString('hex')).toBe('2002000040020009');
    expect(Buffer.concat(await plainly(formatTopic('gw-2', 'dev-1', 'eeg'))).toString('hex')).toBe('20020000');
  });

  test('without that switch a client without TLS gets no answer', async () => {
    const on = await openDoor();
    const socket = connect({ host: '127.0.0.1', port: on.port });
    ends.push(() => socket.destroy());
    const answers: Buffer[] = [];
    socket.on('data', (bytes) => answers.push(bytes)).on('error', () => {});
    socket.write(connectPacket({ clientId: 'gw-1' }));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(answers)[0] ?? 0).not.toBe(0x20); // a TLS alert at most, never a CONNACK
  });

  test('a clean stop acknowledges what was begun and takes nothing new', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, limits: { stopWithinMs: 5_000 } });
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(publishPacket(topic, Buffer.from('begun'), 1));
    const { resolve } = await until(() => commits.waiting.shift());
    const stopped = on.stop();
    await systemClock.sleep(50);
    client.send(publishPacket(topic, Buffer.from('too late'), 2));
    await systemClock.sleep(50);
    resolve('route');
    await stopped;
    await client.closed();
    expect(client.acks).toEqual([1]);
    expect(commits.taken).toEqual(['begun']);
    await expect(RawMqtt.open(on.port, await pki.gateway('gw-1'))).rejects.toThrow();
  });
});

test('mosquitto_pub with its own certificate: exit 0 after the commit, another exit when it is refused', async () => {
  const commits = new Commits();
  const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
  const identity = await pki.gateway('gw-1');
  const publish = (to: string): Promise<number | null> => {
    const files = ['--cafile', identity.caPath, '--cert', identity.certPath, '--key', identity.keyPath];
    const args = ['-h', '127.0.0.1', '-p', String(on.port), '-V', 'mqttv311', '-q', '1', '-i', 'gw-1', ...files, '-t', to, '-m', 'chunk'];
    const child = spawn('mosquitto_pub', args, { stdio: 'ignore' });
    return new Promise((resolve, reject) => child.on('exit', resolve).on('error', reject));
  };
  const published = publish(topic);
  (await until(() => commits.waiting.shift())).resolve('route');
  expect(await published).toBe(0);
  expect(commits.taken).toEqual(['chunk']);
  expect(await publish(formatTopic('gw-2', 'dev-1', 'eeg'))).not.toBe(0);
});
