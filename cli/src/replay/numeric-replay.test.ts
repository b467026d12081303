import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { numericStreams } from '@vitalwire/contract';
import { recordings, VirtualClock } from '@vitalwire/testkit';
import { afterEach, expect, test } from 'vitest';
import { resolveDataDir } from '../stack/data-dir.ts';
import type { Play } from './manifest.ts';
import { devicesOf } from './register.ts';
import { Replay } from './replay.ts';
import { fileSpec, openSpec, type SourceSpec } from './source-spec.ts';
import { TestIntake } from './test-intake.ts';
import { virtualPatient } from './virtual-patient.ts';

let root = '';
afterEach(() => rmSync(root, { recursive: true, force: true }));

const whole: Play = { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null };
type Sent = { path: string; device: string; kind: string; source: string; replay: unknown; readings: { atUs: number; value: number }[] };

test('every vital there is goes to its own place, by one monitor, with what the file has of it, also without any signals', async () => {
  const values = numericStreams.map((_stream, index) => 60 + index / 2 - (index > 2 ? 25 : 0)); // a reading of each
  const { sent, replay } = await played(csv(`time,${numericStreams.join(',')}`, [`0,${values.join(',')}`, `1,${values.join(',')}`]));
  for (const [index, stream] of numericStreams.entries()) {
    const requests = sent.filter((one) => one.path === `/v1/numeric/${stream}`);
    const readings = requests.flatMap((one) => one.readings);
    expect(readings.map(({ value }) => value)).toEqual([values[index], values[index]]);
    expect((readings[1]?.atUs ?? 0) - (readings[0]?.atUs ?? 0)).toBe(1e6);
    for (const request of requests)
      expect(request).toMatchObject({
        device: replay.patients[0]?.monitor?.device,
        kind: 'sensor',
        replay: { speed: 0, source: 'vitals.csv' },
      });
  }
  const [patient] = replay.patients;
  if (patient === undefined) throw new Error('no patient');
  expect(devicesOf(patient)).toEqual([{ device: `${patient.id}-hr`, kind: 'monitor' }]);
  expect(replay.manifest(true).captures.map(({ stream }) => stream)).toEqual([...numericStreams, 'event']);
});

test('a vital that has no reading in the window is not sent', async () => {
  const { replay, sent } = await played(csv('time,spo2,respiratory-rate', ['0,97,14', '10,96,', '20,95,']), { startUs: 5e6 });
  expect(replay.patients[0]?.monitor?.vitals.map(({ stream }) => stream)).toEqual(['spo2']);
  expect(sent.some((one) => one.path.endsWith('respiratory-rate'))).toBe(false);
});

test('a name that is given instead of the file stands on every number', async () => {
  const { sent } = await played(csv('time,spo2', ['0,97', '1,97']), { name: 'ward 7, bed 2' });
  expect(sent[0]).toMatchObject({ source: 'ward 7, bed 2', replay: { source: 'ward 7, bed 2' } });
  expect(JSON.stringify(sent)).not.toContain('vitals.csv');
});

test.skipIf(!recordings('bonn').here || !recordings('heart-rate').here).each([
  ['mitdb', 'MIT-BIH record 100, another person'],
  ['synthetic', 'synthetic heart rate'],
] as const)('beside Bonn with %s every number says whose it is', async (heart, heartFrom) => {
  const source = await openSpec({ kind: 'bonn', seed: 1, patients: 4, index: 0, heart });
  const patient = await virtualPatient('bonn-01', 0, source, whole);
  expect(patient.monitor?.vitals).toEqual([
    { stream: 'heart-rate', kind: 'ecg', from: heartFrom },
    { stream: 'spo2', kind: 'optical', from: 'synthetic oxygen saturation' },
    { stream: 'respiratory-rate', kind: 'sensor', from: 'synthetic respiratory rate' },
  ]);
  const beats = await source.numeric('heart-rate', 0, 60e6);
  expect(beats.every(({ atUs }) => atUs % 1e6 === 0)).toBe(heart === 'synthetic'); // beats come when they come
  await patient.close();
});

function csv(header: string, rows: readonly string[]): string {
  root = mkdtempSync(path.join(tmpdir(), 'vw-numeric-'));
  const file = path.join(root, 'vitals.csv');
  writeFileSync(file, `${header}\n${rows.join('\n')}\n`);
  return file;
}

async function played(file: string, play: Partial<Play> = {}): Promise<{ replay: Replay; sent: Sent[] }> {
  const dirs = resolveDataDir(root, {});
  mkdirSync(dirs.replays, { recursive: true });
  const sources: SourceSpec[] = [await fileSpec(file)];
  const sent: Sent[] = [];
  const intake = new TestIntake();
  const replay = await Replay.open({
    sources,
    play: { ...whole, ...play },
    speed: Number.POSITIVE_INFINITY,
    dirs,
    clock: new VirtualClock(),
    post: async (request) => {
      if (typeof request.body === 'string' && request.path !== '/v1/events')
        sent.push({ path: request.path, ...(JSON.parse(request.body) as Omit<Sent, 'path'>) });
      return intake.post(request);
    },
  });
  const never = new AbortController().signal;
  await replay.run(new Map(), never, never);
  expect(replay.unfinished()).toEqual([]);
  return { replay, sent };
}
