import type { DetectionInfo } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { coverageOf, type StoredRange } from './coverage.ts';
import { isKept, summarise } from './demo-summary.ts';
import { countDetections } from './ictal.ts';
import { quantile } from './quantile.ts';
import type { CaptureReport } from './stored-capture.ts';

test('everything sent is stored once: kept', () => {
  const summary = summaryOf([report('eeg', 100, [{ from: 0, to: 100 }]), report('heart-rate', 7, [{ from: 0, to: 7 }])]);
  expect(summary).toMatchObject({ samplesSent: 100, samplesStored: 100, lost: 0, duplicated: 0, readingsSent: 7, readingsStored: 7 });
  expect(isKept(summary)).toBe(true);
});

test('one sample stored twice on purpose is one duplicate, and not kept', () => {
  const summary = summaryOf([
    report('eeg', 100, [
      { from: 0, to: 100 },
      { from: 42, to: 43 },
    ]),
  ]);
  expect(summary.duplicated).toBe(1);
  expect(summary.samplesStored).toBe(100);
  expect(isKept(summary)).toBe(false);
});

test('a heart beat that was lost counts like a sample', () => {
  const summary = summaryOf([report('eeg', 10, [{ from: 0, to: 10 }]), report('heart-rate', 7, [{ from: 0, to: 6 }])]);
  expect(summary.lost).toBe(1);
  expect(isKept(summary)).toBe(false);
});

test('a demo that stored nothing at all has not kept anything', () => {
  expect(isKept(summaryOf([]))).toBe(false);
});

test('a detected window counts as inside by its centre', () => {
  const isIctal = (sample: number): boolean => sample >= 1_000 && sample < 2_000;
  const windows = [
    window(910, 'seizure'),
    window(911, 'seizure'),
    window(1_910, 'seizure'),
    window(1_911, 'seizure'),
    window(1_500, 'quiet'),
  ];
  expect(countDetections(windows, 0, isIctal)).toEqual({ windows: 5, detections: 4, inside: 2 });
  expect(countDetections([window(0, 'seizure')], 1_000, isIctal).inside).toBe(1); // a recording that begins inside its capture
});

test('quantiles are values that were measured', () => {
  expect(quantile([], 0.5)).toBe(null);
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([1, 2, 3, 4], 0.95)).toBe(4);
  expect(quantile([5], 0)).toBe(5);
});

function summaryOf(reports: readonly CaptureReport[]) {
  return summarise({
    reports,
    counts: [],
    latenciesMs: [1, 2, 3],
    backend: 'wasm',
    model: 'm',
    patients: 1,
    played: { synthetic: 1, bonn: 0 },
    seizureAlarms: 0,
    seconds: 1,
    stackReadyMs: 1,
    firstSampleMs: 1,
    drained: true,
    resends: 0,
    label: '',
    latencyNote: '',
  });
}

function report(stream: CaptureReport['stream'], answered: number, ranges: readonly StoredRange[]): CaptureReport {
  const of = {
    device: 'd',
    patient: 'p',
    captureId: 'c',
    recordings: [],
    chunksBySamples: new Map([[43, 1]]),
    unsent: 0,
    differences: 0,
    firstDifferences: [],
  };
  return { ...of, stream, answered, coverage: coverageOf([{ from: 0, to: answered }], ranges), chunks: ranges.length };
}

// 178 samples long: the centre is 89 samples after the first.
function window(firstSample: number, verdict: DetectionInfo['verdict']): DetectionInfo {
  const of = { window: 0, channel: 0, modelHash: '', modelVersion: '', probability: 0.9, reason: null, measuredAtUs: 0, committedAtUs: 0 };
  return { ...of, firstSample, samples: 178, verdict, baseline: null, channelProbabilities: [] };
}
