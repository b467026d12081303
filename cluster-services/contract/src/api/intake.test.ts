import { expect, test } from 'vitest';
import { decodeSampleBlock, encodeSampleBlock } from '../sample-block.ts';
import { EegIntake, EventsIntake, HealthAutoExport, HeartRateIntake, sampleBlockOf } from './intake.ts';

const channel = { label: 'Fp1', unit: 'µV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7 };
const eeg = {
  device: 'bed-7',
  captureId: 'c1',
  firstSample: 0,
  measuredAtUs: 5,
  rate: { num: 256, den: 1 },
  channels: [channel, channel],
  samples: [
    [1, -2, 3],
    [4, 5, -6],
  ],
};

test('an EEG request in JSON and the same one in CBOR are the same value', () => {
  for (const extra of [{}, { sampleBits: 24, replay: { speed: 2, source: 'bonn' }, source: 'x', end: true }]) {
    const fromJson = sampleBlockOf(EegIntake.parse({ ...eeg, ...extra }));
    expect(fromJson).toMatchObject({ ok: true, value: { samplesPerChannel: 3 } });
    if (fromJson.ok) expect(decodeSampleBlock(encodeSampleBlock(fromJson.value))).toEqual(fromJson);
  }
});

test.each([
  ['a row too few', { samples: [[1]] }],
  ['rows of different length', { samples: [[1, 2], [1]] }],
  ['a fraction', { samples: [[1.5], [1]] }],
  ['a value beyond 16 bits', { samples: [[40_000], [1]] }],
  ['a value beyond 24 bits', { sampleBits: 24, samples: [[-8_388_609], [1]] }],
])('%s is refused with a reason, and nothing is clipped', (_, extra) => {
  expect(sampleBlockOf(EegIntake.parse({ ...eeg, ...extra }))).toMatchObject({ ok: false, detail: expect.any(String) });
});

test.each([
  ['a misspelt field', { frstSample: 0 }],
  ['a negative index', { firstSample: -1 }],
  ['a device that is no id', { device: 'a/b' }],
  ['no capture', { captureId: '' }],
  ['a rate of nothing', { rate: { num: 0, den: 1 } }],
  ['no channels', { channels: [] }],
  ['a scale without extent', { channels: [{ ...channel, digitalMin: 5, digitalMax: 5 }] }],
  ['a label beyond the wire', { channels: [{ ...channel, label: 'µ'.repeat(21) }] }],
  ['a broken text', { source: '\ud800' }],
  ['another width', { sampleBits: 32 }],
])('%s is refused', (_, extra) => {
  expect(EegIntake.safeParse({ ...eeg, ...extra }).success).toBe(false);
});

test('heart rate and events take what devices send, and fill in what they leave out', () => {
  const capture = { device: 'watch-1', captureId: 'c', firstSample: 0 };
  expect(HeartRateIntake.parse({ ...capture, kind: 'phone', readings: [{ atUs: 1, bpm: 71.5 }] }).readings).toEqual([
    { atUs: 1, bpm: 71.5 },
  ]);
  expect(HeartRateIntake.safeParse({ ...capture, kind: 'phone', readings: [{ atUs: 1, bpm: Number.NaN }] }).success).toBe(false);
  expect(EventsIntake.parse({ ...capture, events: [{ atUs: 1, type: 'seizure' }] }).events).toEqual([
    { atUs: 1, type: 'seizure', text: '', source: '' },
  ]);
  expect(EventsIntake.safeParse({ ...capture, events: [{ atUs: 1, type: 'x', text: 'é'.repeat(513) }] }).success).toBe(false);
});

test('a phone export is taken with or without its outer frame, whatever else is in it', () => {
  const metrics = [
    { name: 'heart_rate', units: 'count/min', data: [{ Avg: 71 }] },
    { name: 'sleep_analysis', data: null },
  ];
  for (const body of [{ data: { metrics, workouts: [] } }, { metrics }, { data: { workouts: [] } }]) {
    const parsed = HealthAutoExport.parse(body);
    expect(parsed.data.metrics?.[0]?.name).toBe('data' in body && body.data.metrics === undefined ? undefined : 'heart_rate');
  }
  expect(HealthAutoExport.safeParse([]).success).toBe(false);
  expect(HealthAutoExport.safeParse({ data: { metrics: 5 } }).success).toBe(false);
});
