import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SignalSource } from '../signal-source.ts';
import { type ArtefactKind, artefactKinds, type SynthOptions } from './synth-options.ts';
import { openSyntheticPatient } from './synthetic-patient.ts';

const rateHz = 256;
const quiet: SynthOptions = { seizures: 0, artefacts: 'none' };

test('same seed, same bytes; another seed, others', async () => {
  const digest = async (seed: number) => {
    const patient = openSyntheticPatient({ seed, channels: 5, durationS: 120, seizures: 60, artefacts: everyArtefact(120) });
    const hash = createHash('sha256');
    for (const samples of await patient.read(0, 0, 120 * rateHz)) hash.update(new Uint8Array(samples.buffer));
    return hash.digest('hex');
  };
  expect(await digest(7)).toBe(await digest(7));
  expect(await digest(7)).not.toBe(await digest(8));
  // Pinned: a recording made here and one made elsewhere or later must be the same.
  expect(await digest(7)).toMatchInlineSnapshot(`"57168daca68d6f9168ae56c498e4f57aaf95f32f2599208e1ee2fc4d3e11ee11"`);
});

test('samples read in any order, pieces and choice of channels are the samples read at once', async () => {
  const options: SynthOptions = {
    seed: 3,
    channels: 4,
    rate: { num: 17361, den: 100 },
    durationS: 90,
    seizures: 80 / 90,
    artefacts: everyArtefact(90),
  };
  const whole = await openSyntheticPatient(options).read(0, 0, 15_624);
  const piece = fc.record({ from: fc.nat(15_623), count: fc.nat(6_000), channel: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 5 }), async (pieces) => {
      const patient = openSyntheticPatient(options);
      for (const { from, count, channel } of pieces) {
        const taken = Math.min(count, 15_624 - from);
        const [read] = await patient.read(0, from, taken, [channel]);
        expect(read).toEqual(whole[channel]?.slice(from, from + taken));
      }
    }),
    { numRuns: 30 },
  );
});

test('nothing jumps where one block meets the next', async () => {
  const patient = openSyntheticPatient({ ...quiet, seed: 5, channels: 6, durationS: 400 });
  for (const samples of await patient.read(0, 0, 400 * rateHz)) {
    const steps = samples.slice(1).map((value, index) => Math.abs(value - (samples[index] ?? 0)));
    const atBlocks = steps.filter((_, index) => (index + 1) % (16 * rateHz) === 0);
    expect(atBlocks.length).toBe(24);
    expect(rms(atBlocks)).toBeLessThan(1.8 * rms(steps));
  }
});

test('the background stays between 12 and 45 µV, a seizure between 70 and 300 µV and at least 3 times above it, on every channel', async () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    for (const channels of [1, 19, 'chb-mit'] as const) {
      const patient = openSyntheticPatient({ seed, channels, durationS: 90, artefacts: 'none', seizures: [{ onsetS: 40, durationS: 30 }] });
      const before = await patient.read(0, 0, 39 * rateHz);
      const during = await patient.read(0, 45 * rateHz, 24 * rateHz);
      for (const [channel, samples] of during.entries()) {
        const [quietUv, seizedUv] = [deviation(before[channel]) / 10, deviation(samples) / 10];
        expect(quietUv).toBeGreaterThan(12);
        expect(quietUv).toBeLessThan(45);
        expect(seizedUv).toBeGreaterThan(Math.max(70, 3 * quietUv));
        expect(seizedUv).toBeLessThan(300);
      }
    }
  }
});

test('a seizure starts at its onset, grows, slows from above 3 Hz to below, and ends at its end', async () => {
  for (const seed of [1, 2, 3]) {
    const patient = openSyntheticPatient({
      seed,
      channels: ['Fz'],
      durationS: 100,
      artefacts: 'none',
      seizures: [{ onsetS: 30, durationS: 40 }],
    });
    const at = async (fromS: number, toS: number) =>
      (await patient.read(0, Math.round(fromS * rateHz), Math.round((toS - fromS) * rateHz)))[0];
    const [before, early, late, after] = [await at(20, 30), await at(31, 35), await at(55, 65), await at(70, 80)];
    expect(deviation(early)).toBeGreaterThan(2.5 * deviation(before));
    expect(deviation(late)).toBeGreaterThan(1.3 * deviation(early));
    expect(deviation(after)).toBeLessThan(2.5 * deviation(before));
    expect(strongestHz(early ?? new Int32Array(), 2, 5)).toBeGreaterThan(3);
    const lateHz = strongestHz(late ?? new Int32Array(), 2, 5);
    expect(lateHz).toBeGreaterThan(2.4);
    expect(lateHz).toBeLessThan(3.3);
  }
});

