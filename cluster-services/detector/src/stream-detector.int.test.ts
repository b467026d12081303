import { bonnRate, bonnScale, bonnSegments, readBonnSegment } from '@vitalwire/datasets';
import { recordings, testSegments } from '@vitalwire/testkit';
import { recentRule, seizureRule } from '@vitalwire/vitals';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { channelsThatSpeak } from './channels-that-speak.ts';
import { featureNames } from './features.ts';
import type { PreparedWindow } from './stream.ts';
import { loadStreamDetector, type StreamDetector, type WindowScore } from './stream-detector.ts';
import { readStreamGolden, readStreamModel } from './stream-model.ts';
import { probes } from './training/disturbances.ts';
import { seededRandom } from './training/seeded-random.ts';

const scale = { ...bonnScale, reference: '' };
const lines: { level: string; details: object; message: string }[] = [];
const log = {
  info: (details: object, message: string) => void lines.push({ level: 'info', details, message }),
  warn: (details: object, message: string) => void lines.push({ level: 'warn', details, message }),
};
const made = await testSegments(12);
let detector: StreamDetector;

beforeAll(async () => {
  detector = await loadStreamDetector({ log });
});
afterAll(() => detector.dispose());

const prepared = (samples: Int16Array | Float64Array) =>
  detector.openStream(bonnRate, [scale]).push({ firstSample: 0, samplesPerChannel: samples.length, samples });
const scoresOfSet = (set: 'N' | 'F' | 'S', from: number, to: number) =>
  bonnSegments(from, to, [set])
    .flatMap(({ number }) => detector.score(prepared(readBonnSegment(set, number))))
    .filter(({ reason }) => reason !== 'warm-up');
const share = (scores: readonly WindowScore[], matches: (score: WindowScore) => boolean) => scores.filter(matches).length / scores.length;
const firstOf = (windows: readonly PreparedWindow[]) => {
  const found = windows.find(({ channels }) => channels[0]?.input != null);
  if (found === undefined) throw new Error('no window can be scored');
  return found;
};

describe('backends', () => {
  test('the one that is used is told, and the one that does not load', () => {
    expect(lines.find(({ level }) => level === 'info')?.details).toMatchObject({
      backend: detector.backend,
      modelHash: detector.modelHash,
    });
    if (detector.backend === 'wasm') expect(lines.find(({ level }) => level === 'warn')?.details).toMatchObject({ backend: 'tfjs-node' });
  });

  test('a backend whose numbers are wrong is refused, although it loads; golden outputs of another model too', async () => {
    const golden = readStreamGolden();
    const wrong = {
      ...golden,
      probabilities: golden.probabilities.map((probability, index) => (index === 7 ? probability + 2e-5 : probability)),
    };
    await expect(loadStreamDetector({ backend: 'wasm', golden: wrong })).rejects.toThrow(/differ from the golden ones/);
    await expect(loadStreamDetector({ backend: 'wasm', golden: { ...golden, modelHash: '0' } })).rejects.toThrow(/belong to model 0/);
  });

  test('a score is the same whatever else is in the call', () => {
    const windows = [...prepared(made('ictal', 10)), ...prepared(made('calm', 10))];
    const alone = windows.map((window) => detector.score([window])[0]);
    expect(detector.score(windows)).toEqual(alone);
    expect(detector.score(windows.toReversed()).toReversed()).toEqual(alone);
  });

  test('a prepared window survives the way to another thread', () => {
    const windows = prepared(made('ictal', 1));
    expect(detector.score(structuredClone(windows))).toEqual(detector.score(windows));
  });
});

describe('scores', () => {
  test.skipIf(!recordings('bonn').here)('held-out segments are told apart: the report is not about another model', () => {
    const ictal = scoresOfSet('S', 65, 72);
    const between = [...scoresOfSet('N', 65, 72), ...scoresOfSet('F', 65, 72)];
    expect(share(ictal, ({ verdict }) => verdict === 'seizure')).toBeGreaterThan(0.9);
    expect(share(between, ({ verdict }) => verdict === 'seizure')).toBeLessThan(0.04);
    expect(share(between, ({ verdict }) => verdict === 'quiet')).toBeGreaterThan(0.85);
  });

  test.each(probes.map((probe) => [probe.name, probe] as const))('%s never gets a probability', (_, probe) => {
    const random = seededRandom(1);
    const samples = Float64Array.from({ length: 174 * 20 }, (__, index) =>
      Math.max(-2048, Math.min(2047, probe.at(index, 173.61, random))),
    );
    const scores = detector.score(prepared(samples)).filter(({ reason }) => reason !== 'warm-up');
    expect(scores.length).toBeGreaterThan(14);
    expect(scores.filter(({ probability }) => probability !== null)).toEqual([]);
    for (const { verdict, reason } of scores) expect(verdict === 'not-scorable' || reason === 'unlike-training').toBe(true);
  });

  test('a probability comes with a verdict by the thresholds, everything else with a reason', () => {
    for (const { probability, verdict, reason, baseline } of detector.score(prepared(made('ictal', 6)))) {
      if (probability === null) {
        expect(reason).not.toBeNull();
        expect(baseline).toBeNull();
      } else expect(verdict).toBe(probability >= detector.seizureAt ? 'seizure' : probability < detector.quietBelow ? 'quiet' : 'unsure');
    }
  });

  test('the first two seconds are calibrating, a flat line is not scorable, and neither is quiet', () => {
    const [first, , third] = detector.score(prepared(new Int16Array(174 * 8)));
    expect(first).toMatchObject({ verdict: 'calibrating', reason: 'warm-up', probability: null });
    expect(third).toMatchObject({ verdict: 'not-scorable', reason: 'flat', probability: null });
  });
});

