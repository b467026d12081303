import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AlarmLine } from '@vitalwire/contract';
import { openSyntheticPatient, writeEdf } from '@vitalwire/datasets';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';

const faults = fileURLToPath(new URL('../../../datasets/faults/technical.yaml', import.meta.url));

async function storedAlarms(bed: Bed): Promise<AlarmLine[]> {
  const lines: AlarmLine[] = [];
  for await (const line of bed.client.eachAlarmLine()) lines.push(line);
  return lines;
}

test('a replayed seizure is one alarm, also when the agent and the alarms service are killed in it; a bad signal is a technical alarm and none of a seizure', {
  timeout: 240_000,
}, async () => {
  const bed = await Bed.start();
  // One seizure in the first two and a half minutes, at second 8 to 15.
  const seizures = bed.cli('replay', 'demo', '--patients', '1', '--speed', '6', '--seed', '2', '--for', '25s', '--json');
  await until(
    async () => (await bed.client.alarms()).alarms.some(({ condition, state }) => condition === 'seizure' && state === 'active'),
    {
      timeoutMs: 60_000,
      everyMs: 100,
      what: 'the seizure is told',
    },
  );
  const told = (await bed.client.alarms()).alarms.find(({ condition }) => condition === 'seizure');
  await bed.killAndAwait('edge');
  await bed.killAndAwait('alarms');
  expect((await seizures).code).toBe(0);

  const calm = path.join(bed.dirs.root, 'calm.edf');
  await writeEdf(calm, openSyntheticPatient({ seed: 1, durationS: 300, artefacts: 'none', seizures: 0 }));
  const bad = await bed.cli('replay', calm, '--speed', '12', '--duration', '285s', '--faults', faults, '--json');
  expect(bad.code, bad.stdout.slice(-500)).toBe(0);
  await bed.untilDelivered();

  const isOfSeizure = ({ device }: AlarmLine) => device === told?.device;
  const lines = await until(
    async () => {
      const all = await storedAlarms(bed);
      return all.filter(({ condition, transition }) => condition === 'poor-signal' && transition === 'ended').length >= 3 && all;
    },
    { timeoutMs: 30_000, everyMs: 500, what: 'the last bad signal is over' },
  );
  const raised = lines.filter(({ transition }) => transition === 'raised');
  expect(raised.filter((line) => line.condition === 'seizure').map(({ device, alarmId }) => [device, alarmId])).toEqual([
    [told?.device, told?.alarmId],
  ]);
  expect(lines.filter(({ condition, transition }) => condition === 'seizure' && transition === 'merged')).toEqual([]);
  const technical = raised.filter((line) => !isOfSeizure(line) && /lead-off|poor-signal/.test(line.condition ?? ''));
  expect(technical.map(({ condition }) => condition)).toEqual(['lead-off', 'poor-signal', 'poor-signal', 'poor-signal']); // a gain too high is no lead that is off
  const unmarked = lines.filter(({ replay, condition }) => replay === null && condition !== 'gateway-offline' && condition !== 'no-data');
  expect(unmarked.map(({ device, condition, text }) => `${device} ${condition} ${text}`)).toEqual([]);
});
