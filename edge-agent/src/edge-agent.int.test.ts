import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { Validator } from '@seriousme/openapi-schema-validator';
import {
  decodeMessage,
  type EegChunk,
  encodeSampleBlock,
  type HeartRateChunk,
  type IntakeAnswer,
  type Message,
  parseTopic,
  type RecordingEnd,
  type RecordingStart,
  sampleBlockMediaType,
} from '@vitalwire/contract';
import { type Clock, createLog, type Identity, systemClock } from '@vitalwire/runtime';
import { removeTempDir, TestPki, tempDir, until } from '@vitalwire/testkit';
import { Aedes } from 'aedes';
import { Agent as HttpAgent, request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createEdgeAgent, type EdgeAgent, EdgeConfig, ensureDeviceToken, operatorTokenPath, readAgentFile } from './index.ts';

const channel = { label: 'Cz', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -200, physicalMax: 200, reference: '' };
const rate = { num: 256, den: 1 };
const startUs = 1_767_225_600_000_000;

let pki: TestPki;
let gateway: Identity;
let service: Identity;
let http: HttpAgent;
let dir: string;
let broker: Broker;
let agent: EdgeAgent;
let lines: string[];
let offsetMs: number;
let tokens: Record<string, string>;

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gateway-1');
  service = await pki.service('broker');
  http = new HttpAgent({ connect: { ca: readFileSync(pki.caPath, 'utf8') } });
});
afterAll(async () => {
  await http.close();
  pki.remove();
});
beforeEach(async () => {
  dir = tempDir('vw-edge-');
  lines = [];
  offsetMs = 0;
  tokens = {};
  for (const device of ['eeg-1', 'phone-1']) tokens[device] = (await ensureDeviceToken(join(dir, 'tokens'), device)).token;
  broker = await Broker.start();
  agent = await startAgent();
});
afterEach(async () => {
  await agent.stop();
  await broker.stop();
  removeTempDir(dir);
});