describe('channels', () => {
  let calm: PreparedWindow;
  let ictal: PreparedWindow;
  beforeAll(() => {
    calm = firstOf(prepared(made('calm', 6).subarray(0, 174 * 8)));
    ictal = firstOf(prepared(made('ictal', 6).subarray(0, 174 * 8)));
  });
  const together = (parts: readonly PreparedWindow[]): PreparedWindow => ({
    ...ictal,
    channels: parts.flatMap(({ channels }) => channels),
  });
  const scoreOf = (parts: readonly PreparedWindow[]) => {
    const [score] = detector.score([together(parts)]);
    if (score === undefined) throw new Error('one window gives one score');
    return score;
  };

  test('with one channel the recording has its probability; each keeps its own', () => {
    const alone = scoreOf([ictal]);
    expect(alone.probability).toBe(alone.channelProbabilities[0]);
    const two = scoreOf([calm, ictal]);
    expect(two.channelProbabilities[1]).toBe(alone.probability);
    expect(two).toMatchObject({ probability: alone.probability, channel: 1 });
  });

  test.each(Array.from({ length: 64 }, (_, index) => index + 1))(
    'of %i channels, whether 1, 2, 3 or all seize, it can alarm',
    (channels) => {
      const certain = ictal; // its probability is above every threshold
      expect(scoreOf([certain]).probability).toBeGreaterThan(recentRule.on);
      for (const seizing of [1, 2, 3, channels].filter((count) => count <= channels)) {
        const score = scoreOf(Array.from({ length: channels }, (_, index) => (index < seizing ? certain : calm)));
        expect(score.probability).toBeGreaterThanOrEqual(recentRule.on);
        expect(score.verdict).toBe(seizing >= channelsThatSpeak(channels) ? 'seizure' : 'focal');
        expect(score.channelProbabilities.filter((value) => (value ?? 0) >= recentRule.on)).toHaveLength(seizing);
      }
      expect(scoreOf(Array.from({ length: channels }, () => calm)).verdict).toBe('quiet');
    },
  );

  test('a recording most of whose channels cannot be scored is not called quiet', () => {
    const flat: PreparedWindow = { ...calm, channels: [{ input: null, reason: 'flat' }] };
    expect(scoreOf([calm, flat, flat])).toMatchObject({ verdict: 'unsure', reason: 'few-channels' });
    expect(scoreOf([calm, calm, flat])).toMatchObject({ verdict: 'quiet', reason: null });
    expect(scoreOf([flat, flat])).toMatchObject({ verdict: 'not-scorable', reason: 'flat', channelProbabilities: [null, null] });
  });
});

describe('explanations', () => {
  test('every feature is told once, strongest first, with what it changed', () => {
    const window = firstOf(prepared(made('ictal', 7)));
    const told = detector.explain(window, 0);
    expect(told.map(({ feature }) => feature).sort()).toEqual([...featureNames].sort());
    const sizes = told.map(({ change }) => Math.abs(change));
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    const [strongest] = told;
    const at = featureNames.indexOf(strongest?.feature ?? '');
    const [channel] = window.channels;
    const input = channel?.input;
    if (input == null || channel?.input == null || strongest === undefined) throw new Error('the window can be scored');
    const replaced = { ...channel, input: input.map((value, index) => (index === at ? strongest.usual : value)) };
    const [asIs, without] = detector.score([window, { ...window, channels: [replaced] }]);
    expect(asIs?.probability).toBeCloseTo((without?.probability ?? Number.NaN) + strongest.change, 3);
  });

  test('a channel without a probability has nothing to explain', () => {
    const [masked] = prepared(made('ictal', 7));
    if (masked === undefined) throw new Error('there are windows');
    expect(detector.explain(masked, 0)).toEqual([]);
    expect(detector.explain(masked, 7)).toEqual([]);
  });
});

test('the thresholds of windows and of alarms are one story: what a window is called, alarms when it lasts', () => {
  expect(detector.seizureAt).toBe(seizureRule.lasting?.on);
  expect(recentRule.on).toBe(seizureRule.on);
});

test('the shipped model names its hash, its features and segments 001-064 alone', () => {
  const model = readStreamModel();
  expect(model.hash).toBe(readStreamGolden().modelHash);
  expect(model.file.trainedOn).toBe('Bonn segments 001-064 of sets Z, O, N, F, S');
  expect(model.file.features).toEqual(featureNames);
});
