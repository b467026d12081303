import { isNumeric, numericFacts } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';
import { numericRequest, sendAs } from './devices.ts';
import { pageText } from './page-text.ts';

// The way of one numeric vital, from a device to what people see. `made-up-vital.int.test` runs this file for a vital of its own.
const stream = process.env['VITALWIRE_TEST_VITAL'] ?? 'spo2';
if (!isNumeric(stream)) throw new Error(`no vital is called ${stream}`);
const vital = stream;
const { short, unit } = numericFacts(vital);

const PATIENCE = { timeoutMs: 20_000, everyMs: 200 };
const SECONDS = 15; // longer than any vital's limit has to be broken
const VALUE = 80;
const LOW = 90;

test(`${vital} ${VALUE} alarms on the wall and on the page, and is over when its limit is another`, { timeout: 120_000 }, async () => {
  const bed = await Bed.start();
  const { client } = bed;
  await client.putPatient('p1', { label: 'One' });
  await client.putDevice('monitor-1', { kind: 'monitor' });
  await client.putAssignment({ device: 'monitor-1', patient: 'p1', fromUs: 0, toUs: null });
  const send = async (firstSample: number): Promise<void> =>
    sendAs(
      bed,
      'monitor-1',
      `/v1/numeric/${vital}`,
      numericRequest(await client.time(), Array<number>(SECONDS).fill(VALUE), { firstSample }),
    );
  await send(0);

  const isAlarmed = async (): Promise<boolean> =>
    (await client.state()).patients.some(({ key, alarms }) => key === 'p1' && alarms.some(({ condition }) => condition === `${vital}-low`));
  await until(isAlarmed, PATIENCE);
  const [patient] = (await client.state()).patients.filter(({ key }) => key === 'p1');
  expect(patient?.numerics).toMatchObject([{ stream: vital, value: VALUE }]);
  const measure = `${VALUE} < ${LOW} ${unit}`;
  const wall = (await bed.cli('watch', '--snapshot', '--size', '200x40')).stdout;
  const page = await pageText(bed, (page) => page.getByText(measure));
  for (const text of [wall, page]) {
    expect(text).toContain(measure);
    expect(text).toContain(short);
  }

  expect(wall).toMatch(new RegExp(`${short} \\[?${VALUE}\\]? ${unit}, `)); // the value itself, beside its alarm

  const limits = await bed.cli('alarms', 'limits', 'p1', '--vital', vital, '--low', '70', '--by', 'doctor-2');
  expect(limits.stdout).toMatch(new RegExp(`p1 +${vital} +70 `));
  let sent = SECONDS;
  await until(async () => {
    await send(sent);
    sent += SECONDS;
    return !(await isAlarmed());
  }, PATIENCE);
});
