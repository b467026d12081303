import { type Alarm, AlarmsNow, derivedId, newRecordingId } from '@vitalwire/contract';
import { HttpClient, systemClock } from '@vitalwire/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Alarms } from './index.ts';
import { clockState, closeWorld, ends, gateway, lasting, now, openWorld, pki, Recording, until, world } from './test-alarm-world.ts';

const AnyAnswer = z.unknown();

describe('running', () => {
  let http: HttpClient;
  let alarms: Alarms;
  beforeAll(async () => {
    await openWorld();
    ({ http, alarms } = await world.service());
  });
  afterAll(closeWorld);
  const raisedOf = (device: string) =>
    world.heard.filter(
      ({ alarm, live }) => live && alarm.device === device && alarm.transition === 'raised' && alarm.condition === 'seizure',
    ).length;

  describe('a seizure', () => {
    test('is told at once, stored for good, acknowledged over HTTP, and its log has no gaps', async () => {
      const eeg = new Recording(world, 'eeg-2');
      await eeg.start();
      await eeg.eeg();
      await eeg.windows([...lasting(10, 0.1), ...lasting(10, 0.95)]);
      const [alarm] = await until(async () => {
        const open = await now(http, 'eeg-2');
        return open.length > 0 && open;
      });
      expect(alarm).toMatchObject({ device: 'eeg-2', condition: 'seizure', priority: 'high', state: 'active', senders: ['alarms'] });
      expect(alarm?.onsetUs).toBe(eeg.startUs + 10_000_000);
      await eeg.windows(lasting(6, 0.1));
      await until(async () => (await now(http, 'eeg-2'))[0]?.state === 'latched');
      const answer = await http.postJson(`/v1/alarms/${alarm?.alarmId}/acknowledge`, { by: 'nurse-1' }, AnyAnswer);
      expect(answer).toMatchObject({ state: 'ended', acknowledgedBy: 'nurse-1' });
      expect(await now(http, 'eeg-2')).toEqual([]);

      const lines = await until(async () => {
        const stored = (await world.stored()).filter(({ alarmId }) => alarmId === alarm?.alarmId);
        return stored.length === 3 && stored;
      });
      expect(lines.map(({ transition, state }) => `${transition}:${state}`)).toEqual([
        'raised:active',
        'condition-ended:latched',
        'acknowledged:ended',
      ]);
      expect(lines.map(({ seq }) => seq)).toEqual([0, 1, 2]);
      await until(() =>
        [true, false].every((live) => world.heard.filter((one) => one.live === live && one.alarm.alarmId === alarm?.alarmId).length === 3),
      );
    });

    test('across midnight and across an agent restart is one alarm', async () => {
      const before = new Recording(world, 'eeg-3');
      await before.start();
      await before.eeg();
      await before.windows([...lasting(5, 0.1), ...lasting(15, 0.95)]);
      await before.end('midnight');
      const after = new Recording(world, 'eeg-3', 'eeg', before.startUs + 23_000_000);
      await after.start(before.id);
      await after.eeg();
      await after.windows(lasting(10, 0.95));
      await after.end('crash');
      const last = new Recording(world, 'eeg-3', 'eeg', after.startUs + 40_000_000);
      await last.start(after.id);
      await last.eeg();
      await last.windows([...lasting(10, 0.95), ...lasting(6, 0.1)]);
      await until(async () => (await now(http, 'eeg-3'))[0]?.state === 'latched');
      expect(await now(http, 'eeg-3')).toMatchObject([{ onsetUs: before.startUs + 5_000_000, endedUs: last.startUs + 13_000_000 }]);
      expect(raisedOf('eeg-3')).toBe(1);
    });

    test('seen on both lanes, the backlog behind the live windows, is one alarm', async () => {
      const eeg = new Recording(world, 'eeg-4');
      await eeg.start();
      await eeg.eeg();
      const live = new Recording(world, 'eeg-4', 'eeg', eeg.startUs);
      Object.assign(live, { id: eeg.id });
      const probabilities = [...lasting(10, 0.1), ...lasting(10, 0.95), ...lasting(6, 0.1)];
      await live.windows(probabilities, { live: true });
      await until(async () => (await now(http, 'eeg-4'))[0]?.state === 'latched');
      await eeg.windows(probabilities.map((probability) => (probability ?? 0) - 0.02));
      await eeg.windows(lasting(1, 0.1));
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(await now(http, 'eeg-4')).toHaveLength(1);
      expect(raisedOf('eeg-4')).toBe(1);
    });

    test("told by a gateway's own engine too is one alarm with both senders", async () => {
      const eeg = new Recording(world, 'eeg-5');
      await eeg.start();
      await eeg.eeg();
      const logId = newRecordingId(gateway, Date.now(), new Uint8Array(6));
      const line: Alarm = {
        stream: 'alarm',
        recordingId: derivedId(logId, 'alarm'),
        subject: logId,
        seq: 0,
        measuredAtUs: systemClock.nowUs(),
        clock: clockState,
        sender: gateway,
        device: 'eeg-5',
        alarmId: 'aaaaaaaaaaaaaaaa',
        condition: 'seizure',
        priority: 'high',
        state: 'active',
        transition: 'raised',
        onsetUs: eeg.startUs + 11_000_000,
        endedUs: null,
        value: 0.9,
        limit: 0.8,
        channel: 0,
        untilUs: null,
        by: '',
        mergedInto: null,
        replay: null,
        text: 'seizure pattern detected',
        fence: 0,
      };
      await world.send('gateway', 'eeg-5', line);
      await until(async () => (await now(http, 'eeg-5')).length === 1);
      await eeg.windows([...lasting(10, 0.1), ...lasting(10, 0.95), ...lasting(6, 0.1)]);
      await until(async () => (await now(http, 'eeg-5'))[0]?.state === 'latched');
      expect(await now(http, 'eeg-5')).toMatchObject([
        { alarmId: 'aaaaaaaaaaaaaaaa', senders: ['alarms', 'gw-1'], onsetUs: eeg.startUs + 10_000_000 },
      ]);
    });
  });

  describe('people', () => {
    test('are told what is wrong with what they ask', async () => {
      const refusal = async (path: string, body: unknown) =>
        http.postJson(path, body).then(
          () => null,
          (error: { status: number; remoteCode: string; remoteMessage: string }) =>
            `${error.status} ${error.remoteCode} ${error.remoteMessage}`,
        );
      expect(await refusal('/v1/alarms/0123456789abcdef/acknowledge', { by: 'nurse-1' })).toContain(
        '404 ALARM_UNKNOWN no alarm 0123456789abcdef',
      );
      expect(await refusal('/v1/alarms/nonsense/acknowledge', { by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      expect(await refusal('/v1/alarms/0123456789abcdef/acknowledge', { by: ' ' })).toContain('say who asks');
      expect(await refusal('/v1/devices/eeg-6/alarm-pause', { seconds: 121, by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      expect(await refusal('/v1/devices/eeg-6/alarm-pause', { seconds: -1, by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      expect(await refusal('/v1/devices/-/alarm-pause', { seconds: 10, by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      const stranger = new HttpClient({ baseUrl: String(alarms.addresses()['url']), token: 'not-the-token', caPath: pki.caPath });
      ends.push(() => stranger.close());
      await expect(stranger.getJson('/v1/alarms', AlarmsNow)).rejects.toMatchObject({ status: 401, remoteCode: 'TOKEN_WRONG' });
    });

    test('pause a device for at most 120 s; the pause ends by itself and is in the log', async () => {
      const answer = await http.postJson('/v1/devices/eeg-7/alarm-pause', { seconds: 120, by: 'nurse-1' }, AnyAnswer);
      expect(answer).toMatchObject({ pause: { device: 'eeg-7', by: 'nurse-1', above: 'low' } });
      world.clock.jumpedMs += 119_000;
      expect((await http.getJson('/v1/alarms', AlarmsNow)).pauses).toHaveLength(1);
      world.clock.jumpedMs += 1_000;
      await until(async () => (await http.getJson('/v1/alarms', AlarmsNow)).pauses.length === 0);
      await until(() => world.heard.some(({ alarm }) => alarm.transition === 'resumed' && alarm.by === ''));
    });

    test('change the limits of a patient; the device follows, and the log says who', async () => {
      const storage = await world.storage();
      await storage.putJson('/v1/patients/p1', {});
      await storage.putJson('/v1/devices/hr-8', { kind: 'heart-rate' });
      await storage.putJson('/v1/assignments', { device: 'hr-8', patient: 'p1', fromUs: 0, toUs: null });
      await storage.putJson('/v1/patients/p1/alarm-limits/heart-rate', { limits: { low: 50, high: 90, extremeDelta: 30 }, by: 'dr-1' });
      await until(() =>
        world.heard.some(({ alarm }) => alarm.transition === 'limits-changed' && alarm.device === 'hr-8' && alarm.by === 'dr-1'),
      );
      const rates = new Recording(world, 'hr-8', 'heart-rate');
      await rates.start();
      for (let second = 0; second < 8; second++) await rates.heartRate(100 + (second % 2));
      await until(async () => (await now(http, 'hr-8')).some(({ condition, limit }) => condition === 'heart-rate-high' && limit === 90));
    });
  });

  describe('silence and bad signals', () => {
    test('EEG that stops is a technical alarm after 10 s, urgent after 60 s, and over when it comes back', async () => {
      const eeg = new Recording(world, 'eeg-9');
      await eeg.start();
      await eeg.eeg();
      await eeg.windows([0.1]);
      await until(() => world.heard.some(({ alarm }) => alarm.transition === 'pulse'));
      world.clock.jumpedMs += 10_000;
      await until(async () =>
        (await now(http, 'eeg-9')).some(({ condition, priority }) => condition === 'no-data' && priority === 'medium'),
      );
      world.clock.jumpedMs += 50_000;
      await until(async () => (await now(http, 'eeg-9')).some(({ condition, priority }) => condition === 'no-data' && priority === 'high'));
      await eeg.eeg();
      await until(async () => (await now(http, 'eeg-9')).length === 0);
    });

    test('EEG that was ended is off, a phone is never silent, and heart rate is silent after 60 s', async () => {
      const ended = new Recording(world, 'eeg-10');
      await ended.start();
      await ended.eeg();
      await ended.end('capture-ended');
      const phone = new Recording(world, 'phone-10', 'heart-rate');
      await phone.start();
      await phone.heartRate(20, 'phone');
      const rates = new Recording(world, 'hr-10', 'heart-rate');
      await rates.start();
      await rates.heartRate(70);
      await new Promise((resolve) => setTimeout(resolve, 300));
      world.clock.jumpedMs += 58_000;
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(await now(http, 'eeg-10', 'phone-10', 'hr-10')).toEqual([]);
      world.clock.jumpedMs += 2_000;
      await until(async () => (await now(http, 'eeg-10', 'phone-10', 'hr-10')).length > 0);
      expect(await now(http, 'eeg-10', 'phone-10', 'hr-10')).toMatchObject([
        { device: 'hr-10', condition: 'no-data', category: 'technical' },
      ]);
    });

    test('a gateway that goes is offline until it is heard again', async () => {
      world.liveStatus(true);
      await new Promise((resolve) => setTimeout(resolve, 300));
      world.clock.jumpedMs += 15_000;
      await until(async () =>
        (await now(http, gateway)).some(({ condition, device }) => condition === 'gateway-offline' && device === gateway),
      );
      world.liveStatus(true);
      await until(async () => (await now(http, gateway)).length === 0);
      world.liveStatus(false);
      await until(async () => (await now(http, gateway)).some(({ condition }) => condition === 'gateway-offline'));
    });

    test('EEG that nobody judges says so after 15 s; EEG on the live lane alone says that storage is behind', async () => {
      const eeg = new Recording(world, 'eeg-12');
      await eeg.start();
      for (let second = 0; second < 9; second++) {
        await eeg.eeg(true);
        world.clock.jumpedMs += 2_000;
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      await eeg.eeg(true);
      await until(async () => (await now(http, 'eeg-12', 'prediction', 'storage')).length === 2);
      expect((await now(http, 'eeg-12', 'prediction', 'storage')).map(({ condition, device }) => `${condition} ${device}`).sort()).toEqual([
        'model-unavailable prediction',
        'storage-behind storage',
      ]);
      await eeg.eeg();
      await eeg.windows([0.1]);
      await until(async () => (await now(http, 'eeg-12', 'prediction', 'storage')).length === 0);
    });

    test.each([
      ['flat', 'lead-off'],
      ['railed', 'lead-off'],
      ['low-amplitude', 'lead-off'],
      ['mains-hum', 'poor-signal'],
      ['broadband-noise', 'poor-signal'],
      ['steps', 'poor-signal'],
    ])('a signal refused as %s raises %s and no seizure', async (reason, condition) => {
      const eeg = new Recording(world, `eeg-${reason}`);
      await eeg.start();
      await eeg.eeg();
      await eeg.windows([...lasting(5, 0.1), ...lasting(12, null)], { reason });
      await until(async () => (await now(http, `eeg-${reason}`)).length > 0);
      expect((await now(http, `eeg-${reason}`)).map((alarm) => alarm.condition)).toEqual([condition]);
      await eeg.windows(lasting(2, 0.1));
      await until(async () => (await now(http, `eeg-${reason}`)).length === 0);
      expect(raisedOf(`eeg-${reason}`)).toBe(0);
    });
  });
});
