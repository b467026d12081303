import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Alarm, checkIdentity, type EdgeWatch, type EegIntake } from '@vitalwire/contract';
import { createLog, systemClock } from '@vitalwire/runtime';
import { freePort, removeTempDir, TestPki, tempDir, testPatient, until } from '@vitalwire/testkit';
import { montage, rate, World } from '@vitalwire/testkit/prediction-world';
import { Agent as HttpAgent, request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createEdgeAgent, type EdgeAgent, EdgeConfig, ensureDeviceToken, operatorTokenPath } from '../index.ts';

const gatewayId = 'gateway-1';
const log = createLog({ name: 'watch-test', level: process.env['VW_TEST_LOG'] ?? 'silent' });
const startUs = 1_900_000_000_000_000;
const patient = await testPatient(4);
const [truth] = patient.truthUntil(600 * 174);
if (truth === undefined) throw new Error('the patient has a seizure in the first ten minutes');

let pki: TestPki;
let http: HttpAgent;
let dir: string;
let world: World;
let agent: EdgeAgent | null = null;
let deviceToken: string;

beforeAll(async () => {
  pki = await TestPki.create();
  http = new HttpAgent({ connect: { ca: readFileSync(pki.caPath, 'utf8') } });
});
afterAll(async () => {
  await http.close();
  pki.remove();
});
beforeEach(async () => {
  dir = tempDir('vw-watch-');
  world = new World(pki, '');
  world.ports.door = await freePort();
  deviceToken = (await ensureDeviceToken(join(dir, 'tokens'), 'eeg-1')).token;
});
afterEach(async () => {
  await agent?.stop();
  agent = null;
  await world.closeDoor();
  removeTempDir(dir);
});

async function startAgent(detect = true): Promise<EdgeAgent> {
  const { certPath, keyPath, caPath } = await pki.gateway(gatewayId);
  const config = EdgeConfig.parse({
    gatewayId,
    frontDoorUrl: world.doorUrl,
    certPath,
    keyPath,
    caPath,
    intakePort: 0,
    dataDir: dir,
    detect,
    drainMs: 100,
    minFreeMb: 0,
  });
  agent = createEdgeAgent(config, { log, clock: systemClock });
  await agent.start(new AbortController().signal);
  if (detect) await until(async () => (await watch()).detector.state === 'running', 20_000);
  return agent;
}

type Answer<T> = { status: number; body: T };
type Refusal = { error: { code: string; message: string; next: string } };

