import { openSyntheticPatient } from '@vitalwire/datasets';
import { loadStreamDetector } from '@vitalwire/detector';
import { AlarmEngine, type AlarmRecord } from '@vitalwire/vitals';
import { afterAll, expect, test } from 'vitest';

const hertz = 128;
const rate = { num: hertz, den: 1 };
const CALM_S = 330;
const LOOPS = 3;

const detector = await loadStreamDetector();
afterAll(() => detector.dispose());

/** Five and a half calm minutes, then half an hour of seizure: the strongest part of a synthetic one, again and again. */
const patient = openSyntheticPatient({
  seed: 3,
  channels: 2,
  rate,
  durationS: CALM_S + 600,
  seizures: [{ onsetS: CALM_S, durationS: 600 }],
  artefacts: 'none',
});
const [group] = patient.groups;
const whole = await patient.read(0, 0, (CALM_S + 590) * hertz);
const seconds = CALM_S + 590 + LOOPS * 420;
const samples = new Int32Array(2 * seconds * hertz);
for (const [channel, values] of whole.entries()) {
  samples.set(values, channel * seconds * hertz);
  const again = values.subarray((CALM_S + 150) * hertz, (CALM_S + 570) * hertz);
  for (let loop = 0; loop < LOOPS; loop++) samples.set(again, channel * seconds * hertz + values.length + loop * again.length);
}

test.each([1, 0.5, 0.3])('half an hour of seizure at gain %d is one alarm that goes on, and no window of it is quiet', (gain) => {
  const scale = (group?.channels ?? []).map((channel) => ({
    ...channel,
    physicalMin: channel.physicalMin * gain,
    physicalMax: channel.physicalMax * gain,
  }));
  const windows = detector.openStream(rate, scale).push({ firstSample: 0, samplesPerChannel: seconds * hertz, samples });
  const engine = new AlarmEngine({ sender: 'test' });
  const records: AlarmRecord[] = [];
  const scores = detector.score(windows);
  for (const { window, firstSample, samples: length, probability, verdict, reason, channel } of scores) {
    const toUs = Math.round(((firstSample + length) * 1e6) / hertz);
    const fromUs = Math.round((firstSample * 1e6) / hertz);
    const input = {
      device: 'd',
      key: `r/m/${window}`,
      model: 'm',
      fromUs,
      toUs,
      hopUs: 1e6,
      probability,
      verdict,
      reason,
      channel,
      replay: null,
    };
    records.push(...engine.detection(input, toUs));
  }
  const seizing = scores.filter(({ window }) => window >= CALM_S + 2);
  expect(seizing.length).toBeGreaterThan(1800);
  expect(seizing.filter(({ verdict }) => verdict === 'quiet')).toEqual([]);
  expect(seizing.filter(({ verdict }) => verdict === 'seizure').length).toBeGreaterThan(0.99 * seizing.length);
  const alarms = records.filter(({ condition }) => condition === 'seizure');
  expect(alarms.filter(({ transition }) => transition === 'raised')).toHaveLength(1);
  expect(alarms.filter(({ endedUs }) => endedUs !== null)).toEqual([]);
  const [open] = engine.now().alarms;
  expect(open).toMatchObject({ condition: 'seizure', state: 'active', endedUs: null });
  expect(Math.abs((open?.onsetUs ?? 0) / 1e6 - CALM_S)).toBeLessThan(5);
});
