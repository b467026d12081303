import { AlarmEngine } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { DeviceWatch } from './device-watch.ts';
import type { Reading } from './protocol.ts';

const nowUs = 1_800_000_000_000_000;
const second = 1_000_000;
const start = { subject: 'r', device: 'hr-1', of: 'heart-rate', rate: null, channels: [], montageHash: '', predecessor: null } as const;

function watch(replay: { speed: number; source: string } | null = null) {
  const detector = { modelHash: 'm', modelVersion: '1', openStream: () => never(), score: () => [] };
  const device = new DeviceWatch(detector, new AlarmEngine({ sender: 'gateway-1' }));
  device.take([{ kind: 'start', start: { ...start, captureId: 'c', captureFirstSample: 0, replay } }], nowUs);
  const take = (atNowUs: number, ...bpms: [atUs: number, bpm: number][]): number | undefined => {
    const readings = bpms.map(([atUs, bpm]) => ({ atUs, value: bpm, least: null, most: null }));
    const reading: Reading = { kind: 'numeric', recordingId: 'r', stream: 'heart-rate', of: 'ecg', readings };
    device.take([reading], atNowUs);
    return device.view().devices[0]?.numerics[0]?.value;
  };
  return take;
}

test('the heart rate a gateway shows is what was measured last: no backfill of yesterday, and nothing of the future', () => {
  const take = watch();
  expect(take(nowUs, [nowUs - second, 72])).toBe(72);
  expect(take(nowUs, [nowUs - 86_400 * second, 55])).toBe(72);
  expect(take(nowUs + second, [nowUs + 75 * 365 * 86_400 * second, 41])).toBe(72);
  expect(take(nowUs + 2 * second, [nowUs + second, 74], [nowUs - 60 * second, 56])).toBe(74);
  expect(take(nowUs + 3 * second, [nowUs + 3 * second, 190])).toBe(190);
});

test('a clock within the bound that is set back shows what comes next, and a replay has a time of its own', () => {
  const take = watch();
  expect(take(nowUs, [nowUs + 9 * second, 72])).toBe(72);
  expect(take(nowUs + second, [nowUs + second, 80])).toBe(80);
  expect(watch({ speed: 60, source: 'x' })(nowUs, [nowUs + 600 * second, 66])).toBe(66);
});

function never(): never {
  throw new Error('no EEG here');
}