async function ask<T>(method: 'GET' | 'POST', path: string, body?: object, token?: string): Promise<Answer<T>> {
  const answer = await request(`${agent?.addresses()['intakeUrl']}${path}`, {
    method,
    dispatcher: http,
    headers: {
      authorization: `Bearer ${token ?? readFileSync(operatorTokenPath(dir), 'utf8').trim()}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.statusCode, body: (await answer.body.json()) as T };
}

const watch = async () => (await ask<EdgeWatch>('GET', '/v1/watch')).body;

/** Samples of the patient as a device sends them, 40 s a request. */
async function send(fromSample: number, toSample: number, captureId = 'c1'): Promise<void> {
  for (let from = fromSample; from < toSample; from += 6_960) {
    const count = Math.min(6_960, toSample - from);
    const body: EegIntake = {
      device: 'eeg-1',
      captureId,
      firstSample: from,
      measuredAtUs: Math.round(startUs + (from * 1e8) / 17361),
      rate,
      channels: montage.map((scale) => ({ ...scale })),
      sampleBits: 16,
      samples: [[...patient.samplesAt(from, count)]],
    };
    expect((await ask('POST', '/v1/eeg', body, deviceToken)).status).toBe(201);
  }
}

const sentAlarms = (): Alarm[] =>
  [...world.rows.values()].flatMap((rows) => [...rows.values()].flatMap(({ message }) => (message.stream === 'alarm' ? [message] : [])));

const intoSeizure = truth.fromSample + 15 * 174;

test('cut off from the cluster, a gateway shows vitals and raises the alarm itself, and somebody can acknowledge it there', async () => {
  await startAgent();
  await send(0, intoSeizure);
  const seen = await until(async () => {
    const now = await watch();
    return now.alarms.length > 0 && now;
  }, 10_000);
  const [alarm] = seen.alarms;
  expect(alarm).toMatchObject({ device: 'eeg-1', condition: 'seizure', priority: 'high', state: 'active', senders: [gatewayId] });
  const onsetUs = startUs + (truth.fromSample * 1e8) / 17361;
  expect(Math.abs((alarm?.onsetUs ?? 0) - onsetUs)).toBeLessThan(8_000_000);
  expect(seen).toMatchObject({ gateway: gatewayId, online: false, devices: [{ device: 'eeg-1', eeg: { channels: 1, open: true } }] });
  expect(seen.devices[0]?.detection?.probability).toBeGreaterThan(0.5);
  const answered = await ask<EdgeWatch>('POST', `/v1/alarms/${alarm?.alarmId}/acknowledge`, { by: 'nurse-7' });
  expect(answered.body.alarms[0]).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'nurse-7' });
});

test('its alarms reach the cluster when the link is back, each line once, in its own name', async () => {
  await startAgent();
  await send(0, intoSeizure);
  await until(async () => (await watch()).alarms.length > 0, 10_000);
  await world.openDoor();
  await until(() => sentAlarms().length > 0, 20_000);
  const lines = sentAlarms().sort((a, b) => a.seq - b.seq);
  expect(lines[0]).toMatchObject({ seq: 0, sender: gatewayId, device: 'eeg-1', condition: 'seizure', transition: 'raised' });
  for (const line of lines) expect(checkIdentity(line, gatewayId)).toEqual({ ok: true });
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index));
  expect(world.conflicts).toBe(0);
});

test('a seizure across a restart of the agent is one alarm, and numbers go on', async () => {
  await world.openDoor();
  await startAgent();
  await send(0, intoSeizure);
  await until(async () => (await watch()).alarms.length === 1, 10_000);
  await agent?.stop();
  await startAgent();
  const [alarm] = (await watch()).alarms;
  // The agent ended the recording as it stopped: nothing seizes on, and somebody still has to see to the alarm.
  expect(alarm).toMatchObject({ condition: 'seizure', state: 'latched' });
  await send(intoSeizure, intoSeizure + 8 * 870);
  await until(async () => (await watch()).devices[0]?.detection != null, 10_000);
  await until(async () => (await watch()).devices[0]?.detection?.verdict !== 'calibrating', 10_000);
  expect((await watch()).alarms.map(({ alarmId }) => alarmId)).toEqual([alarm?.alarmId]);
  await agent?.stop();
  const lines = sentAlarms().sort((a, b) => a.seq - b.seq);
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index));
  expect(lines.filter(({ transition }) => transition === 'raised')).toHaveLength(1);
});

test('the intake never waits for the watch', async () => {
  await startAgent();
  await send(0, 870);
  // Ten minutes at once: some seconds of work for the watch.
  const block: EegIntake = {
    device: 'eeg-1',
    captureId: 'c2',
    firstSample: 0,
    measuredAtUs: startUs,
    rate,
    channels: Array.from({ length: 16 }, (_, index) => ({ ...(montage[0] as (typeof montage)[number]), label: `E${index}` })),
    sampleBits: 16,
    samples: Array.from({ length: 16 }, () => [...patient.samplesAt(0, 30 * 174)]),
  };
  for (let part = 0; part < 10; part++)
    expect((await ask('POST', '/v1/eeg', { ...block, firstSample: part * 30 * 174 }, deviceToken)).status).toBe(201);
  const beganMs = performance.now();
  await send(870, 900, 'c3');
  expect(performance.now() - beganMs).toBeLessThan(1_500);
});

test('bad questions are refused with a reason and what to do next', async () => {
  await startAgent();
  const refused = [
    ['GET', '/v1/watch', undefined, deviceToken, 403, 'NOT_THE_OPERATOR'],
    ['POST', '/v1/alarms/0123456789abcdef/acknowledge', { by: 'nurse-7' }, deviceToken, 403, 'NOT_THE_OPERATOR'],
    ['POST', '/v1/alarms/0123456789abcdef/acknowledge', { by: 'nurse-7' }, undefined, 404, 'NO_ALARM'],
    ['POST', '/v1/alarms/none/acknowledge', { by: 'nurse-7' }, undefined, 400, 'INVALID_REQUEST'],
    ['POST', '/v1/alarms/0123456789abcdef/acknowledge', { by: ' ' }, undefined, 400, 'INVALID_REQUEST'],
  ] as const;
  for (const [method, path, body, token, status, code] of refused) {
    const answer = await ask<Refusal>(method, path, body, token);
    expect([path, answer.status, answer.body.error.code]).toEqual([path, status, code]);
    expect(answer.body.error.next).not.toBe('');
  }
});

test('an agent that does not detect says so, and how to change it', async () => {
  await startAgent(false);
  const answer = await ask<Refusal>('GET', '/v1/watch');
  expect(answer).toMatchObject({ status: 409, body: { error: { code: 'DETECT_OFF', next: expect.stringContaining('--detect') } } });
});
