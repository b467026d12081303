import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { numericFacts, numericStreams, sampleBlockMediaType } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { operatorTokenPath } from './index.ts';
import {
  agent,
  broker,
  channel,
  dir,
  eeg,
  get,
  heartRates,
  pause,
  pki,
  post,
  postText,
  send,
  starts,
  startUs,
  tokens,
} from './test-agent.ts';

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
    expect(heartRates().map(({ value, least, most }) => [value, least, most])).toEqual([
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

describe('numeric vitals', () => {
  test.each(numericStreams)('%s is taken under its name, and what is no reading of it is refused alone', async (stream) => {
    const { least, most, noReading } = numericFacts(stream);
    const values = [least, (least + most) / 2, most, most + 1, null, ...noReading];
    const readings = values.map((value, index) => ({ atUs: startUs + index * 1e6, value }));
    const body = { device: 'eeg-1', captureId: 'n', firstSample: 0, kind: 'sensor', readings };
    const accepted = values.length;
    expect(await post(`/v1/numeric/${stream}`, body)).toMatchObject({ status: 201, body: { accepted, nextSample: accepted } });
    expect(await post(`/v1/numeric/${stream}`, body)).toMatchObject({ status: 200, body: { accepted: 0, repeated: accepted } });
    await agent.stop();
    const stored = broker.messages.flatMap((one) => (one.stream === stream ? [one] : []));
    expect(stored.flatMap((chunk) => chunk.readings.map(({ value }) => value))).toEqual([least, (least + most) / 2, most]);
    expect(stored[0]).toMatchObject({ kind: 'sensor' });
    expect(starts()).toMatchObject([{ of: stream, device: 'eeg-1' }]);
  });

  test('the heart rate is one capture under either path', async () => {
    const capture = { device: 'eeg-1', captureId: 'h', kind: 'ecg' };
    const old = { ...capture, firstSample: 0, readings: [{ atUs: startUs, bpm: 61, minBpm: 60, maxBpm: 62 }] };
    expect(await post('/v1/heart-rate', old)).toMatchObject({ status: 201 });
    const same = { ...capture, firstSample: 0, readings: [{ atUs: startUs, value: 61, least: 60, most: 62 }] };
    expect(await post('/v1/numeric/heart-rate', same)).toMatchObject({ status: 200, body: { repeated: 1 } });
  });

  test('a name that is no vital is told which there are', async () => {
    const body = { device: 'eeg-1', captureId: 'n', firstSample: 0, kind: 'sensor', readings: [] };
    const answer = await post('/v1/numeric/mood', body);
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'NO_VITAL' } } });
    expect(JSON.stringify(answer.body)).toContain('heart-rate, spo2');
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
