import { memorySource, type SignalSource } from '@vitalwire/datasets';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dueBlock, type Feed } from './feed.ts';
import type { Play, Take } from './manifest.ts';
import { openSpec } from './source-spec.ts';
import { eegOf, eventsOf, legsOf, numericOf, virtualPatient } from './virtual-patient.ts';

const whole: Play = { startUs: 0, durationUs: null, loop: true, channels: null, staggerUs: 0, faults: null };

test('blocks of every feed advance, in order of time, through many rounds of any length, and nothing is in two of them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ num: fc.integer({ min: 1, max: 20_000 }), den: fc.integer({ min: 7, max: 100 }) }),
      fc.integer({ min: 200_000, max: 3_000_000 }),
      fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 6 }),
      fc.integer({ min: 0, max: 20_000_000 }),
      async (rate, durationUs, onsets, fromUs) => {
        const patient = await virtualPatient('p-1', 0, sourceOf(rate, durationUs, onsets), whole);
        const take = takeFrom(fromUs);
        const [leg] = legsOf(patient, take);
        const [eeg] = patient.eeg;
        if (leg === undefined || eeg === undefined) throw new Error('no leg or no device');
        for (const feed of [eegOf(eeg, leg, 1), numericOf(patient, 'heart-rate', leg), eventsOf(patient, take)] as Feed<unknown[]>[]) {
          let position = 0;
          let beforeMs = Number.NEGATIVE_INFINITY;
          for (let blocks = 0; blocks < 40; blocks += 1) {
            const block = await feed.blockAt(position);
            if (block === null) break;
            expect(block.begin).toBeGreaterThanOrEqual(position);
            expect(block.end).toBeGreaterThan(block.begin);
            expect(block.dueMs).toBeGreaterThanOrEqual(beforeMs);
            expect(await feed.measuredBy(block.dueMs + 1e-3)).toBeGreaterThanOrEqual(block.end);
            expect((await feed.read(block.begin, block.end)).length).toBeGreaterThanOrEqual(block.end - block.begin);
            position = block.end;
            beforeMs = block.dueMs;
          }
        }
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

const settings = { seed: 7, durationS: 600, channels: 1, rate: { num: 17361, den: 100 } };

test('a late device takes whole blocks, never more than fit one request', async () => {
  const patient = await virtualPatient('synth-1', 0, await openSpec({ kind: 'synth', settings }), whole);
  const [leg] = legsOf(patient, takeFrom(0));
  const [eeg] = patient.eeg;
  if (leg === undefined || eeg === undefined) throw new Error('no leg or no device');
  const feed = eegOf(eeg, leg, 1);
  const first = await feed.blockAt(43);
  if (first === null) throw new Error('no block');
  const due = await dueBlock(feed, first, 60_000);
  expect(due.end - due.begin).toBeLessThanOrEqual(feed.maxPerRequest);
  expect(due.end - due.begin).toBeGreaterThan(43);
  expect((await dueBlock(feed, first, 300)).end).toBe(86);
});

test('the heart rates of an earlier moment can be asked for again, however far the device has come', async () => {
  const patient = await virtualPatient('synth-1', 0, await openSpec({ kind: 'synth', settings }), whole);
  const [leg] = legsOf(patient, takeFrom(0));
  if (leg === undefined) throw new Error('no leg');
  const feed = numericOf(patient, 'heart-rate', leg);
  const early = await feed.read(3, 6);
  const last = await feed.measuredBy(3 * 3_600_000);
  expect(last).toBeGreaterThan(10_000);
  expect(await feed.read(3, 6)).toEqual(early);
  expect(await feed.measuredBy(3 * 3_600_000)).toBe(last);
});

test('a seek into a seizure announces what is left of it', async () => {
  const source = sourceOf({ num: 100, den: 1 }, 60_000_000, []);
  const seizure = { onsetUs: 10_000_000, durationUs: 20_000_000, type: 'seizure' as const, text: 'known', channels: [] };
  const patient = await virtualPatient('p-1', 0, { ...source, annotations: async () => [seizure] }, whole);
  const events = eventsOf(patient, { ...takeFrom(15_000_000), opening: { type: 'replay-seek', text: 'there' } });
  expect(await events.read(0, 2)).toEqual([
    { atUs: 15_000_000, durationUs: null, type: 'replay-seek', text: 'there' },
    { atUs: 15_000_000, durationUs: 15_000_000, type: 'seizure', text: 'known' },
  ]);
});

function takeFrom(fromUs: number): Take {
  return { index: 0, speed: 1, fromUs, baseUs: 0, opening: null };
}

function sourceOf(rate: { num: number; den: number }, durationUs: number, onsets: readonly number[]): SignalSource {
  const samples = Math.max(1, Math.round((durationUs * rate.num) / rate.den / 1e6));
  const base = memorySource({
    name: 'test',
    groups: [{ rate, channels: [channel], samples: [Int32Array.from({ length: samples }, (_, index) => index % 100)] }],
  });
  const annotations = onsets
    .toSorted((a, b) => a - b)
    .map((onsetUs) => ({ onsetUs, durationUs: 1_000, type: 'annotation' as const, text: '', channels: [] }));
  const rates = Array.from({ length: Math.ceil(durationUs / 400_000) }, (_, index) => ({
    atUs: index * 400_000.5,
    value: 60 + index,
  }));
  return {
    ...base,
    annotations: async () => annotations,
    vitals: [{ stream: 'heart-rate', kind: 'ecg' }],
    numeric: async (_stream, fromUs, toUs) => rates.filter(({ atUs }) => atUs >= fromUs && atUs < toUs),
  };
}

const channel = { label: 'Cz', unit: 'uV', digitalMin: -100, digitalMax: 100, physicalMin: -100, physicalMax: 100, reference: '' };