test('power falls with frequency, and alpha stands out at the back when the eyes are closed', async () => {
  const patient = openSyntheticPatient({ ...quiet, seed: 2, channels: ['O1', 'Fz'], durationS: 300 });
  const closed = patient.schedule.eyesClosed.find(({ fromS, toS }) => toS - fromS > 12 && toS < 300);
  const open = patient.schedule.eyesClosed.flatMap(({ toS }, index, spans) => {
    const next = spans[index + 1]?.fromS ?? 0;
    return next - toS > 12 ? [{ fromS: toS, toS: next }] : [];
  })[0];
  if (closed === undefined || open === undefined) throw new Error('five minutes have both');
  const part = async (span: { fromS: number }) => patient.read(0, Math.ceil((span.fromS + 1) * rateHz), 10 * rateHz);
  const [closedO1 = new Int32Array(), closedFz = new Int32Array()] = await part(closed);
  const [openO1 = new Int32Array()] = await part(open);
  expect(bandPower(closedO1, 8, 12)).toBeGreaterThan(5 * bandPower(openO1, 8, 12));
  expect(bandPower(closedO1, 8, 12)).toBeGreaterThan(5 * bandPower(closedFz, 8, 12));
  const [all = new Int32Array()] = await patient.read(0, 0, 60 * rateHz, [1]);
  const density = [1, 3, 6, 20, 50].map((hz) => bandPower(all, hz, hz * 1.3) / (hz * 0.3));
  for (const [index, value] of density.slice(1).entries()) expect(value).toBeLessThan(density[index] ?? 0);
  // 1/f to 1/f²: from 1 to 20 Hz power falls by 20 to 400.
  expect((density[0] ?? 0) / (density[3] ?? 1)).toBeGreaterThan(15);
  expect((density[0] ?? 0) / (density[3] ?? 1)).toBeLessThan(400);
});

test('every artefact looks like itself, where it is and nowhere else', async () => {
  const place = { onsetS: 20, durationS: 10 };
  const of = async (kind: ArtefactKind, channels: SynthOptions['channels'] = 19, durationS = place.durationS) => {
    const patient = openSyntheticPatient({ seed: 4, channels, durationS: 60, seizures: 0, artefacts: [{ kind, onsetS: 20, durationS }] });
    const plain = openSyntheticPatient({ ...quiet, seed: 4, channels, durationS: 60 });
    const all = await patient.read(0, 0, 60 * rateHz);
    const without = await plain.read(0, 0, 60 * rateHz);
    const added = all.map((samples, channel) => samples.map((value, index) => value - (without[channel]?.[index] ?? 0)));
    for (const samples of added) {
      expect(samples.slice(0, 20 * rateHz).every((value) => value === 0)).toBe(true);
      expect(samples.slice((20 + durationS) * rateHz).every((value) => value === 0)).toBe(true);
    }
    const [, note] = await patient.annotations();
    const labels = patient.groups[0]?.channels.map(({ label }) => label) ?? [];
    return { all, added, inside: added.map((samples) => samples.slice(20 * rateHz, (20 + durationS) * rateHz)), note, labels };
  };

  const blink = await of('blink', 19, 0.5);
  const peak = (label: string) => Math.max(...(blink.inside[blink.labels.indexOf(label)] ?? [])) / 10;
  expect(peak('Fp1')).toBeGreaterThan(90);
  expect(peak('O1')).toBeLessThan(5);
  expect(blink.note).toMatchObject({
    text: 'synthetic artefact: blink',
    type: 'annotation',
    channels: expect.arrayContaining(['Fp1', 'Fp2']),
  });

  const muscle = (await of('muscle')).inside.sort((a, b) => deviation(b) - deviation(a))[0] ?? new Int32Array();
  expect(deviation(muscle) / 10).toBeGreaterThan(15);
  expect(bandPower(muscle, 20, 120)).toBeGreaterThan(5 * bandPower(muscle, 0.5, 15));

  for (const samples of (await of('mains', 3)).inside)
    expect(bandPower(samples, 48, 52)).toBeGreaterThan(0.8 * bandPower(samples, 0.5, 120));

  const pops = (await of('pop')).inside.filter((samples) => deviation(samples) > 0);
  expect(pops.length).toBe(1);
  expect(Math.max(...(pops[0] ?? []).map(Math.abs)) / 10).toBeGreaterThan(190);
  // It jumps within 10 ms and needs a second to come back.
  expect(Math.max(...(pops[0] ?? []).slice(0, 3).map(Math.abs))).toBeGreaterThan(0.9 * Math.max(...(pops[0] ?? []).map(Math.abs)));

  const drift = (await of('drift', 19)).inside.sort((a, b) => deviation(b) - deviation(a))[0] ?? new Int32Array();
  expect(deviation(drift) / 10).toBeGreaterThan(30);
  expect(bandPower(drift, 0.1, 0.5)).toBeGreaterThan(20 * bandPower(drift, 1, 120));
});

