import { rmSync } from 'node:fs';
import path from 'node:path';
import type { HttpError } from '@vitalwire/client';
import type { Message } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { connected, startWorld, world } from './test-web.ts';

test('an alarm is on every screen within a moment, once on both lanes, is acknowledged and paused through web, and ends', async () => {
  await startWorld();
  world.addPatient('p1', 'Bed 1', ['eeg-1', 'hr-1']);
  await world.ready();
  const client = await connected();
  const lines: Message[] = [];
  const states: string[] = [];
  client.live(
    { streams: ['alarm'] },
    {
      onMessage: (message) => lines.push(message),
      onState: ({ patients }) => states.push(...patients.flatMap(({ alarms }) => alarms.map(({ state }) => state))),
    },
  );
  await until(() => states.length === 0 && world.viewers() === 1);
  const beforeMs = performance.now();
  const id = await world.alarms.raise('eeg-1', 'seizure', { value: 0.97, text: 'seizure pattern' });
  await until(() => states.includes('active'), { timeoutMs: 3_000, everyMs: 10 });
  expect(performance.now() - beforeMs).toBeLessThan(1_000);
  const other = await world.alarms.raise('hr-1', 'heart-rate-high', { value: 134, limit: 120 });
  const [patient] = (await client.state()).patients;
  expect(patient?.alarms.map(({ alarmId }) => alarmId)).toEqual([id, other]);

  await client.acknowledgeAlarm(id, 'nurse-7');
  await until(() => states.includes('acknowledged'), 3_000);
  await client.pauseAlarms('hr-1', 120, 'nurse-7');
  const now = await until(async () => {
    const alarms = await client.alarms();
    return alarms.pauses.length === 1 ? alarms : null;
  });
  expect(now).toMatchObject({
    path: 'ok',
    alarms: [
      { alarmId: id, state: 'acknowledged', acknowledgedBy: 'nurse-7', senders: ['alarms'] },
      { alarmId: other, state: 'active' },
    ],
    pauses: [{ device: 'hr-1', by: 'nurse-7' }],
  });
  await client.pauseAlarms('hr-1', 0, 'nurse-7');
  await world.alarms.say(id, 'ended', { state: 'ended' });
  await until(async () => {
    const { alarms, pauses } = await client.alarms();
    return alarms.length === 1 && pauses.length === 0;
  });
  const told = lines.flatMap((line) => (line.stream === 'alarm' ? [line.transition] : []));
  expect(told).toEqual(['raised', 'raised', 'acknowledged', 'paused', 'resumed', 'ended']); // no copy, and no pulse
});

test('what is wrong with an acknowledgement or a pause is said: unknown alarm, no name, too long, nobody there', async () => {
  await startWorld({ storageTimeoutMs: 500 });
  await world.ready();
  const client = await connected();
  await expect(client.acknowledgeAlarm('0123456789abcdef', 'n')).rejects.toMatchObject({ status: 404, remoteCode: 'NO_SUCH_ALARM' });
  await expect(client.acknowledgeAlarm('nonsense', 'n')).rejects.toMatchObject({ status: 400 });
  await expect(client.acknowledgeAlarm('0123456789abcdef', ' ')).rejects.toMatchObject({ status: 400 });
  await expect(client.pauseAlarms('eeg-1', 121, 'n')).rejects.toMatchObject({ status: 400 });
  await expect(client.pauseAlarms('a/b', 10, 'n')).rejects.toMatchObject({ status: 400 });
  await world.alarms.stopHttp();
  const refusal = await client.acknowledgeAlarm('0123456789abcdef', 'n').catch((error: unknown) => error);
  expect(refusal).toMatchObject({ status: 503, remoteCode: 'ALARMS_UNAVAILABLE', retry: true });
  expect((refusal as HttpError).remoteNext).toMatch(/try again/);
});