describe('EEG', () => {
  test('JSON and CBOR become the same chunks, answered with their seqs, and reach the cluster bit for bit', async () => {
    const json = await post('/v1/eeg', eeg(0, 256));
    expect(json.status).toBe(201);
    expect(json.body).toMatchObject({ accepted: 256, repeated: 0, nextSample: 256, recordings: [{ firstSeq: 0, lastSeq: 3 }] });
    const cbor = await postBlock(256, 256);
    expect(cbor.status).toBe(201);
    expect(cbor.body).toMatchObject({ accepted: 256, nextSample: 512, recordings: [{ firstSeq: 4, lastSeq: 7 }] });
    await agent.stop();
    expect(samplesOf('eeg-1')).toEqual(Array.from({ length: 512 }, (_, index) => valueAt(index)));
    expect(broker.topics.filter((topic) => topic.endsWith('/eeg'))).toHaveLength(8);
    expect(starts()).toMatchObject([
      { device: 'eeg-1', of: 'eeg', captureId: 'c1', captureFirstSample: 0, predecessor: null, channels: [channel] },
    ]);
    expect(ends()).toMatchObject([{ reason: 'stopped', lastSeq: 7, readings: 512 }]);
  });

  test('a repeat is answered and not stored; of an overlap only the new tail is', async () => {
    await post('/v1/eeg', eeg(0, 256));
    const repeat = await post('/v1/eeg', eeg(0, 256));
    expect(repeat).toMatchObject({ status: 200, body: { accepted: 0, repeated: 256, nextSample: 256, recordings: [] } });
    const overlap = await post('/v1/eeg', eeg(128, 256));
    expect(overlap).toMatchObject({ status: 201, body: { accepted: 128, repeated: 128, nextSample: 384 } });
    await agent.stop();
    expect(samplesOf('eeg-1')).toHaveLength(384);
  });

  test('one short request alone is committed within moments', async () => {
    const began = performance.now();
    expect(await post('/v1/eeg', eeg(0, 3))).toMatchObject({
      status: 201,
      body: { accepted: 3, recordings: [{ firstSeq: 0, lastSeq: 0 }] },
    });
    expect(performance.now() - began).toBeGreaterThanOrEqual(90);
    const repeatOfHeld = await Promise.all([post('/v1/eeg', eeg(3, 3)), pause(20).then(() => post('/v1/eeg', eeg(3, 3)))]);
    expect(repeatOfHeld.map(({ body }) => (body as IntakeAnswer).accepted)).toEqual([3, 0]);
    await agent.stop();
    expect(samplesOf('eeg-1')).toHaveLength(6);
  });

  test('a jump ends the recording; the next names it, and a gap says what the device left out', async () => {
    await post('/v1/eeg', eeg(0, 256));
    expect(await post('/v1/eeg', eeg(1_000, 256))).toMatchObject({ status: 201, body: { nextSample: 1_256 } });
    await agent.stop();
    const [first, second] = starts();
    expect(second).toMatchObject({ captureFirstSample: 1_000, predecessor: first?.subject });
    expect(ends()[0]).toMatchObject({ subject: first?.subject, reason: 'device-gap' });
    expect(eegChunks().filter(({ recordingId }) => recordingId === second?.subject)[0]).toMatchObject({ seq: 0, firstSample: 0 });
    expect(broker.messages.find(({ stream }) => stream === 'gap')).toMatchObject({
      subject: first?.subject,
      reason: 'device-off',
      fromUs: startUs + 1_000_000,
      toUs: startUs + Math.round((1_000 * 1e6) / 256),
    });
  });

  test('samples that were passed over are refused when they come after all, not taken for repeats, also after a restart', async () => {
    await post('/v1/eeg', eeg(1_000, 256));
    expect(await post('/v1/eeg', eeg(0, 256))).toMatchObject({ status: 409, body: { error: { code: 'SAMPLES_SKIPPED' } } });
    await agent.stop();
    agent = await startAgent();
    expect(await post('/v1/eeg', eeg(900, 200))).toMatchObject({ status: 409 });
    expect(await post('/v1/eeg', eeg(1_000, 256))).toMatchObject({ status: 200, body: { repeated: 256 } });
  });

  test('a capture that begins anew is refused with what to do, counted and shown, and stored whole under a new captureId', async () => {
    await post('/v1/eeg', eeg(0, 256));
    const anew = { ...eeg(0, 128), measuredAtUs: startUs + 90_000_000 };
    const refused = await post('/v1/eeg', anew);
    expect(refused).toMatchObject({
      status: 409,
      body: { error: { code: 'CAPTURE_RESTARTED', next: expect.stringContaining('new captureId') } },
    });
    const token = readFileSync(operatorTokenPath(dir), 'utf8').trim();
    expect((await get('/v1/status', token)).body).toMatchObject({
      problem: expect.stringMatching(/eeg-1: 1 requests were refused .*'c1'/),
    });
    const metrics = await (await request(`http://127.0.0.1:${agent.addresses()['probes']}/metrics`)).body.text();
    expect(metrics).toMatch(/intake_readings_total\{path="\/v1\/eeg",outcome="refused"\} 128/);
    expect(await post('/v1/eeg', { ...anew, captureId: 'c2' })).toMatchObject({ status: 201, body: { accepted: 128 } });
    await agent.stop();
    expect(eegChunks().reduce((sum, { samplesPerChannel }) => sum + samplesPerChannel, 0)).toBe(384);
  });

  test('another montage, rate or width begins a new recording, and so do another capture and midnight', async () => {
    await post('/v1/eeg', eeg(0, 64));
    await post('/v1/eeg', { ...eeg(64, 64), channels: [{ ...channel, physicalMax: 400 }] });
    await post('/v1/eeg', { ...eeg(128, 64), channels: [{ ...channel, physicalMax: 400 }], rate: { num: 512, den: 1 } });
    await post('/v1/eeg', { ...eeg(192, 64), channels: [{ ...channel, physicalMax: 400 }], rate: { num: 512, den: 1 }, sampleBits: 24 });
    await post('/v1/eeg', { ...eeg(0, 64), captureId: 'c2', end: true });
    await post('/v1/eeg', { ...eeg(0, 64), captureId: 'c3' });
    offsetMs = 86_400_000;
    await post('/v1/eeg', { ...eeg(64, 64), captureId: 'c3' });
    await agent.stop();
    expect(ends().map(({ reason }) => reason)).toEqual([
      'montage-changed',
      'montage-changed',
      'montage-changed',
      'capture-ended',
      'capture-ended',
      'midnight',
      'stopped',
    ]);
    const all = starts();
    for (const [index, one] of all.entries()) expect(one.predecessor).toBe(all[index - 1]?.subject ?? null);
  });

  test('after a restart a repeat is still a repeat, and the new recording says that the agent was down', async () => {
    await post('/v1/eeg', eeg(0, 256));
    await agent.stop();
    agent = await startAgent();
    expect(await post('/v1/eeg', eeg(0, 256))).toMatchObject({ status: 200, body: { repeated: 256 } });
    expect(await post('/v1/eeg', { ...eeg(256, 256), measuredAtUs: startUs + 60_000_000 })).toMatchObject({ status: 201 });
    await until(() => starts().length === 2, 10_000);
    await agent.stop();
    const [first, second] = starts();
    expect(second).toMatchObject({ captureFirstSample: 256, predecessor: first?.subject });
    expect(broker.messages.find(({ stream }) => stream === 'gap')).toMatchObject({
      reason: 'agent-down',
      fromUs: startUs + 1_000_000,
      toUs: startUs + 60_000_000,
    });
    const statuses = broker.messages.flatMap((one) => (one.stream === 'status' ? [`${one.kind} ${one.reason}`] : []));
    expect(statuses).toEqual(['birth first start', 'death stopped', 'birth start', 'death stopped']);
  });

  test('replay is marked in the start record', async () => {
    await post('/v1/eeg', { ...eeg(0, 64), replay: { speed: 4, source: 'bonn' }, source: 'Z001' });
    await agent.stop();
    expect(starts()[0]).toMatchObject({ replay: { speed: 4, source: 'bonn' }, source: 'Z001' });
  });
});

