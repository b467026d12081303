import type { PatientState } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { toldApart } from './told-apart.ts';

const patient = (key: string, label: string | null, id: string | null = key): PatientState => ({
  key,
  patient: id,
  label,
  devices: [],
  eeg: null,
  numerics: [],
  detection: null,
  alarms: [],
  pauses: [],
  replay: null,
});

test('a label that two patients have stands with the id, whatever its letters; a label of one stays as it is', () => {
  const shown = toldApart([
    patient('p1', 'Bed 4'),
    patient('p2', 'bed 4 '),
    patient('p3', 'Bed 5'),
    patient('p4', null),
    patient('p5', ''),
    patient('device:x', 'Bed 4', null),
  ]);
  expect(shown.map(({ label }) => label)).toEqual(['Bed 4 · p1', 'bed 4  · p2', 'Bed 5', null, '', 'Bed 4']);
});
