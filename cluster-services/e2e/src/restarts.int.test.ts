import { setTimeout as sleep } from 'node:timers/promises';
import type { PatientState } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import type { ServiceName } from 'vitalwire/stack';
import { expect, test } from 'vitest';
import { atEnd, Bed } from './bed.ts';
import { RunningCommand } from './command.ts';
import { eegRequest, numericRequest, sendAs } from './devices.ts';
import { askScreen, type Beds, changedFacts, factsOf, falsehood } from './what-screens-say.ts';

/** How long after a service is there again everything must stand on the screens as before. */
const BACK_MS = 5_000;
const NURSE = 'nurse-7';
const SECOND = 1_000_000;

// One synthetic patient who seizes after 73 s of data for 31 s, ten times as fast; own amplitudes are known after 60 windows.
const REPLAY = ['replay', 'synth', '--seed', '380', '--synth', 'channels=2,seizures=12,artefacts=none', '--speed', '10', '--json'];

const restarts: readonly { readonly name: string; readonly services: readonly ServiceName[] }[] = [
  { name: 'web', services: ['web'] },
  { name: 'alarms', services: ['alarms'] },
  { name: 'prediction', services: ['prediction'] },
  { name: 'storage', services: ['storage'] },
  { name: 'ingest', services: ['ingest'] },
  { name: 'edge', services: ['edge'] },
  { name: 'all', services: ['edge', 'web', 'alarms', 'prediction', 'ingest', 'storage'] },
];

test('every mark, value, baseline, pause, acknowledgement and age is on the screens again within 5 s of the restart of any service', {
  timeout: 180_000,
}, async ({ annotate }) => {
  const bed = await Bed.start();
  const beds = await fill(bed);
  const told = watch(bed, beds);
  const missing: Record<string, Record<string, string>> = {};
  const took: string[] = [];
  for (const { name, services } of restarts) {
    const before = factsOf(await askScreen(bed.client), beds);
    await Promise.all(services.map((service) => bed.killAndAwait(service)));
    const readyMs = performance.now();
    let late = '0 ms';
    let changed = new Map<string, string>();
    while (performance.now() - readyMs < BACK_MS) {
      const screen = await askScreen(bed.client).catch(() => null); // web may only just have begun to listen
      changed = screen === null ? new Map([['a screen', 'nothing is answered']]) : changedFacts(screen, before, beds);
      if (changed.size > 0) late = `${Math.round(performance.now() - readyMs)} ms (${[...changed.keys()].join(', ')})`;
      await sleep(100);
    }
    // Not only for a moment: so it must stand then.
    if (changed.size > 0) missing[name] = Object.fromEntries(changed);
    took.push(`${name} ${late}`);
  }
  await annotate(`there again after: ${took.join(', ')}`);
  expect(missing).toEqual({});
  expect(told.falsehoods()).toEqual([]);
  expect(told.states()).toBeGreaterThan(0);
});

/** A replayed patient with an alarm nobody has seen to, one that is acknowledged, and a pause; and one who is not replayed and fell silent. */
async function fill(bed: Bed): Promise<Beds> {
  const { client } = bed;
  await client.putPatient('silent', { label: 'Silent' });
  for (const [device, kind] of [
    ['eeg-silent', 'eeg'],
    ['phone-silent', 'phone'],
  ] as const) {
    await client.putDevice(device, { kind });
    await client.putAssignment({ device, patient: 'silent', fromUs: 0, toUs: null });
  }
  await sendAs(bed, 'eeg-silent', '/v1/eeg', eegRequest((await client.time()) - SECOND, 1));
  await sendAs(bed, 'phone-silent', '/v1/numeric/heart-rate', numericRequest((await client.time()) - 90 * SECOND, [72], { kind: 'phone' }));
  const replay = new RunningCommand([...REPLAY, '--data', bed.dirs.root]);
  atEnd(() => replay.kill());
  const replayed = await until(async () => (await client.state()).patients.find(({ key }) => key === 'synth-01'), {
    timeoutMs: 20_000,
    everyMs: 100,
    what: 'the replayed patient is on the screens',
  });
  await client.putAlarmLimits(replayed.key, 'heart-rate', { limits: { low: null, high: 40, extremeDelta: null }, by: NURSE });
  const beds = { replayed: replayed.key, silent: 'silent' };
  await untilPatient(bed, beds.replayed, 'its own amplitudes are known', ({ detection }) => detection?.baseline === 'own');
  const alarmed = await untilPatient(bed, beds.replayed, 'its heart alarms', ({ alarms }) => hasAlarm(alarms, 'heart-rate-high'));
  const alarm = alarmed.alarms.find(({ condition }) => condition === 'heart-rate-high');
  await client.acknowledgeAlarm(alarm?.alarmId ?? '', NURSE);
  const device = alarmed.numerics[0]?.device ?? '';
  await untilPatient(bed, beds.replayed, 'its seizure latches', ({ alarms }) =>
    alarms.some(({ condition, state }) => condition === 'seizure' && state === 'latched'),
  );
  await untilPatient(bed, beds.silent, 'its silence is told', ({ alarms }) => hasAlarm(alarms, 'no-data'));
  await client.pauseAlarms(device, 120, NURSE);
  await untilPatient(bed, beds.replayed, 'all is said', ({ alarms, pauses, replay: mark }) => {
    const seen = alarms.find(({ alarmId }) => alarmId === alarm?.alarmId);
    return pauses.length === 1 && seen?.acknowledgedBy === NURSE && mark !== null;
  });
  return beds;
}

/** A screen that was open all the time: what it was ever told that was false. */
function watch(bed: Bed, beds: Beds): { falsehoods(): string[]; states(): number } {
  const falsehoods = new Set<string>();
  let states = 0;
  bed.client.live(
    { streams: ['alarm'] },
    {
      onState: (change) => {
        states += 1;
        const problem = falsehood({ patients: [...change.patients], nowUs: change.nowUs }, beds);
        if (problem !== null) falsehoods.add(problem);
      },
    },
  );
  return { falsehoods: () => [...falsehoods], states: () => states };
}

function untilPatient(bed: Bed, key: string, what: string, isSo: (patient: PatientState) => boolean): Promise<PatientState> {
  return until(async () => (await bed.client.state()).patients.find((one) => one.key === key && isSo(one)), {
    timeoutMs: 40_000,
    everyMs: 200,
    what,
  });
}

function hasAlarm(alarms: PatientState['alarms'], condition: string): boolean {
  return alarms.some((alarm) => alarm.condition === condition);
}