test('without an alarms service web says that alarms are not watched, and that nothing can be acknowledged', async () => {
  await startWorld({ alarms: false });
  await world.ready();
  const client = await connected();
  expect((await client.state()).links.alarms).toBe('unknown');
  await expect(client.acknowledgeAlarm('0123456789abcdef', 'n')).rejects.toMatchObject({
    status: 503,
    remoteCode: 'ALARMS_UNAVAILABLE',
    remoteNext: expect.stringContaining('VITALWIRE_WEB_ALARMS_URL'),
  });
  // A gateway's word, or a pulse that was kept, is no proof that anybody watches.
  const gateway = await world.gateway();
  const pulsing = setInterval(() => void gateway.sendPulse().catch(() => {}), 1_000);
  const state = await until(async () => {
    const answer = await client.state();
    return answer.links.alarms === 'down' ? answer : null;
  }, 15_000).finally(() => clearInterval(pulsing));
  expect(state.systemAlarms).toMatchObject([{ condition: 'alarm-path', priority: 'high', category: 'technical', state: 'active' }]);
  await expect(client.alarms()).resolves.toMatchObject({ path: 'down', alarms: [{ condition: 'alarm-path' }] });
}, 30_000);

test('after web was restarted it shows what is open: from the alarms service, or from the stored log while that is away', async () => {
  await startWorld({ storageTimeoutMs: 500 });
  world.addPatient('p1', 'Bed 1', ['eeg-1']);
  await world.ready();
  const id = await world.alarms.raise('eeg-1', 'seizure', { text: 'x' });
  await world.alarms.say(id, 'condition-ended', { state: 'latched' });
  const client = await connected();
  const alarmsAfterRestart = async (wanted: string) => {
    await world.stopWeb();
    rmSync(path.join(world.dir, 'web-ward.json')); // nothing is known from before
    await world.startWeb();
    return until(async () => {
      const { patients } = await client.state().catch(() => ({ patients: [] }));
      return patients.find(({ alarms }) => alarms.some(({ alarmId }) => alarmId === wanted))?.alarms ?? null;
    }, 20_000);
  };
  expect(await alarmsAfterRestart(id)).toMatchObject([{ alarmId: id, state: 'latched' }]);

  await world.alarms.stopHttp();
  world.alarmLog = [
    {
      logId: '01900000-0000-7000-8000-0123456789ab',
      seq: 3,
      sender: 'gateway-1',
      device: 'eeg-1',
      alarmId: 'fedcba9876543210',
      condition: 'seizure',
      priority: 'high',
      state: 'active',
      transition: 'raised',
      atUs: Date.now() * 1000,
      onsetUs: Date.now() * 1000,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: null,
      replay: null,
      text: '',
    },
  ];
  expect(await alarmsAfterRestart('fedcba9876543210')).toMatchObject([{ alarmId: 'fedcba9876543210', senders: ['gateway-1'] }]);
  expect(world.alarmLogQueries.at(-1)).toMatchObject({ open: 'true' });
  // It is asked again until it answers, and knows better.
  await world.alarms.startHttp();
  await until(async () => (await client.state()).patients[0]?.alarms.some(({ alarmId }) => alarmId === id) === true, 10_000);
}, 60_000);

test('limits of alarms and the log are storage’s: passed on, checked, and nothing else', async () => {
  await startWorld();
  world.addPatient('p1', 'Bed 1', ['hr-1']);
  await world.ready();
  const client = await connected();
  expect((await client.alarmLimits('p1'))[0]).toMatchObject({ patient: 'p1', limits: { low: 50, high: 120 }, changedBy: null });
  await client.putAlarmLimits('p1', 'heart-rate', { limits: { low: 45, high: null, extremeDelta: 20 }, by: 'doctor-2' });
  await expect(client.allAlarmLimits()).resolves.toMatchObject({
    limits: [{ patient: 'p1', stream: 'heart-rate', changedBy: 'doctor-2' }],
    changes: [{ by: 'doctor-2', before: null, after: { low: 45, high: null } }],
  });
  await expect(
    client.putAlarmLimits('p1', 'spo2', { limits: { low: 130, high: 120, extremeDelta: 20 }, by: 'doctor-2' }),
  ).rejects.toMatchObject({ status: 400 });
  await client.alarmLog({ patient: 'p1', limit: 5 });
  expect(world.alarmLogQueries.at(-1)).toEqual({ patient: 'p1', limit: '5' });
  await expect(client.alarmLog({ limit: 0 })).rejects.toMatchObject({ status: 400 });
});
