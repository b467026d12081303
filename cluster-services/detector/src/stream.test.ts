import { bonnRate, bonnScale, openSyntheticPatient } from '@vitalwire/datasets';
import { testSegments } from '@vitalwire/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EegStream, lookbackSamples, type PreparedWindow, RECALL_HOPS, type RecalledBaselines } from './stream.ts';
import { readStreamModel } from './stream-model.ts';

const model = readStreamModel();
const scale = { ...bonnScale, reference: '' };
const rate256 = { num: 256, den: 1 };
const calm = async (seed: number) => {
  const segment = await testSegments(17, seed);
  return Array.from({ length: 17 }, (_, index) => [...segment('calm', index + 1)]).flat();
};
const recordings = [await calm(1), await calm(2)];
/** `seconds` of two channels at 256 Hz: synthetic segments, one after the other. */
const twoChannels = (seconds: number) => {
  const samplesPerChannel = seconds * 256;
  return Int32Array.from({ length: 2 * samplesPerChannel }, (_, index) => {
    const recording = recordings[Math.floor(index / samplesPerChannel)] ?? [];
    const at = ((index % samplesPerChannel) / 256) * 173.61;
    const before = recording[Math.floor(at)] ?? 0;
    const after = recording[Math.floor(at) + 1] ?? before;
    return Math.round(before + (after - before) * (at % 1));
  });
};
const part = (all: Int32Array, from: number, to: number) => {
  const length = all.length / 2;
  return {
    firstSample: from,
    samplesPerChannel: to - from,
    samples: Int32Array.from([...all.subarray(from, to), ...all.subarray(length + from, length + to)]),
  };
};
const open = () => new EegStream(model, rate256, [scale, { ...scale, label: 'EEG 2' }]);

/** A synthetic patient who is calm for 200 s and then has a seizure of 500 s. */
const SEIZURE = { onsetS: 200, durationS: 500 } as const;
const rate128 = { num: 128, den: 1 };
const patient = openSyntheticPatient({ seed: 5, channels: 1, rate: rate128, durationS: 900, seizures: [SEIZURE], artefacts: 'none' });
const synthetic = patient.groups[0]?.channels[0] ?? scale;
const [seizing = new Int32Array(0)] = await patient.read(0, 0, 900 * 128);
const seizingFrom = (sample: number) => ({
  firstSample: sample,
  samplesPerChannel: seizing.length - sample,
  samples: seizing.subarray(sample),
});

test('the same samples give the same windows, bit by bit, however they are cut into chunks', () => {
  const all = twoChannels(20);
  const whole = open().push(part(all, 0, 20 * 256));
  expect(whole.map(({ window }) => window)).toEqual(Array.from({ length: 17 }, (_, window) => window));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 30 }), (lengths) => {
      const stream = open();
      const windows: PreparedWindow[] = [];
      for (let from = 0, next = 0; from < 20 * 256; next++) {
        const to = Math.min(20 * 256, from + (lengths[next % lengths.length] ?? 1));
        windows.push(...stream.push(part(all, from, to)));
        from = to;
      }
      expect(windows).toEqual(whole);
    }),
    { numRuns: 20 },
  );
});

test('joined anywhere, a stream that recalls what was recorded gives the same windows, bit by bit, as one that saw everything', () => {
  const open = (recalled: readonly RecalledBaselines[] = []) => new EegStream(model, rate128, [synthetic], recalled);
  const whole = open().push(seizingFrom(0));
  for (const window of [330, 395, 700]) {
    const recorded = whole.slice(window - RECALL_HOPS, window).map((each) => ({ window: each.window, levels: each.baselines }));
    const joinAt = window * 128 - lookbackSamples(rate128) - 17;
    const windows = open(recorded).push(seizingFrom(joinAt), 'unseen');
    const complete = windows.filter((each) => each.complete);
    expect(complete[0]?.window).toBe(window);
    expect(complete).toEqual(whole.slice(window));
  }
});

test('a window is judged against what its own record says, whatever came before', () => {
  const recorded = { window: 400, levels: [1234] };
  const windows = new EegStream(model, rate128, [synthetic], [recorded]).push(seizingFrom(90 * 128), 'unseen');
  expect(windows.find((each) => each.window === 400)?.baselines).toEqual([1234]);
});