describe('heart rate and events', () => {
  test('both are stored, repeats of them once', async () => {
    const readings = Array.from({ length: 700 }, (_, index) => ({ atUs: startUs + index * 1e6, bpm: 60 + (index % 20) }));
    const body = { device: 'eeg-1', captureId: 'h', firstSample: 0, kind: 'ecg', readings };
    expect(await post('/v1/heart-rate', body)).toMatchObject({
      status: 201,
      body: { accepted: 700, recordings: [{ firstSeq: 0, lastSeq: 1 }] },
    });
    expect(await post('/v1/heart-rate', body)).toMatchObject({ status: 200, body: { repeated: 700 } });
    const event = { atUs: startUs, durationUs: 5e6, type: 'seizure', text: 'S001', source: 'bonn' };
    const events = { device: 'eeg-1', captureId: 'h', firstSample: 0, events: [event, { atUs: startUs, type: 'segment' }], end: true };
    expect(await post('/v1/events', events)).toMatchObject({ status: 201, body: { accepted: 2 } });
    const anew = readings.map(({ atUs, bpm }) => ({ atUs: atUs + 3_600e6, bpm }));
    expect(await post('/v1/heart-rate', { ...body, readings: anew })).toMatchObject({ status: 409 });
    expect(await post('/v1/events', { ...events, events: [{ ...event, text: 'S002' }] })).toMatchObject({ status: 409 });
    expect(await post('/v1/events', events)).toMatchObject({ status: 200, body: { repeated: 2 } });
    await agent.stop();
    expect(heartRates()).toEqual(readings.map((reading) => ({ ...reading, minBpm: null, maxBpm: null })));
    expect(broker.messages.find(({ stream }) => stream === 'event')).toMatchObject({
      events: [event, { atUs: startUs, durationUs: null, type: 'segment', text: '', source: '' }],
    });
  });
});

describe('what is no heart rate', () => {
  test('a code for lost contact, a negative or missing rate refuses itself alone, and keeps its place in the count', async () => {
    const rates = [60, 0, 255, -1, null, 61, 2_000, 62];
    const readings = rates.map((bpm, index) => ({ atUs: startUs + index * 1e6, bpm, minBpm: 0, maxBpm: 90 }));
    const body = { device: 'eeg-1', captureId: 'h', firstSample: 0, kind: 'optical', readings };
    const rejected = { 'not-a-reading': 2, 'out-of-range': 2, 'no-number': 1 };
    expect(await post('/v1/heart-rate', body)).toMatchObject({ status: 201, body: { accepted: 8, nextSample: 8, rejected } });
    expect(await post('/v1/heart-rate', body)).toMatchObject({ status: 200, body: { accepted: 0, repeated: 8 } });
    const other = readings.map((reading, index) => (index === 1 ? { ...reading, bpm: 59 } : reading));
    expect(await post('/v1/heart-rate', { ...body, readings: other })).toMatchObject({ status: 409 });
    const none = { ...body, firstSample: 8, readings: [{ atUs: startUs + 8e6, bpm: 0 }] };
    expect(await post('/v1/heart-rate', none)).toMatchObject({ status: 201, body: { accepted: 1, nextSample: 9, recordings: [] } });
    const next = { ...body, firstSample: 9, readings: [{ atUs: startUs + 9e6, bpm: 63 }] };
    expect(await post('/v1/heart-rate', next)).toMatchObject({ status: 201, body: { nextSample: 10 } });
    await agent.stop();
    expect(heartRates().map(({ bpm, minBpm, maxBpm }) => [bpm, minBpm, maxBpm])).toEqual([
      [60, null, 90],
      [61, null, 90],
      [62, null, 90],
      [63, null, null],
    ]);
    const places = broker.messages.flatMap((one) => (one.stream === 'heart-rate' ? [one.firstSample] : []));
    expect(places).toEqual([0, 5, 7, 9]);
    expect(starts()).toHaveLength(1);
  });
});

