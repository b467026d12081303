import { openSyntheticPatient } from '@vitalwire/datasets';
import { loadStreamDetector } from '@vitalwire/detector';
import { AlarmEngine, recentRule } from '@vitalwire/vitals';
import { afterAll, expect, test } from 'vitest';

const detector = await loadStreamDetector();
afterAll(() => detector.dispose());

test('the detector finds a synthetic seizure within 5 s, calls nothing else one, and refuses what is no EEG', async () => {
  const seizure = { onsetS: 150, durationS: 30 };
  const artefacts = [
    { kind: 'mains', onsetS: 60, durationS: 12 },
    { kind: 'lead-off', onsetS: 80, durationS: 12 },
    { kind: 'muscle', onsetS: 100, durationS: 4 },
    { kind: 'blink', onsetS: 110, durationS: 0.4 },
    { kind: 'pop', onsetS: 120, durationS: 2 },
  ] as const;
  const patient = openSyntheticPatient({ seed: 21, channels: 6, durationS: 200, seizures: [seizure], artefacts });
  const [group] = patient.groups;
  if (group === undefined) throw new Error('a synthetic patient has a group');
  const stream = detector.openStream(group.rate, group.channels);
  const total = 200 * 256;
  const read = await patient.read(0, 0, total);
  const samples = new Int32Array(total * read.length);
  for (const [channel, values] of read.entries()) samples.set(values, channel * total);
  const scores = detector.score(stream.push({ firstSample: 0, samplesPerChannel: total, samples })).map((score) => ({
    ...score,
    fromS: score.firstSample / 256,
    toS: (score.firstSample + score.samples) / 256,
  }));

  const seized = scores.filter(({ verdict }) => verdict === 'seizure');
  expect(seized[0]?.toS).toBeLessThan(seizure.onsetS + 5);
  for (const { fromS, toS } of seized) expect(toS > seizure.onsetS && fromS < seizure.onsetS + seizure.durationS).toBe(true);
  for (const { fromS, toS, verdict } of scores) if (fromS >= 153 && toS <= 180) expect(verdict).toBe('seizure');
  const during = (fromS: number, toS: number) => scores.filter((score) => score.fromS >= fromS && score.toS <= toS);
  for (const { reason } of during(60, 72)) expect(reason).toBe('mains-hum');
  for (const { channelReasons } of during(80, 92))
    expect(channelReasons.filter((reason) => reason !== null)).toEqual([expect.stringMatching(/flat|railed/)]);
});

test.each([300, 200, 150, 100])(
  'a seizure at the limit of an amplifier of ±%i µV is judged by what is seen of it, and never called quiet',
  async (railUv) => {
    const rate = { num: 200, den: 1 };
    const patient = openSyntheticPatient({
      seed: 3,
      channels: 1,
      rate,
      durationS: 190,
      seizures: [{ onsetS: 120, durationS: 60 }],
      artefacts: 'none',
    });
    const [read = new Int32Array(0)] = await patient.read(0, 0, 190 * 200);
    const rail = railUv * 10; // a count is 0.1 µV
    const samples = read.map((value) => Math.max(-rail, Math.min(rail, value)));
    const scale = {
      label: 'C3',
      unit: 'uV',
      digitalMin: -rail,
      digitalMax: rail,
      physicalMin: -railUv,
      physicalMax: railUv,
      reference: '',
    };
    const scores = detector.score(detector.openStream(rate, [scale]).push({ firstSample: 0, samplesPerChannel: samples.length, samples }));
    const during = scores.filter(({ window }) => window >= 122 && window < 174);
    for (const { verdict, probability } of during) {
      expect(verdict).toBe('seizure');
      expect(probability).toBeGreaterThan(recentRule.on);
    }
    const clipped = samples.subarray(145 * 200, 175 * 200).filter((value) => Math.abs(value) >= rail).length / (30 * 200);
    expect(clipped).toBeGreaterThan(0.02); // what was refused before
  },
);

test('a calm signal that is cut off is not quiet: what was not seen is not known', () => {
  const rate = { num: 200, den: 1 };
  const random = (index: number) => Math.sin(index * 12.9898) * 2 + Math.sin(index * 3.7);
  const slow = (index: number) =>
    18 * Math.sin(index / 3.1) + 14 * Math.sin(index / 4.9 + 1) + 9 * Math.sin(index / 9.3) + 2 * random(index);
  const samples = Int32Array.from({ length: 60 * 200 }, (_, index) => Math.max(-300, Math.min(300, Math.round(10 * slow(index)))));
  const scale = { label: 'C3', unit: 'uV', digitalMin: -300, digitalMax: 300, physicalMin: -30, physicalMax: 30, reference: '' };
  const scores = detector.score(detector.openStream(rate, [scale]).push({ firstSample: 0, samplesPerChannel: samples.length, samples }));
  expect(scores.filter(({ verdict }) => verdict === 'quiet')).toEqual([]);
});

test('a seizure that stays near one electrode is an alarm that names it, and never quiet', async () => {
  const hertz = 128;
  const rate = { num: hertz, den: 1 };
  const seizure = { onsetS: 100, durationS: 60, focus: 'C3' };
  const patient = openSyntheticPatient({ seed: 3, channels: 8, rate, durationS: 200, seizures: [seizure], artefacts: 'none' });
  const channels = patient.groups[0]?.channels ?? [];
  const total = 200 * hertz;
  const samples = new Int32Array(total * channels.length);
  for (const [channel, values] of (await patient.read(0, 0, total)).entries()) samples.set(values, channel * total);
  const scores = detector.score(detector.openStream(rate, channels).push({ firstSample: 0, samplesPerChannel: total, samples }));
  const engine = new AlarmEngine({ sender: 'test' });
  const lines = scores.flatMap(({ window, firstSample, samples: length, baseline: _, complete: __, channelReasons: ___, ...score }) => {
    const [fromUs, toUs] = [firstSample, firstSample + length].map((sample) => Math.round((sample * 1e6) / hertz)) as [number, number];
    const place = { device: 'd', key: `r/m/${window}`, model: 'm', fromUs, toUs, hopUs: 1e6, replay: null };
    return engine.detection({ ...place, ...score, channelLabels: channels.map(({ label }) => label) }, toUs);
  });
  const during = scores.filter(({ window }) => window >= 103 && window < 156);
  expect(during.filter(({ verdict }) => verdict !== 'focal' && verdict !== 'seizure')).toEqual([]);
  const focal = lines.filter(({ condition }) => condition === 'focal-seizure');
  expect(focal.map(({ transition }) => transition).filter((transition) => transition !== 'updated')).toEqual([
    'raised',
    'escalated',
    'condition-ended',
  ]);
  expect(focal[0]).toMatchObject({ priority: 'medium', text: 'focal pattern at C3' });
  expect((focal[0]?.onsetUs ?? 0) / 1e6 - seizure.onsetS).toBeLessThan(5);
  expect(focal.at(-1)).toMatchObject({ state: 'latched', priority: 'high' });
});
