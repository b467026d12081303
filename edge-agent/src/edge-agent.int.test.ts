import { readFileSync } from 'node:fs';
import { encodeSampleBlock, type IntakeAnswer, sampleBlockMediaType } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { operatorTokenPath } from './index.ts';
import {
  type Answer,
  agent,
  broker,
  channel,
  dir,
  eeg,
  eegChunks,
  ends,
  get,
  heartRates,
  pause,
  post,
  rate,
  samplesOf,
  send,
  setOffset,
  startAgain,
  starts,
  startUs,
  valueAt,
} from './test-agent.ts';

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
    await startAgain();
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
    setOffset(86_400_000);
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
    await startAgain();
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
    expect(heartRates()).toEqual(readings.map(({ atUs, bpm }) => ({ atUs, value: bpm, least: null, most: null })));
    expect(broker.messages.find(({ stream }) => stream === 'event')).toMatchObject({
      events: [event, { atUs: startUs, durationUs: null, type: 'segment', text: '', source: '' }],
    });
  });
});

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
