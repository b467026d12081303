import { createLog } from '@vitalwire/runtime';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { LatestKeeper } from './latest-keeper.ts';
import { Ward } from './ward.ts';

const log = createLog({ name: 'test', level: 'silent' });
const R1 = '018f0000-0000-7000-8000-000000000001';
const measured = { offsetUs: 0, uncertaintyUs: 0, source: 'front-door' } as const;

function heard(ward: Ward, device: string, nowUs: number): void {
  const readings = [{ atUs: nowUs, value: 70, least: null, most: null }];
  ward.apply(
    { shard: 0, gateway: 'g1', device, stream: 'heart-rate', live: false },
    { stream: 'heart-rate', recordingId: R1, seq: 0, measuredAtUs: nowUs, clock: measured, firstSample: 0, kind: 'ecg', readings },
    nowUs,
  );
}

/** Storage as a list of the paths it was asked for; `down` as long as it does not answer. */
function storageOf(answer: { down: boolean; devices: object[] }) {
  const asked: string[] = [];
  const getJson = async <Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> => {
    asked.push(path);
    if (answer.down) throw new Error('down');
    return schema.parse({ devices: answer.devices });
  };
  return { asked, getJson };
}

test('the latest of everything is asked for until it is answered, and again when messages may have been missed', async () => {
  const clock = new VirtualClock();
  const answer = { down: true, devices: [] as object[] };
  const storage = storageOf(answer);
  const keeper = new LatestKeeper({ storage, ward: new Ward(), clock, log });
  await keeper.start();
  await clock.advance(5_000);
  expect(storage.asked.length).toBeGreaterThan(1);
  answer.down = false;
  await clock.advance(3_000);
  const before = storage.asked.length;
  await clock.advance(60_000);
  expect(storage.asked).toHaveLength(before);
  keeper.refresh();
  await clock.advance(1_000);
  expect(storage.asked).toHaveLength(before + 1);
  await keeper.stop();
});

test('whether an unheard recording is a replay is asked until it is known, ever more seldom, at once for a new one', async () => {
  const clock = new VirtualClock();
  const ward = new Ward();
  const answer = { down: false, devices: [] as object[] };
  const storage = storageOf(answer);
  const keeper = new LatestKeeper({ storage, ward, clock, log });
  await keeper.start();
  heard(ward, 'd1', clock.nowUs());
  await clock.advance(120_000);
  const few = storage.asked.filter((path) => path.endsWith('device=d1')).length;
  expect(few).toBeGreaterThan(3);
  expect(few).toBeLessThan(12);
  const heartRate = {
    stream: 'heart-rate',
    value: 70,
    kind: 'ecg',
    measuredAtUs: clock.nowUs(),
    committedAtUs: clock.nowUs(),
    recordingId: R1,
    gateway: 'g1',
  };
  answer.devices = [
    {
      device: 'd1',
      patient: null,
      eeg: null,
      detection: null,
      numerics: [{ ...heartRate, clockOffsetUs: 0, replay: { speed: 1, source: 'x' } }],
    },
  ];
  await clock.advance(31_000);
  expect(ward.patients()[0]?.replay).toEqual({ speed: 1, source: 'x' });
  await keeper.stop();
});
