import { expect, test } from 'vitest';
import { ledgerLines } from './ledger.ts';

const recordingId = '018f0000-0000-7000-8000-000000000001';

test('the ledger for people says how many single readings a span holds, and where a clock was set', () => {
  const lines = ledgerLines({
    recordings: [],
    spans: [
      { device: 'phone-1', stream: 'heart-rate', fromUs: 0, toUs: 60_000_000, state: 'recorded', reason: null, readings: 3 },
      { device: 'eeg-1', stream: 'eeg', fromUs: 0, toUs: 1_000_000, state: 'recorded', reason: null },
      { device: 'eeg-1', stream: 'eeg', fromUs: 1_000_000, toUs: 3_600_000_000, state: 'not-recorded', reason: 'clock-step' },
    ],
    clockSteps: [{ recordingId, device: 'eeg-1', stream: 'eeg', seq: 4, fromUs: 1_000_000, toUs: 3_600_000_000 }],
    totals: { recordings: 0, chunksStored: 0, samplesStored: 0, quarantined: 0, declaredLost: 0, missing: 0 },
  }).join('\n');
  expect(lines).toContain('recorded: 3 readings');
  expect(lines).toContain('not recorded: clock step');
  expect(lines).toContain(
    `the clock of eeg-1 (eeg) was set at chunk 4 of ${recordingId}: from 1970-01-01 00:00:01.000Z to 1970-01-01 01:00:00.000Z`,
  );
});