describe('the phone export', () => {
  const whole = phoneExport(592);

  test('a whole export, sent eight times side by side and once more, is stored once; no name leaves the body', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => postText('/v1/intake/health-auto-export', whole, 'phone-1')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.reduce((sum, { body }) => sum + (body as IntakeAnswer).accepted, 0)).toBe(592);
    await agent.stop();
    agent = await startAgent();
    expect(await postText('/v1/intake/health-auto-export', whole, 'phone-1')).toMatchObject({
      body: { accepted: 0, repeated: 592, ignoredMetrics: 26 },
    });
    await agent.stop();
    expect(heartRates()).toHaveLength(592);
    expect(new Set(heartRates().map(({ atUs }) => atUs)).size).toBe(592);
    expect(broker.messages.find((one) => one.stream === 'heart-rate')).toMatchObject({ kind: 'phone' });
    expect(`${lines.join('')}${JSON.stringify(broker.messages)}${broker.raw.join('')}`).not.toMatch(/Owner|Apple Watch/);
  });

  test('a corrected point is a new reading of the same instant; sent again it is a repeat', async () => {
    const body = (max: number): object => ({
      data: {
        metrics: [{ name: 'heart_rate', units: 'count/min', data: [{ Min: 60, Avg: 61, Max: max, date: '2024-03-14 00:02:00 -0400' }] }],
      },
    });
    const send = async (max: number): Promise<number> =>
      ((await post('/v1/intake/health-auto-export', body(max), 'phone-1')).body as IntakeAnswer).accepted;
    expect([await send(63), await send(63), await send(70), await send(70)]).toEqual([1, 0, 1, 0]);
    await agent.stop();
    expect(heartRates().map(({ maxBpm }) => maxBpm)).toEqual([63, 70]);
    expect(new Set(heartRates().map(({ atUs }) => atUs)).size).toBe(1);
  });

  test('points that cannot be used are counted by reason and do not hold up the others', async () => {
    const data = [
      { Avg: 60, date: '2024-03-14 00:02:00 -0400' },
      { Avg: 60, date: 'yesterday' },
      { Avg: 5, date: '2024-03-14 00:03:00 -0400' },
    ];
    const answer = await post(
      '/v1/intake/health-auto-export',
      { data: { metrics: [{ name: 'heart_rate', units: 'bpm', data }] } },
      'phone-1',
    );
    expect(answer).toMatchObject({ status: 200, body: { accepted: 1, rejected: { 'unreadable-date': 1, 'out-of-range': 1 } } });
  });

  test('a date that nothing can be stored under refuses one point, not the export', async () => {
    const answer = await postText(phonePath, caseOf('32-one-buddhist-year-among-30-good'), 'phone-1');
    expect(answer).toMatchObject({ status: 200, body: { accepted: 30, rejected: { 'impossible-date': 1 } } });
  });

  test('two sources at one instant are both stored, in a recording each, and are repeats when they come again', async () => {
    const answers = [];
    for (let time = 0; time < 2; time += 1) answers.push(await postText(phonePath, caseOf('13-two-sources'), 'phone-1'));
    expect(answers).toMatchObject([{ body: { accepted: 2, repeated: 0 } }, { body: { accepted: 0, repeated: 2 } }]);
    await agent.stop();
    expect(
      heartRates()
        .map(({ bpm }) => bpm)
        .toSorted(),
    ).toEqual([60, 75]);
    expect(starts().map(({ source }) => source)).toEqual([
      expect.stringMatching(/^health-auto-export\/[0-9a-f]{8}$/),
      expect.stringMatching(/^health-auto-export\/[0-9a-f]{8}$/),
    ]);
    expect(new Set(starts().map(({ source }) => source)).size).toBe(2);
  });

  test("a day's mean and a notification become events, once however often they are sent", async () => {
    for (const name of ['12-daily', '16-notification', '12-daily', '16-notification']) await postText(phonePath, caseOf(name), 'phone-1');
    await agent.stop();
    expect(heartRates()).toEqual([]);
    const events = broker.messages.flatMap((one) => (one.stream === 'event' ? one.events : []));
    expect(events.map(({ type }) => type)).toEqual(['heart-rate-summary', 'heart-rate-notification']);
  });

  test('a body that breaks off is told where, what came before is stored, and the next export goes through', async () => {
    const broken = await postText(phonePath, whole.slice(0, -10), 'phone-1');
    expect(broken).toMatchObject({ status: 400, body: { error: { message: expect.stringMatching(/no JSON: it ends at byte/) } } });
    expect(await postText(phonePath, whole, 'phone-1')).toMatchObject({ status: 200, body: { accepted: 0, repeated: 592 } });
  });

  test.each([
    ['22-metrics-object', /"metrics" is an object/],
    ['25-bare-array', /neither "data" nor "metrics"/],
    ['26-nested', /"data" inside "data"/],
  ])('%s is answered with the shape that is expected', async (name, said) => {
    const answer = await postText(phonePath, caseOf(name), 'phone-1');
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(said), next: expect.stringContaining('"metrics": [{"name": "heart_rate"') } },
    });
  });

  test('packed with gzip, of unknown length, under any of the headers an app can set: it is the same export', async () => {
    const packed = gzipSync(whole);
    const token = tokens['phone-1'] ?? '';
    const sendAs = async (headers: Record<string, string>, body: Uint8Array | string | Readable) => {
      const answer = await request(`${String(agent.addresses()['intakeUrl'])}${phonePath}`, {
        method: 'POST',
        dispatcher: http,
        headers,
        body,
      });
      return { status: answer.statusCode, body: await answer.body.json() };
    };
    expect(await sendAs({ 'x-api-key': token, 'content-type': 'application/json', 'content-encoding': 'gzip' }, packed)).toMatchObject({
      status: 200,
      body: { accepted: 592 },
    });
    const repeats = { status: 200, body: { accepted: 0, repeated: 592 } };
    expect(
      await sendAs({ 'api-key': token, 'content-type': 'application/json; charset=utf-8' }, Readable.from([Buffer.from(whole)])),
    ).toMatchObject(repeats);
    expect(await sendAs({ authorization: `Bearer ${token}` }, whole)).toMatchObject(repeats);
    expect(await sendAs({ 'x-api-key': 'x'.repeat(32), 'content-type': 'application/json' }, whole)).toMatchObject({ status: 401 });
    const text = { 'x-api-key': token, 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect(await sendAs(text, 'not packed')).toMatchObject({ status: 400 });
    expect(await sendAs({ ...text, 'content-encoding': 'br' }, packed)).toMatchObject({ status: 415 });
  });
});

