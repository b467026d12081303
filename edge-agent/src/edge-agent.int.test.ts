import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { decodeMessage, type Message, parseTopic } from '@vitalwire/contract';
import { createLog, HttpClient, type Identity, systemClock } from '@vitalwire/runtime';
import { removeTempDir, TestPki, tempDir, until } from '@vitalwire/testkit';
import { Aedes } from 'aedes';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createEdgeAgent, EdgeConfig } from './index.ts';

let pki: TestPki;
let gateway: Identity;
let service: Identity;

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gateway-1');
  service = await pki.service('broker');
});
afterAll(() => pki.remove());

test('a block of EEG is committed, sent and acknowledged', async () => {
  const broker = await startBroker();
  const dir = tempDir('vw-edge-');
  const config = EdgeConfig.parse({
    certPath: gateway.certPath,
    keyPath: gateway.keyPath,
    caPath: gateway.caPath,
    frontDoorUrl: broker.url,
    intakePort: 0,
    dataDir: dir,
    logLevel: 'warn',
  });
  mkdirSync(join(dir, 'tokens'));
  writeFileSync(join(dir, 'tokens', 'eeg-1'), 'a-token-of-the-device');
  const agent = createEdgeAgent(config, { log: createLog({ name: 'edge', level: 'warn' }), clock: systemClock });
  await agent.start(new AbortController().signal);
  try {
    const answer = await fetchJson(String(agent.addresses()['intakeUrl']), 'a-token-of-the-device', '/v1/eeg', eeg(0, 256));
    console.log(answer);
    await until(() => broker.messages.length >= 3);
    console.log(broker.messages.map((m) => m.stream));
  } finally {
    await agent.stop();
    await broker.stop();
    removeTempDir(dir);
  }
  console.log(broker.messages.map((m) => [m.stream, m.seq, 'kind' in m ? m.kind : '']));
});

function eeg(firstSample: number, count: number): object {
  return {
    device: 'eeg-1',
    captureId: 'c1',
    firstSample,
    measuredAtUs: 1_700_000_000_000_000 + Math.round((firstSample * 1e6) / 256),
    rate: { num: 256, den: 1 },
    channels: [{ label: 'Cz', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -200, physicalMax: 200 }],
    samples: [Array.from({ length: count }, (_, i) => (firstSample + i) % 1000)],
  };
}

async function fetchJson(url: string, token: string, path: string, body: object): Promise<unknown> {
  const client = new HttpClient({ baseUrl: url, token, caPath: pki.caPath, timeoutMs: 5000 });
  const { z } = await import('zod');
  try {
    return await client.postJson(path, body, z.unknown());
  } finally {
    await client.close();
  }
}

async function startBroker() {
  const messages: Message[] = [];
  const aedes = await Aedes.createBroker();
  aedes.authorizePublish = (_client, packet, done) => {
    const topic = parseTopic(packet.topic);
    if (topic.ok && !topic.value.live) {
      const decoded = decodeMessage(packet.payload as Buffer);
      if (decoded.ok) messages.push(decoded.value);
    }
    done(null);
  };
  const server: Server = createServer(
    {
      key: readFileSync(service.keyPath),
      cert: readFileSync(service.certPath),
      ca: readFileSync(service.caPath),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (socket: TLSSocket) => aedes.handle(socket),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    messages,
    url: `mqtts://127.0.0.1:${port}`,
    stop: async () => {
      await new Promise<void>((r) => aedes.close(() => r()));
      server.close();
    },
  };
}