test('an electrode that is off sticks at an end of the range or at zero, and a bipolar channel of it does too', async () => {
  const forms = new Set<number>();
  for (let seed = 0; seed < 12; seed++) {
    const patient = openSyntheticPatient({
      seed,
      channels: ['F7-T7', 'Cz'],
      durationS: 30,
      seizures: 0,
      artefacts: [{ kind: 'lead-off', onsetS: 10, durationS: 5 }],
    });
    const during = await patient.read(0, 10 * rateHz, 5 * rateHz);
    const stuck = during.filter((samples) => samples.every((value) => value === samples[0]));
    expect(stuck.length).toBe(1);
    forms.add(stuck[0]?.[0] ?? Number.NaN);
    const [, note] = await patient.annotations();
    expect(note?.text).toMatch(/^synthetic artefact: lead-off \((high|low|flat)\)$/);
    const after = await patient.read(0, 16 * rateHz, 5 * rateHz);
    for (const samples of after) expect(deviation(samples)).toBeGreaterThan(30);
  }
  expect(forms).toEqual(new Set([-32_768, 0, 32_767]));
});

test('whoever reads it learns that it is synthetic', async () => {
  const patient: SignalSource = openSyntheticPatient({ durationS: 600, seizures: 12 });
  expect(patient.synthetic).toBe(true);
  expect(patient.name).toMatch(/^synthetic/);
  const annotations = await patient.annotations();
  for (const { text } of annotations) expect(text).toMatch(/^synthetic/);
  expect(annotations.filter(({ type }) => type === 'seizure').length).toBe(2);
  expect(annotations.map(({ onsetUs }) => onsetUs)).toEqual(annotations.map(({ onsetUs }) => onsetUs).sort((a, b) => a - b));
});