describe('bad input', () => {
  const good = eeg(0, 4);
  test.each<[what: string, path: string, body: unknown, status: number, said: RegExp]>([
    ['no JSON', '/v1/eeg', '{"device":', 400, /JSON/i],
    ['an empty body', '/v1/eeg', '', 400, /./],
    ['a missing field', '/v1/eeg', { ...good, rate: undefined }, 400, /rate/],
    ['an unknown field', '/v1/eeg', { ...good, patient: 'x' }, 400, /patient/],
    ['a device that is no id', '/v1/eeg', { ...good, device: 'a/b' }, 400, /device/],
    ['the device of another token', '/v1/eeg', { ...good, device: 'eeg-2' }, 403, /another device/],
    ['a negative first sample', '/v1/eeg', { ...good, firstSample: -1 }, 400, /firstSample/],
    ['a rate of 0', '/v1/eeg', { ...good, rate: { num: 0, den: 1 } }, 400, /rate\.num/],
    ['a sample that is no integer', '/v1/eeg', { ...good, samples: [[1.5]] }, 400, /channel 0/],
    ['a sample beyond 16 bits', '/v1/eeg', { ...good, samples: [[40_000]] }, 400, /16-bit/],
    ['rows of different length', '/v1/eeg', { ...good, channels: [channel, channel], samples: [[1, 2], [1]] }, 400, /channel 1 has 1/],
    ['fewer rows than channels', '/v1/eeg', { ...good, channels: [channel, channel] }, 400, /2 channels/],
    ['no channels', '/v1/eeg', { ...good, channels: [], samples: [] }, 400, /channels/],
    ['an inverted digital range', '/v1/eeg', { ...good, channels: [{ ...channel, digitalMin: 5, digitalMax: 5 }] }, 400, /digitalMin/],
    ['a label that is too long', '/v1/eeg', { ...good, channels: [{ ...channel, label: 'x'.repeat(100) }] }, 400, /label/],
    [
      'an unknown kind of heart rate',
      '/v1/heart-rate',
      { device: 'eeg-1', captureId: 'h', firstSample: 0, kind: 'guess', readings: [] },
      400,
      /kind/,
    ],
    [
      'a heart rate that is no number',
      '/v1/heart-rate',
      { device: 'eeg-1', captureId: 'h', firstSample: 0, kind: 'ecg', readings: [{ atUs: 1, bpm: 'x' }] },
      400,
      /readings\.0\.bpm/,
    ],
    [
      'an event without a type',
      '/v1/events',
      { device: 'eeg-1', captureId: 'e', firstSample: 0, events: [{ atUs: 1 }] },
      400,
      /events\.0\.type/,
    ],
    ['an export that is an empty list', '/v1/intake/health-auto-export', [], 400, /./],
    ['an export whose metrics are no list', '/v1/intake/health-auto-export', { data: { metrics: 3 } }, 400, /metrics/],
  ])('%s is refused with what, where and what next', async (_what, path, body, status, said) => {
    const answer = await (typeof body === 'string' ? postText(path, body) : post(path, body));
    expect(answer.status).toBe(status);
    const { error } = answer.body as { error: { code: string; message: string; next: string } };
    expect(error.message).toMatch(said);
    expect(error.next.length).toBeGreaterThan(10);
    expect(await post('/v1/eeg', good)).toMatchObject({ status: 201 }); // and the next good request gets through
  });

  test.each<[string, string, string, number]>([
    ['bytes that are no sample block', sampleBlockMediaType, 'not cbor', 400],
    ['a content type nobody reads', 'text/csv', 'a,b', 415],
    ['CSV from the phone app', 'multipart/form-data; boundary=x', '--x--', 415],
    ['CSV by its own name', 'text/csv; phone', 'a,b', 415],
  ])('%s is refused', async (_what, contentType, body, status) => {
    const path = contentType.startsWith('multipart') || contentType.includes('phone') ? '/v1/intake/health-auto-export' : '/v1/eeg';
    const answer = await send(path, body, contentType, 'eeg-1');
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ error: { next: expect.stringMatching(path === '/v1/eeg' ? /./ : /choose JSON/) } });
  });

  test('a request without a token, with a wrong one, or with one of the wrong sort is refused', async () => {
    const operatorToken = readFileSync(operatorTokenPath(dir), 'utf8').trim();
    expect((await send('/v1/eeg', '{}', 'application/json', null)).status).toBe(401);
    expect((await send('/v1/eeg', '{}', 'application/json', { token: 'x'.repeat(32) })).status).toBe(401);
    expect((await send('/v1/eeg', '{}', 'application/json', { token: operatorToken })).status).toBe(403);
    expect((await get('/v1/status', tokens['eeg-1'] ?? '')).status).toBe(403);
    expect((await get('/v1/status', operatorToken)).status).toBe(200);
  });

  test('bodies that would not fit into memory together are told to wait before they are read', async () => {
    const url = new URL(String(agent.addresses()['intakeUrl']));
    const open = (): ReturnType<typeof httpsRequest> => {
      const started = httpsRequest({
        host: url.hostname,
        port: url.port,
        path: '/v1/eeg',
        method: 'POST',
        ca: readFileSync(pki.caPath),
        headers: {
          authorization: `Bearer ${tokens['eeg-1']}`,
          'content-type': 'application/json',
          'content-length': String(8 * 1024 * 1024),
        },
      });
      started.on('error', () => {});
      started.flushHeaders();
      started.write('{');
      return started;
    };
    const held = Array.from({ length: 20 }, open);
    await pause(300);
    const third = open();
    const answer = await new Promise<{ status: number; retryAfter: string | undefined }>((resolve) =>
      third.on('response', (response) => resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })),
    );
    expect(answer).toEqual({ status: 429, retryAfter: '1' });
    for (const one of [...held, third]) one.destroy();
    await until(async () => (await post('/v1/eeg', good)).status === 201); // what was given up no longer counts
  });
});