test('a seizure of minutes neither ages nor moves the baseline of the calm before it', () => {
  const windows = new EegStream(model, rate128, [synthetic]).push(seizingFrom(0));
  const levelAt = (window: number) => windows[window]?.baselines[0] ?? Number.NaN;
  const before = levelAt(SEIZURE.onsetS - 10);
  for (let window = SEIZURE.onsetS; window < SEIZURE.onsetS + SEIZURE.durationS; window++)
    expect(Math.abs(levelAt(window) - before)).toBeLessThan(25); // 2.5 %
});

test('a copy goes on as its original does, and neither sees what is pushed to the other', () => {
  const all = twoChannels(90);
  const whole = open().push(part(all, 0, 90 * 256));
  const stream = open();
  stream.push(part(all, 0, 80 * 256 + 5));
  const copy = stream.clone();
  stream.push(part(all, 85 * 256, 90 * 256)); // a hole for the original alone
  expect(copy.push(part(all, 80 * 256 + 5, 90 * 256))).toEqual(whole.slice(-10));
});

test('a predecessor that joins without a gap is pushed under negative numbers', () => {
  const all = twoChannels(120);
  const whole = open().push(part(all, 0, 120 * 256));
  const stream = open();
  const moved = (chunk: ReturnType<typeof part>) => ({ ...chunk, firstSample: chunk.firstSample - 100 * 256 }); // 100 s are 17361 samples of the chain
  const windows = [...stream.push(moved(part(all, 0, 7000))), ...stream.push(moved(part(all, 7000, 120 * 256)))];
  expect(windows.map(({ channels }) => channels)).toEqual(whole.map(({ channels }) => channels));
  expect(windows.map(({ window }) => window)).toEqual(whole.map(({ window }) => window - 100));
});

test('samples seen before are dropped, a hole is never bridged and masks two seconds', () => {
  const all = twoChannels(30);
  const stream = open();
  const before = stream.push(part(all, 0, 10 * 256));
  expect(stream.push(part(all, 0, 10 * 256))).toEqual([]);
  expect(before.filter(({ channels }) => channels[0]?.input === null).map(({ window }) => window)).toEqual([0, 1]);
  const after = stream.push(part(all, 11 * 256 + 1, 30 * 256));
  expect(after[0]?.firstSample).toBe(12 * 256);
  const masked = after.filter(({ channels }) => channels.every((channel) => channel.input === null && channel.reason === 'warm-up'));
  expect(masked.map(({ window }) => window)).toEqual([12, 13]);
  expect(after.every(({ complete }) => complete)).toBe(true);
});

test('a channel that is no voltage, and a rate nobody trained for, are refused and never guessed', () => {
  const all = twoChannels(10);
  const counts = new EegStream(model, rate256, [scale, { ...scale, unit: 'counts' }]).push(part(all, 0, 2560));
  expect(counts.at(-1)?.channels.map((channel) => (channel.input === null ? channel.reason : 'input'))).toEqual(['input', 'unit']);
  for (const num of [50, 4096]) {
    const windows = new EegStream(model, { num, den: 1 }, [scale]).push({
      firstSample: 0,
      samplesPerChannel: num * 5,
      samples: new Int16Array(num * 5),
    });
    expect(windows.map(({ channels }) => channels)).toEqual([[{ input: null, reason: 'rate' }], [{ input: null, reason: 'rate' }]]);
  }
});

test('a baseline of its own takes over after a minute of calm signal', () => {
  const stream = new EegStream(model, bonnRate, [scale]);
  const samples = Int16Array.from((recordings[0] ?? []).slice(0, 4 * 4097));
  const windows = stream.push({ firstSample: 0, samplesPerChannel: samples.length, samples });
  const kinds = windows.flatMap(({ channels: [channel] }) => (channel?.input == null ? [] : [channel.baseline]));
  expect(kinds.indexOf('own')).toBeGreaterThan(50);
  expect(kinds.slice(kinds.indexOf('own')).every((kind) => kind === 'own')).toBe(true);
});
