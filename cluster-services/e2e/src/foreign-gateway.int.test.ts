import { createLog, DurablePublisher, type Identity, Pki } from '@vitalwire/runtime';
import { gatewayMessages, until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { atEnd, Bed } from './bed.ts';

const log = createLog({ name: 'e2e', level: 'silent' });
const device = 'eeg-ward-1';
const patient = 'p-ward-1';

async function gatewayOf(bed: Bed, gateway: string, identity: Identity): Promise<(name: string) => Promise<void>> {
  const publisher = new DurablePublisher({ url: bed.stack.info.urls.frontDoor, identity, clientId: `${gateway}-test`, log });
  await publisher.start(new AbortController().signal);
  atEnd(() => publisher.stop());
  await until(() => publisher.connected, { timeoutMs: 20_000, what: `${gateway} is connected` });
  /** Says something in every stream, on both lanes. */
  return async (name) => {
    for (const { topic, bytes } of gatewayMessages({ gateway, device: name, atUs: await bed.client.time() })) {
      publisher.publishLive(topic(true), bytes);
      await publisher.publish(topic(false), bytes);
    }
  };
}

/** What screens and storage say of the patient. */
function screensOf(bed: Bed) {
  const shown = async () => {
    const { patients } = await bed.client.state();
    const state = patients.find((one) => one.patient === patient);
    if (state === undefined) throw new Error('the patient is on no screen');
    return state;
  };
  const conflict = async () => (await shown()).alarms.find(({ condition }) => condition === 'device-conflict');
  const expectNothingOf2 = async (): Promise<void> => {
    const state = await shown();
    expect({ eeg: state.eeg, numerics: state.numerics, detection: state.detection }).toEqual({
      eeg: null,
      numerics: [],
      detection: null,
    });
    expect(state.alarms.filter(({ condition }) => condition !== 'device-conflict')).toEqual([]);
    expect((await bed.client.recordings({ patient })).recordings).toEqual([]);
    expect((await bed.client.recordings({ device })).recordings).toEqual([]);
    const { devices } = await bed.client.latest({ device });
    expect(devices).toMatchObject([{ eeg: null, numerics: [], detection: null }]);
    const lines = [];
    for await (const line of bed.client.eachAlarmLine({ patient })) lines.push(line);
    expect(lines.filter(({ sender }) => sender !== 'alarms')).toEqual([]);
  };
  return { shown, conflict, expectNothingOf2 };
}

test("another gateway's readings, detections and alarms reach no patient, and both are named, until the device is moved", {
  timeout: 240_000,
}, async () => {
  const bed = await Bed.start();
  const pki = await Pki.open(bed.stack.info.pkiDir);
  const foreign = await gatewayOf(bed, 'gateway-2', await pki.issue('gateway-2', { kind: 'gateway' }));
  const own = await gatewayOf(bed, 'gateway-3', await pki.issue('gateway-3', { kind: 'gateway' }));
  await bed.client.putPatient(patient, { label: 'Bed 1' });
  await bed.client.putDevice(device, { kind: 'eeg', gateway: 'gateway-3' });
  await bed.client.putAssignment({ device, patient, fromUs: (await bed.client.time()) - 60_000_000, toUs: null });

  const { shown, conflict, expectNothingOf2 } = screensOf(bed);
  await foreign(device);
  await foreign('eeg-of-2');
  const told = await until(conflict, { timeoutMs: 30_000, everyMs: 250, what: 'the conflict is told' });
  expect(told).toMatchObject({ category: 'technical', state: 'active' });
  expect(told.text).toMatch(/gateway-2 sends as eeg-ward-1, which is gateway-3's/);
  await expectNothingOf2();
  // Its own device is on the screens, and what it said of the other one is stored.
  expect((await bed.client.state()).patients.find(({ key }) => key === 'device:eeg-of-2')).toMatchObject({
    numerics: [{ stream: 'heart-rate', value: 41 }],
  });
  expect((await bed.client.recordings({ device, gateway: 'gateway-2' })).recordings).not.toEqual([]);

  // Whoever starts anew knows whose the device is before anybody speaks.
  for (const name of ['web', 'alarms'] as const) await bed.killAndAwait(name);
  await bed.client.close();
  const viewer = await bed.viewer();
  atEnd(() => viewer.close());
  await foreign(device);
  await until(async () => (await viewer.state()).links.frontDoor === 'ok', {
    timeoutMs: 20_000,
    everyMs: 250,
    what: 'web hears the front door',
  });
  await foreign(device);
  await expectNothingOf2();

  await own(device);
  await until(async () => (await shown()).numerics.length > 0, { timeoutMs: 20_000, everyMs: 250, what: 'its own gateway is shown' });
  expect((await shown()).eeg?.gateway).toBe('gateway-3');

  const moved = await bed.cli('devices', 'move', device, '--gateway', 'gateway-2', '--by', 'keeper-1');
  expect(moved.code, moved.stdout).toBe(0);
  await until(
    async () => {
      await foreign(device);
      return (await shown()).eeg?.gateway === 'gateway-2' && (await conflict()) === undefined;
    },
    { timeoutMs: 60_000, everyMs: 1_000, what: 'the device is of the other gateway, and nothing is in conflict' },
  );
  expect((await bed.client.registry()).owners?.filter((owner) => owner.device === device)).toMatchObject([
    { gateway: 'gateway-3', fromUs: null },
    { gateway: 'gateway-2', by: 'keeper-1' },
  ]);
});
