import { join } from 'node:path';
import { AlarmsNow } from '@vitalwire/contract';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeWorld, lasting, now, openWorld, Recording, until, world } from './test-alarm-world.ts';

describe('when things fail', () => {
  beforeEach(openWorld);
  afterEach(closeWorld);

  test('killed in the middle of an alarm and started again, it has lost nothing and doubles nothing', async () => {
    const first = await world.child();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows([...lasting(5, 0.1), ...lasting(10, 0.95)]);
    const [before] = await until(async () => {
      const open = await now(first.http);
      return open.length > 0 && open;
    });
    await first.kill();
    await eeg.windows(lasting(5, 0.95)); // while nobody listens
    const second = await world.child();
    expect(await now(second.http)).toMatchObject([
      { alarmId: before?.alarmId, onsetUs: before?.onsetUs, raisedAtUs: before?.raisedAtUs, state: 'active' },
    ]);
    await eeg.windows([...lasting(5, 0.95), ...lasting(6, 0.1)]);
    await until(async () => (await now(second.http))[0]?.state === 'latched');
    expect(await now(second.http)).toMatchObject([{ alarmId: before?.alarmId, endedUs: eeg.startUs + 28_000_000 }]);
    const lines = await until(async () => {
      const stored = (await world.stored()).filter(({ condition }) => condition === 'seizure');
      return stored.length === 2 && stored;
    });
    expect(lines.map(({ transition, seq }) => `${seq} ${transition}`)).toEqual(['0 raised', '1 condition-ended']);
  });

  test('a seizure that began and ended while it was away is found at its start', async () => {
    const first = await world.service();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows(lasting(5, 0.1));
    await first.stop();
    await eeg.windows([...lasting(10, 0.95), ...lasting(6, 0.1)]);
    const second = await world.service();
    await until(async () => (await now(second.http)).length === 1);
    expect(await now(second.http)).toMatchObject([{ condition: 'seizure', state: 'latched', onsetUs: eeg.startUs + 5_000_000 }]);
  });

  test('EEG that stopped while it was away, without an end, is missed at its start; EEG that was ended is not', async () => {
    const silent = new Recording(world, 'eeg-1');
    await silent.start();
    await silent.eeg();
    const ended = new Recording(world, 'eeg-2');
    await ended.start();
    await ended.eeg();
    await ended.end('capture-ended');
    const { http } = await world.service();
    const noData = async () => (await now(http)).filter(({ condition }) => condition === 'no-data').map(({ device }) => device);
    expect(await noData()).toEqual([]);
    world.clock.jumpedMs += 11_000;
    await until(async () => (await noData()).length > 0);
    expect(await noData()).toEqual(['eeg-1']);
  });

  test('EEG that stopped is missed also where its start record came again before storage answered, and so is a heart rate', async () => {
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    const rates = new Recording(world, 'hr-1', 'heart-rate');
    await rates.start();
    await rates.heartRate(70);
    await world.closeStorage();
    const { http } = await world.service();
    await eeg.start(); // sent again, as after a lost acknowledgement
    await world.openStorage();
    world.clock.jumpedMs += 70_000;
    const noData = async () => (await now(http)).filter(({ condition }) => condition === 'no-data').map(({ device }) => device);
    await until(async () => (await noData()).length === 2, 'both are missed');
  });

  test('a seizure of a replay has its mark also where storage came up a moment after this service', async () => {
    const eeg = new Recording(world, 'eeg-1');
    eeg.replay = { speed: 1, source: 'night.edf' };
    await eeg.start();
    await eeg.eeg();
    await world.closeStorage();
    const { http } = await world.service();
    await eeg.eeg(); // of a recording that it does not know
    await eeg.windows(lasting(10, 0.95));
    await new Promise((resolve) => setTimeout(resolve, 3_300));
    await world.openStorage();
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await eeg.windows(lasting(1, 0.95)); // it goes on
    await until(async () => (await now(http)).some(({ condition }) => condition === 'seizure'), 'the seizure is raised');
    expect(await now(http)).toMatchObject([{ condition: 'seizure', replay: { speed: 1, source: 'night.edf' } }]);
  });

  test('it starts without storage with what it wrote itself, goes on, and keeps its alarms when storage is back', async () => {
    const first = await world.service();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows([...lasting(10, 0.95), ...lasting(6, 0.1)]);
    await until(async () => (await now(first.http))[0]?.state === 'latched');
    const [latched] = await now(first.http);
    await first.stop();
    await world.closeStorage();
    const second = await world.service();
    expect(await now(second.http)).toMatchObject([{ alarmId: latched?.alarmId, state: 'latched' }]);
    const other = new Recording(world, 'eeg-2');
    await other.start();
    await other.eeg();
    await other.windows(lasting(10, 0.95));
    await until(async () => (await now(second.http)).length === 2);
    await world.openStorage();
    await until(async () => (await world.stored()).some(({ device }) => device === 'eeg-2'));
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // a lease and a look at the log
    expect((await now(second.http)).map(({ device, state }) => `${device} ${state}`).sort()).toEqual(['eeg-1 latched', 'eeg-2 active']);
  });

  test('without its own files it has its alarms from the stored log', async () => {
    const first = await world.service();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows(lasting(10, 0.95));
    await until(async () => (await world.stored()).some(({ condition }) => condition === 'seizure'));
    const [before] = await now(first.http);
    await first.stop();
    const second = await world.service({ dataDir: join(world.dir, 'another') });
    expect(await now(second.http)).toMatchObject([{ alarmId: before?.alarmId, state: 'active', raisedAtUs: before?.raisedAtUs }]);
  });

  test('a second worker stands by, and takes over with the state when the first is gone', async () => {
    const first = await world.child({ worker: 'alarms-a', dataDir: join(world.dir, 'a'), leaseS: 5 });
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    const second = await world.service({ worker: 'alarms-b', dataDir: join(world.dir, 'b'), leaseS: 5 });
    await eeg.windows(lasting(10, 0.95));
    await until(async () => (await now(first.http)).length === 1);
    const [before] = await now(first.http);
    await until(async () => (await world.stored()).length > 0);
    expect(await now(second.http)).toEqual([]);
    await first.kill();
    await until(async () => (await now(second.http)).length === 1);
    expect(await now(second.http)).toMatchObject([{ alarmId: before?.alarmId, state: 'active' }]);
    await eeg.windows(lasting(6, 0.1));
    await until(async () => (await now(second.http))[0]?.state === 'latched');
    const fences = () => world.heard.filter(({ alarm, live }) => !live && alarm.condition === 'seizure').map(({ alarm }) => alarm.fence);
    await until(() => fences().length === 2, 'both lines are committed');
    expect(fences()).toEqual([1, 2]);
    expect((await world.stored()).filter(({ transition, condition }) => transition === 'raised' && condition === 'seizure')).toHaveLength(
      1,
    );
  });

  test('the pulse stops with the front door and comes back with it', async () => {
    const { http } = await world.service();
    const pulses = () => world.heard.filter(({ alarm, live }) => live && alarm.transition === 'pulse').length;
    await until(() => pulses() >= 2);
    await world.closeDoor();
    await until(async () => (await http.getJson('/v1/alarms', AlarmsNow)).path === 'down');
    const before = pulses();
    await world.openDoor();
    await until(() => pulses() > before);
  });
});
