import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { IntakeAnswer } from '@vitalwire/contract';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { agent, broker, heartRates, http, lines, post, postText, startAgain, starts, tokens } from './test-agent.ts';

const phonePath = '/v1/intake/health-auto-export';

describe('the phone export', () => {
  const whole = phoneExport(592);

  test('a whole export, sent eight times side by side and once more, is stored once; no name leaves the body', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => postText('/v1/intake/health-auto-export', whole, 'phone-1')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.reduce((sum, { body }) => sum + (body as IntakeAnswer).accepted, 0)).toBe(592);
    await agent.stop();
    await startAgain();
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
    expect(heartRates().map(({ most }) => most)).toEqual([63, 70]);
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
        .map(({ value }) => value)
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