describe('operation', () => {
  test('/openapi.json is valid OpenAPI 3.1 and describes every path with its body, its answer and its parameters', async () => {
    const document = (await get('/openapi.json', '')).body as OpenApi;
    expect(await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>)).toMatchObject({ valid: true });
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, method, path, operation })),
    );
    expect(operations.map(({ name }) => name)).toContain('post /v1/intake/health-auto-export');
    for (const { name, method, path, operation } of operations.filter((one) => one.path !== '/openapi.json')) {
      expect(
        Object.values(operation.responses).some(({ content }) => content !== undefined),
        name,
      ).toBe(true);
      if (method === 'post') expect(operation.requestBody?.content['application/json'], name).toHaveProperty('schema');
      expect(path.includes('{') ? operation.parameters?.length : 0, name).toBe(path.split('{').length - 1);
    }
    expect(document.paths['/v1/eeg']?.['post']?.requestBody?.content).toHaveProperty([sampleBlockMediaType]);
  });

  test('drain closes the intake and ends the recordings, across a restart too; resume opens it again', async () => {
    const token = readFileSync(operatorTokenPath(dir), 'utf8').trim();
    await post('/v1/eeg', eeg(0, 256));
    expect((await send('/v1/drain', '{"on":true}', 'application/json', { token })).status).toBe(200);
    const refused = await post('/v1/eeg', eeg(256, 256));
    expect(refused).toMatchObject({ status: 503, retryAfter: '1', body: { error: { code: 'DRAINING' } } });
    await until(async () => ((await get('/v1/status', token)).body as { depthChunks: number }).depthChunks === 0);
    expect(ends()).toMatchObject([{ reason: 'stopped' }]);
    await agent.stop();
    agent = await startAgent(); // whoever closed it meant it to stay so
    expect(await post('/v1/eeg', eeg(256, 256))).toMatchObject({ status: 503, body: { error: { code: 'DRAINING' } } });
    expect((await get('/v1/status', token)).body).toMatchObject({ intake: { draining: true } });
    await send('/v1/drain', '{"on":false}', 'application/json', { token });
    expect(await post('/v1/eeg', eeg(256, 256))).toMatchObject({ status: 201 });
  });

  test('a second agent on the same data directory is refused in one sentence and leaves the first alone', async () => {
    await expect(startAgent()).rejects.toThrow(/another program has the outbox open/);
    expect(await readAgentFile(dir)).toMatchObject({ gateway: 'gateway-1', url: agent.addresses()['intakeUrl'] });
    expect(await post('/v1/eeg', eeg(0, 64))).toMatchObject({ status: 201 });
  });

  test('without a front door the agent takes readings in, is degraded and not unready, and delivers later', async () => {
    await agent.stop();
    const { port, url } = broker;
    await broker.stop();
    agent = await startAgent(url);
    expect(await post('/v1/eeg', eeg(0, 256))).toMatchObject({ status: 201 });
    const ready = await request(`http://127.0.0.1:${agent.addresses()['probes']}/readyz`);
    expect(ready.statusCode).toBe(200);
    expect(await ready.body.json()).toMatchObject({ status: 'degraded' });
    const metrics = await (await request(`http://127.0.0.1:${agent.addresses()['probes']}/metrics`)).body.text();
    expect(metrics).toMatch(/vitalwire_edge_outbox_pending_chunks [1-9]/);
    expect(metrics).toMatch(/vitalwire_edge_intake_readings_total\{path="\/v1\/eeg",outcome="accepted"\} 256/);
    broker = await Broker.start(port);
    await until(() => samplesOf('eeg-1').length === 256, 15_000);
  }, 30_000);
});

