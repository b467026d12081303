import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';
import { killAtRandomMoments, seededRandom } from './killing.ts';
import { addSilentPatient, lookAt, replayDemo, services } from './truth-bed.ts';

const SEED = 20261201;
const PAUSE_MS = [2_500, 4_500] as const;
const CUT_MS = 16_000; // longer than EEG may be silent

test('no screen shows anything untrue while every service is killed, the link breaks and a recording ends in a seizure', {
  timeout: 240_000,
}, async ({ annotate }) => {
  const bed = await Bed.start();
  await addSilentPatient(bed);
  const looking = await lookAt(bed);
  const first = replayDemo(bed, 3);
  const seizing = async () =>
    (await bed.client.alarms()).alarms.find(({ condition, endedUs }) => condition === 'seizure' && endedUs === null) ?? null;
  await until(seizing, { timeoutMs: 60_000, everyMs: 250, what: 'somebody seizes' });
  await first.end();
  await sleep(8_000);

  const second = replayDemo(bed, 3);
  const alarm = await until(async () => (await bed.client.alarms()).alarms.find(({ condition }) => condition === 'seizure'), 30_000);
  await bed.client.acknowledgeAlarm(alarm.alarmId, 'nurse-7');
  const killed = await killAtRandomMoments(services.map(bed.victim), 1, seededRandom(SEED), PAUSE_MS);
  bed.cutLink();
  await sleep(CUT_MS);
  bed.mendLink();
  await sleep(4_000);
  await second.end();

  const faults = await looking.judge();
  await annotate(
    `killed ${killed.join(', ')}; ${JSON.stringify(looking.watch.counts)}; a frame was at most ${looking.watch.youngestMs} ms late`,
  );
  expect(faults).toEqual([]);
  expect(looking.watch.counts.rows).toBeGreaterThan(0);
  expect(looking.watch.counts.lines).toBeGreaterThan(0);
});
