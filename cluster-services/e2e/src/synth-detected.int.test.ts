import { openSyntheticPatient } from '@vitalwire/datasets';
import { loadStreamDetector } from '@vitalwire/detector';
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
