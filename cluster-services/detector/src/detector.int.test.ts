import { bonnSegments, readBonnSegment } from '@vitalwire/datasets';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from './backend.ts';
import { type Detector, goldenTolerance, loadDetector, type Score } from './detector.ts';
import { readGolden, readModel } from './model-file.ts';
import { buildNetwork } from './network.ts';
import { probes, probeWindows } from './training/disturbances.ts';

const lines: { level: string; details: object; message: string }[] = [];
const log = {
  info: (details: object, message: string) => void lines.push({ level: 'info', details, message }),
  warn: (details: object, message: string) => void lines.push({ level: 'warn', details, message }),
};
const scale = { label: 'EEG', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -2048, physicalMax: 2047, reference: '' };
let detector: Detector;

beforeAll(async () => {
  detector = await loadDetector({ log });
});
afterAll(() => detector.dispose());

const windowsOfSet = (set: 'Z' | 'O' | 'N' | 'F' | 'S', from: number, to: number) =>
  bonnSegments(from, to, [set]).flatMap(({ number }) => {
    const samples = Float64Array.from(readBonnSegment(set, number));
    return Array.from({ length: 23 }, (_, window) => samples.slice(window * 178, (window + 1) * 178));
  });
const share = (scores: readonly Score[], matches: (score: Score) => boolean) => scores.filter(matches).length / scores.length;

describe('backends', () => {
  test('a backend that does not load is named and the next one is taken', () => {
    const ready = lines.find(({ level }) => level === 'info');
    expect(ready?.details).toMatchObject({ backend: detector.backend, modelHash: detector.modelHash });
    if (detector.backend === 'wasm') expect(lines.find(({ level }) => level === 'warn')?.details).toMatchObject({ backend: 'tfjs-node' });
  });

  test('wasm reproduces the golden probabilities to 1e-5', async () => {
    const wasm = await loadDetector({ backend: 'wasm', log });
    const golden = readGolden();
    const scores = wasm.scoreWindows(golden.windows.map((window) => Float64Array.from(window)));
    for (const [index, { probability }] of scores.entries()) {
      // Scores are rounded to 1e-4 on top.
      if (probability !== null)
        expect(Math.abs(probability - (golden.probabilities[index] ?? Number.NaN))).toBeLessThanOrEqual(0.5e-4 + goldenTolerance);
    }
    wasm.dispose();
  });

  test('a backend whose numbers are wrong is refused, although it loads', async () => {
    const golden = readGolden();
    const wrong = {
      ...golden,
      probabilities: golden.probabilities.map((probability, index) => (index === 7 ? probability + 2e-5 : probability)),
    };
    await expect(loadDetector({ backend: 'wasm', golden: wrong })).rejects.toThrow(/differ from the golden ones/);
    await expect(loadDetector({ backend: 'wasm', golden: { ...golden, modelHash: '0' } })).rejects.toThrow(/belong to model 0/);
  });

  test('loading leaves the handling of crashes to the program', () => {
    expect(process.listeners('uncaughtException').some((listener) => /ExitStatus|throw ex/.test(String(listener)))).toBe(false);
  });

  test('a score is the same bits whatever else is in the batch: a repeated detection must be the same bytes', async () => {
    const network = buildNetwork(await openBackend(detector.backend), readModel().members);
    const rows = Array.from({ length: 130 }, (_, row) =>
      Float64Array.from({ length: 20 }, (__, feature) => 4 * Math.sin(row * 20 + feature)),
    );
    const alone = rows.map((row) => network.logits([row])[0]);
    for (const size of [2, 3, 7, 64, 130]) {
      for (let from = 0; from < rows.length; from += size)
        expect([...network.logits(rows.slice(from, from + size))]).toEqual(alone.slice(from, from + size));
    }
    network.dispose();
  });
});

describe('scores', () => {
  test('held-out segments are told apart: the report is not about another model', () => {
    const ictal = detector.scoreWindows(windowsOfSet('S', 65, 72));
    const between = detector.scoreWindows([...windowsOfSet('N', 65, 72), ...windowsOfSet('F', 65, 72)]);
    expect(share(ictal, ({ verdict }) => verdict === 'seizure')).toBeGreaterThan(0.9);
    expect(share(between, ({ verdict }) => verdict === 'seizure')).toBeLessThan(0.04);
    expect(share(between, ({ verdict }) => verdict === 'quiet')).toBeGreaterThan(0.85);
  });

  test.each(probes.map((probe) => [probe.name, probe] as const))('%s never raises a seizure', (_, probe) => {
    const windows = probeWindows(probe, 100, 178, 173.61);
    const scores = detector.scoreWindows(
      windows,
      windows.map(() => ({ min: -2048, max: 2047 })),
    );
    expect(scores.filter(({ probability }) => probability !== null)).toEqual([]);
    for (const { verdict, reason } of scores) expect(verdict === 'not-scorable' || reason === 'unlike-training').toBe(true);
  });

  test('a probability comes with a verdict by the thresholds, everything else with a reason', () => {
    const scores = detector.scoreWindows([...windowsOfSet('S', 65, 66), new Float64Array(178)]);
    for (const { probability, verdict, reason } of scores) {
      if (probability === null) expect(reason).not.toBeNull();
      else expect(verdict).toBe(probability >= detector.seizureAt ? 'seizure' : probability < detector.quietBelow ? 'quiet' : 'unsure');
    }
    expect(scores.at(-1)).toEqual({ probability: null, verdict: 'not-scorable', reason: 'flat' });
  });

  test('an unknown rate or unit is refused, never guessed', () => {
    expect(detector.refusal({ num: 17361, den: 100 }, scale)).toBeNull();
    expect(detector.refusal({ num: 34722, den: 200 }, { ...scale, unit: '\u00b5V' })).toBeNull();
    expect(detector.refusal({ num: 256, den: 1 }, scale)).toBe('rate');
    expect(detector.refusal(null, scale)).toBe('rate');
    expect(detector.refusal({ num: 17361, den: 100 }, { ...scale, unit: 'counts' })).toBe('unit');
  });

  test('a window of another length is a mistake of the caller', () => {
    expect(() => detector.scoreWindows([new Float64Array(177)])).toThrow(/178/);
  });
});
