import type { ChannelScale } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { PlayLine } from '../play-line.ts';
import { hashNormal, hashShare, hashWord } from './hash-noise.ts';
import { disturbanceOf, driftUs, restartsOf } from './patient-faults.ts';
import { parseFaultScript } from './read-script.ts';

const scale: ChannelScale = {
  label: 'Cz',
  unit: 'uV',
  digitalMin: -2048,
  digitalMax: 2047,
  physicalMin: -1024,
  physicalMax: 1023.5,
  reference: '',
};
const rate = { num: 100, den: 1 };
const group = { rate, sampleBits: 16 as const, channels: [scale], stretches: [{ onsetUs: 0, firstSample: 0, samples: 10_000 }] };
const line = new PlayLine(group, { startUs: 0, durationUs: 100_000_000, loop: false }, { periodUs: 100_000_000 });

test('each signal fault does its own to the samples of its stretch and channels, and to no others', () => {
  const wave = Int16Array.from({ length: 1_000 }, (_, index) => Math.round(100 * Math.sin(index)));
  const after = (fault: string): Int16Array => disturbed(`{ ${fault}, at: 2s, for: 3s }`, wave);
  for (const fault of ['fault: lead-off', 'fault: lead-off, form: flat', 'fault: saturation', 'fault: hum, hz: 20', 'fault: noise']) {
    const samples = after(fault);
    expect([...samples.slice(0, 200), ...samples.slice(500)]).toEqual([...wave.slice(0, 200), ...wave.slice(500)]);
    expect(samples.slice(200, 500)).not.toEqual(wave.slice(200, 500));
  }
  expect(new Set(after('fault: lead-off').slice(200, 500))).toEqual(new Set([2047]));
  expect(new Set(after('fault: lead-off, form: low').slice(200, 500))).toEqual(new Set([-2048]));
  expect(new Set(after('fault: lead-off, form: flat').slice(200, 500))).toEqual(new Set([0]));
  const clipped = after('fault: saturation')
    .slice(200, 500)
    .filter((value) => value === 2047 || value === -2048).length;
  expect(clipped).toBeGreaterThan(250);
  const noise = after('fault: noise, amplitudeUv: 100')
    .slice(200, 500)
    .map((value, index) => value - (wave[200 + index] ?? 0));
  expect(Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / 300)).toBeGreaterThan(160); // 100 uV are 200 steps
  expect(Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / 300)).toBeLessThan(240);
  expect(disturbed('{ fault: lead-off, at: 2s, for: 3s, channels: [Pz] }', wave)).toEqual(wave);
  expect(disturbed('{ fault: lead-off, at: 2s, for: 3s, patients: [2] }', wave)).toEqual(wave);
});

test('the same stretch comes out the same however it is cut into requests', () => {
  const wave = Int16Array.from({ length: 1_000 }, (_, index) => index % 50);
  const whole = disturbed('{ fault: noise, at: 1s, for: 8s }', wave);
  const disturb = disturbanceOf(faultsOf('{ fault: noise, at: 1s, for: 8s }'), { channels: [scale], sampleBits: 16, group: 0, line });
  const parts = [17, 100, 383, 500].flatMap((count, index, counts) => {
    const from = counts.slice(0, index).reduce((sum, one) => sum + one, 0);
    const part = wave.slice(from, from + count);
    disturb?.(part, from, count);
    return [...part];
  });
  expect(parts).toEqual([...whole]);
});

test('restarts inside one another are one, and a drift ends with the clock set right', () => {
  const script = faultsOf(
    '{ fault: device-restart, at: 5s, for: 4s }\n  - { fault: device-restart, at: 1s, for: 2s }\n  - { fault: device-restart, at: 2s, for: 2s }\n  - { fault: drift, at: 10s, for: 10s, ppm: 100 }',
  );
  expect(restartsOf(script)).toEqual([
    { fromUs: 1_000_000, toUs: 4_000_000 },
    { fromUs: 5_000_000, toUs: 9_000_000 },
  ]);
  expect([9, 10, 15, 19.999, 20].map((s) => Math.round(driftUs(script, s * 1e6)))).toEqual([0, 0, 500, 1_000, 0]);
});

test('hash noise is even in its bits, normal enough, and pinned', () => {
  const shares = Array.from({ length: 20_000 }, (_, index) => hashShare(1, index));
  expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeCloseTo(0.5, 1);
  const normal = Array.from({ length: 20_000 }, (_, index) => hashNormal(hashWord(1, index)));
  expect(Math.abs(normal.reduce((sum, value) => sum + value, 0) / normal.length)).toBeLessThan(0.03);
  expect(normal.reduce((sum, value) => sum + value * value, 0) / normal.length).toBeCloseTo(1, 1);
  expect([hashWord(1, 2, 3), hashWord(1, 2, 2 ** 40)]).toEqual([3299047535, 1523666612]);
});

function faultsOf(entry: string) {
  return { script: parseFaultScript(`faults: 1\nscript:\n  - ${entry}\n`, 'test.yaml'), patient: 0 };
}

function disturbed(entry: string, wave: Int16Array): Int16Array {
  const samples = wave.slice();
  disturbanceOf(faultsOf(entry), { channels: [scale], sampleBits: 16, group: 0, line })?.(samples, 0, samples.length);
  return samples;
}