test('seizures by rate are as many as said, apart from each other and inside the recording, for any seed', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 60, max: 20_000 }),
      fc.double({ min: 0.1, max: 60, noNaN: true }),
      (seed, durationS, seizures) => {
        const { schedule } = openSyntheticPatient({ seed: seed % 2 ** 31, channels: 1, durationS, seizures, artefacts: 'none' });
        expect(schedule.seizures.length).toBe(Math.max(1, Math.round((seizures * durationS) / 3600)));
        for (const [index, { fromS, toS }] of schedule.seizures.entries()) {
          expect(toS - fromS).toBeGreaterThan(10);
          expect(fromS).toBeGreaterThan(schedule.seizures[index - 1]?.toS ?? 5);
          expect(toS).toBeLessThanOrEqual(durationS);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test.each([1, 16, 50, 128, 173.61, 256, 500, 2048, 20_000])(
  '%d samples per second read as many samples as the duration holds',
  async (hz) => {
    const rate = { num: Math.round(hz * 100), den: 100 };
    const patient = openSyntheticPatient({ rate, durationS: 9.5, channels: 3, seizures: [{ onsetS: 2, durationS: 5 }] });
    const [group] = patient.groups;
    const samples = group?.stretches[0]?.samples ?? 0;
    expect(samples).toBe(Math.floor(9.5 * hz));
    for (const values of await patient.read(0, 0, samples)) expect(new Set(values).size).toBeGreaterThan(4);
  },
);

test('24 bits carry the same signal with more counts, up to the range of the amplifier', async () => {
  const options: SynthOptions = { seed: 2, channels: 2, durationS: 30, ...quiet };
  const [coarse = new Int32Array()] = await openSyntheticPatient(options).read(0, 0, 30 * rateHz);
  const patient = openSyntheticPatient({ ...options, bits: 24 });
  const [fine = new Int32Array()] = await patient.read(0, 0, 30 * rateHz);
  const scale = patient.groups[0]?.channels[0];
  if (scale === undefined) throw new Error('two channels');
  const uvPerCount = (scale.physicalMax - scale.physicalMin) / (scale.digitalMax - scale.digitalMin);
  for (const [index, count] of fine.entries()) {
    const uv = scale.physicalMin + (count - scale.digitalMin) * uvPerCount;
    expect(Math.abs(uv - (coarse[index] ?? 0) / 10)).toBeLessThanOrEqual(0.0501 + uvPerCount);
  }
});

test('256 channels have 256 labels, and the CHB-MIT set the 23 of its files', () => {
  const labels = openSyntheticPatient({ channels: 256, durationS: 1, seizures: 0 }).groups[0]?.channels.map(({ label }) => label) ?? [];
  expect(new Set(labels).size).toBe(256);
  const bipolar = openSyntheticPatient({ channels: 'chb-mit', durationS: 1, seizures: 0 }).groups[0]?.channels ?? [];
  expect(bipolar.length).toBe(23);
  expect(bipolar[0]).toMatchObject({ label: 'FP1-F7', reference: 'F7' });
});

test.each<[SynthOptions, RegExp]>([
  [{ seed: -1 }, /seed is -1, expected a whole number/],
  [{ channels: 0 }, /channels is 0, expected 1 to 256/],
  [{ channels: 257 }, /channels is 257/],
  [{ channels: [] }, /channels is 0/],
  [{ channels: ['Fp1', 'Q7'] }, /channel is "Q7", expected an electrode/],
  [{ rate: { num: 256, den: 0 } }, /rate is \{"num":256,"den":0\}/],
  [{ rate: { num: 1, den: 3 } }, /1 to 20000 samples per second/],
  [{ durationS: 0 }, /duration is 0/],
  [{ durationS: 604_801 }, /at most 604800/],
  [{ durationS: 30 }, /at least 60 s where seizures are placed by rate/],
  [{ seizures: 61 }, /seizures is 61, expected 0 to 60 per hour/],
  [{ seizures: [{ onsetS: 3_590, durationS: 20 }] }, /inside the recording of 3600 s/],
  [
    {
      seizures: [
        { onsetS: 10, durationS: 20 },
        { onsetS: 15, durationS: 20 },
      ],
    },
    /after the end of the one at 10 s/,
  ],
  [{ artefacts: { blnik: 3 } as SynthOptions['artefacts'] & object }, /artefact is "blnik", expected one of blink, muscle/],
  [{ artefacts: { blink: -3 } }, /artefacts blink is -3/],
  [{ rate: { num: 100, den: 1 }, artefacts: { mains: 1 } }, /more than 100 samples per second for an artefact of 50 Hz mains/],
  [{ bits: 12 as 16 }, /bits is 12, expected 16 or 24/],
  [{ seed: 1.5, bits: 8 as 16 }, /seed is 1.5.*; bits is 8/],
])('%j is refused in words', (options, words) => {
  expect(() => openSyntheticPatient(options)).toThrow(words);
});

test('samples that are not there are refused', async () => {
  const patient = openSyntheticPatient({ durationS: 10, channels: 2, seizures: 0 });
  await expect(patient.read(0, 2_500, 100)).rejects.toThrow(/samples 2500 to 2600; there are 2560/);
  await expect(patient.read(1, 0, 1)).rejects.toThrow(/group 1/);
  await expect(patient.read(0, 0, 1, [2])).rejects.toThrow(/channel 2; there are 2/);
});

function everyArtefact(durationS: number) {
  return artefactKinds.map((kind, index) => ({
    kind,
    onsetS: 4 + index * 3,
    durationS: Math.min(kind === 'blink' ? 0.4 : 20, durationS - 30),
  }));
}

function rms(values: Int32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

function deviation(values: Int32Array | undefined): number {
  if (values === undefined || values.length === 0) return Number.NaN;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return rms(values.map((value) => Math.round(value - mean)));
}

/** Power between two frequencies of the Hann-weighted signal, filled up with zeros to a power of two. */
function bandPower(values: Int32Array, fromHz: number, toHz: number): number {
  const power = spectrum(values);
  const perHz = (2 * power.length) / rateHz;
  return power.slice(Math.ceil(fromHz * perHz), Math.ceil(toHz * perHz)).reduce((sum, line) => sum + line, 0);
}

function strongestHz(values: Int32Array, fromHz: number, toHz: number): number {
  const power = spectrum(values);
  const perHz = (2 * power.length) / rateHz;
  const band = power.slice(Math.ceil(fromHz * perHz), Math.ceil(toHz * perHz));
  return (Math.ceil(fromHz * perHz) + band.indexOf(Math.max(...band))) / perHz;
}

function spectrum(values: Int32Array): Float64Array {
  const size = 2 ** Math.ceil(Math.log2(values.length));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const real = new Float64Array(size);
  for (const [index, value] of values.entries())
    real[index] = (value - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * index) / values.length));
  const lines = fourier(real, new Float64Array(size));
  return Float64Array.from({ length: size / 2 }, (_, line) => (lines.real[line] ?? 0) ** 2 + (lines.imaginary[line] ?? 0) ** 2);
}

/** The halves with even and odd numbers, transformed and joined. */
function fourier(real: Float64Array, imaginary: Float64Array): { real: Float64Array; imaginary: Float64Array } {
  const size = real.length;
  if (size === 1) return { real, imaginary };
  const half = (odd: number, from: Float64Array) => from.filter((_, index) => index % 2 === odd);
  const [even, odd] = [0, 1].map((parity) => fourier(half(parity, real), half(parity, imaginary)));
  const joined = { real: new Float64Array(size), imaginary: new Float64Array(size) };
  for (let line = 0; line < size / 2; line++) {
    const [c, s] = [Math.cos((2 * Math.PI * line) / size), -Math.sin((2 * Math.PI * line) / size)];
    const [oddReal, oddImaginary] = [odd?.real[line] ?? 0, odd?.imaginary[line] ?? 0];
    const [turnedReal, turnedImaginary] = [oddReal * c - oddImaginary * s, oddReal * s + oddImaginary * c];
    joined.real[line] = (even?.real[line] ?? 0) + turnedReal;
    joined.imaginary[line] = (even?.imaginary[line] ?? 0) + turnedImaginary;
    joined.real[line + size / 2] = (even?.real[line] ?? 0) - turnedReal;
    joined.imaginary[line + size / 2] = (even?.imaginary[line] ?? 0) - turnedImaginary;
  }
  return joined;
}

test('a focal seizure is strong at its electrode, weak beside it and absent on the other side; it names its channels', async () => {
  const patient = openSyntheticPatient({
    seed: 5,
    durationS: 60,
    artefacts: 'none',
    seizures: [{ onsetS: 20, durationS: 30, focus: 'T7' }],
  });
  const [group] = patient.groups;
  const samples = await patient.read(0, 0, 60 * 256);
  const deviation = (label: string, fromS: number, toS: number): number => {
    const channel = group?.channels.findIndex((one) => one.label === label) ?? -1;
    const values = (samples[channel] ?? new Int32Array()).subarray(fromS * 256, toS * 256);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  };
  const growth = (label: string): number => deviation(label, 35, 48) / deviation(label, 2, 18);
  expect(growth('T7')).toBeGreaterThan(4);
  expect(growth('C3')).toBeLessThan(growth('T7') / 2);
  for (const far of ['T8', 'C4', 'O2', 'Fp2']) expect(growth(far), far).toBeLessThan(1.5);
  expect((await patient.annotations()).filter(({ type }) => type === 'seizure')).toEqual([
    { onsetUs: 20e6, durationUs: 30e6, type: 'seizure', text: 'synthetic seizure, focal at T7', channels: ['T7'] },
  ]);
  expect(() => openSyntheticPatient({ durationS: 60, seizures: [{ onsetS: 1, durationS: 5, focus: 'F7-T7' }] })).toThrow(
    /focus is "F7-T7", expected an electrode/,
  );
});