async function startAgent(frontDoorUrl = broker.url): Promise<EdgeAgent> {
  const config = EdgeConfig.parse({
    certPath: gateway.certPath,
    keyPath: gateway.keyPath,
    caPath: gateway.caPath,
    frontDoorUrl,
    intakePort: 0,
    dataDir: dir,
    minFreeMb: 0,
  });
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + offsetMs, nowUs: () => systemClock.nowUs() + offsetMs * 1000 };
  const log = createLog({ name: 'edge', level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const started = createEdgeAgent(config, { log, clock });
  await started.start(new AbortController().signal);
  return started;
}

function eeg(firstSample: number, count: number): object {
  return {
    device: 'eeg-1',
    captureId: 'c1',
    firstSample,
    measuredAtUs: startUs + Math.round((firstSample * 1e6) / 256),
    rate,
    channels: [channel],
    samples: [Array.from({ length: count }, (_, index) => valueAt(firstSample + index))],
  };
}

const phonePath = '/v1/intake/health-auto-export';

/** An export as the app sends it: heart rate among 26 other metrics, its name behind its points, the owner's name in each of them. */
function phoneExport(points: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const data = Array.from({ length: points }, (_, index) => ({
    source: 'Owner’s Apple Watch',
    Max: 63,
    date: `2026-11-${two(1 + Math.floor(index / 1_440))} ${two(Math.floor(index / 60) % 24)}:${two(index % 60)}:00 +0100`,
    Avg: 61.5,
    Min: 60,
  }));
  const other = (index: number): object => ({ data: [{ qty: 1, date: 'x' }], name: `metric_${index}`, units: 'count' });
  const metrics = Array.from({ length: 27 }, (_, index) =>
    index === 24 ? { data, units: 'count/min', name: 'heart_rate' } : other(index),
  );
  return JSON.stringify({ data: { metrics, workouts: [] } });
}

function caseOf(name: string): string {
  return readFileSync(new URL(`./intake/cases/${name}.json`, import.meta.url), 'utf8');
}

function valueAt(index: number): number {
  return ((index * 37) % 4_000) - 2_000;
}

function postBlock(firstSample: number, count: number): Promise<Answer> {
  const bytes = encodeSampleBlock({
    device: 'eeg-1',
    captureId: 'c1',
    firstSample,
    rate,
    channels: [channel],
    sampleBits: 16,
    samplesPerChannel: count,
    measuredAtUs: startUs + Math.round((firstSample * 1e6) / 256),
    samples: Int16Array.from({ length: count }, (_, index) => valueAt(firstSample + index)),
    replay: null,
    source: '',
    end: false,
  });
  return send('/v1/eeg', bytes, sampleBlockMediaType, 'eeg-1');
}

type OpenApi = {
  paths: Record<
    string,
    Record<
      string,
      {
        parameters?: object[];
        requestBody?: { content: Record<string, object> };
        responses: Record<string, { content?: Record<string, object> }>;
      }
    >
  >;
};
type Answer = { status: number; body: unknown; retryAfter: string | undefined };

function post(path: string, body: unknown, device = 'eeg-1'): Promise<Answer> {
  return postText(path, JSON.stringify(body), device);
}

function postText(path: string, body: string, device = 'eeg-1'): Promise<Answer> {
  return send(path, body, 'application/json', device);
}

async function send(path: string, body: string | Uint8Array, contentType: string, who: string | { token: string } | null): Promise<Answer> {
  const token = typeof who === 'string' ? tokens[who] : who?.token;
  const answer = await request(`${String(agent.addresses()['intakeUrl'])}${path}`, {
    method: 'POST',
    dispatcher: http,
    headers: { 'content-type': contentType, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    body,
  });
  const retryAfter = answer.headers['retry-after'];
  return { status: answer.statusCode, body: await answer.body.json(), retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
}

async function get(path: string, token: string): Promise<{ status: number; body: unknown }> {
  const answer = await request(`${String(agent.addresses()['intakeUrl'])}${path}`, {
    dispatcher: http,
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.statusCode, body: await answer.body.json() };
}

function starts(): RecordingStart[] {
  return broker.messages.filter((one): one is RecordingStart => one.stream === 'recording' && one.kind === 'start');
}

function ends(): RecordingEnd[] {
  return broker.messages.filter((one): one is RecordingEnd => one.stream === 'recording' && one.kind === 'end');
}

function eegChunks(): EegChunk[] {
  return broker.messages.filter((one): one is EegChunk => one.stream === 'eeg');
}

function heartRates(): HeartRateChunk['readings'][number][] {
  return broker.messages.flatMap((one) => (one.stream === 'heart-rate' ? one.readings : []));
}

/** All samples of a device in the order of its capture, from whatever recordings hold them. */
function samplesOf(device: string): number[] {
  const placed = starts()
    .filter((one) => one.device === device)
    .flatMap((one) =>
      eegChunks()
        .filter(({ recordingId }) => recordingId === one.subject)
        .map((chunk) => ({ at: one.captureFirstSample + chunk.firstSample, samples: [...chunk.samples] })),
    );
  return placed.toSorted((a, b) => a.at - b.at).flatMap(({ samples }) => samples);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A broker over TLS that acknowledges everything and keeps each identity once, as a set of committed messages would. */
class Broker {
  readonly messages: Message[] = [];
  readonly topics: string[] = [];
  readonly raw: string[] = [];
  readonly #known = new Set<string>();
  readonly #aedes: Aedes;
  readonly #server: Server;
  #stopped = false;

  private constructor(aedes: Aedes, server: Server) {
    this.#aedes = aedes;
    this.#server = server;
  }

  static async start(port = 0): Promise<Broker> {
    const aedes = await Aedes.createBroker();
    const tls = { key: readFileSync(service.keyPath), cert: readFileSync(service.certPath), ca: readFileSync(service.caPath) };
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (socket: TLSSocket) => aedes.handle(socket));
    const self = new Broker(aedes, server);
    aedes.on('clientError', () => {});
    aedes.authorizePublish = (_client, packet, done) => {
      self.#take(packet.topic, packet.payload as Buffer);
      done(null);
    };
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return self;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(topic: string, payload: Buffer): void {
    this.raw.push(topic, payload.toString('latin1'));
    const parsed = parseTopic(topic);
    if (!parsed.ok) throw new Error(parsed.reason);
    if (parsed.value.live) return;
    const decoded = decodeMessage(payload);
    if (!decoded.ok) throw new Error(decoded.reason);
    const key = `${decoded.value.recordingId} ${decoded.value.seq}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.topics.push(topic);
    this.messages.push(decoded.value);
  }
}
