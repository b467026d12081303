import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Client } from '@vitalwire/client';
import { memorySource, openSource, openSyntheticPatient } from '@vitalwire/datasets';
import { makeRecordings, VirtualClock } from '@vitalwire/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ReplayedPatients } from '../compare/expectation.ts';
import { verifyReplays } from '../compare/verification.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { chooseSources } from './choose-sources.ts';
import { countOf, type Play } from './manifest.ts';
import { Replay } from './replay.ts';
import { blockOf, TestIntake } from './test-intake.ts';
import { virtualPatient } from './virtual-patient.ts';

const files = mkdtempSync(path.join(tmpdir(), 'vw-made-'));
beforeAll(() => makeRecordings(files));
afterAll(() => rmSync(files, { recursive: true }));
const never = new AbortController().signal;
let root = '';
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('each group of equal rate is a device of its own, and an interruption is a jump of its positions', async () => {
  for (const name of ['mixed-rates.bdf', 'interrupted.edf', 'two-rates.edf']) {
    const file = path.join(files, name);
    const { replay, blocks } = await played([file]);
    const source = await openSource(file);
    expect(replay.patients[0]?.eeg).toHaveLength(source.groups.length);
    for (const [index, group] of source.groups.entries()) {
      const { num, den } = group.rate;
      const device = replay.patients[0]?.eeg[index]?.device;
      const sent = blocks.filter((block) => block.device === device && block.samplesPerChannel > 0);
      let next = 0;
      let samples = 0;
      const jumps: number[] = [];
      for (const block of sent) {
        expect(block.sampleBits).toBe(group.sampleBits);
        if (block.firstSample !== next) jumps.push(block.firstSample);
        const rows = await source.read(index, samples, block.samplesPerChannel);
        for (const [channel, row] of rows.entries()) {
          const from = channel * block.samplesPerChannel;
          expect(Array.from(block.samples.subarray(from, from + block.samplesPerChannel))).toEqual(Array.from(row));
        }
        next = block.firstSample + block.samplesPerChannel;
        samples += block.samplesPerChannel;
      }
      expect(samples).toBe(group.stretches.reduce((sum, stretch) => sum + stretch.samples, 0));
      const starts = group.stretches.map(({ onsetUs }) => Math.round((onsetUs * num) / den / 1e6));
      expect(jumps).toEqual(starts.slice(1).filter((start, at) => start !== (starts[at] ?? 0) + (group.stretches[at]?.samples ?? 0)));
    }
    await source.close();
  }
});

test('the manifest makes every sample again, until the file is another one', async () => {
  root = mkdtempSync(path.join(tmpdir(), 'vw-file-'));
  const file = path.join(root, 'copy.edf');
  copyFileSync(path.join(files, 'interrupted.edf'), file);
  const { replay } = await played([file], { startUs: 1_000_000 });
  const manifest = replay.manifest(true);
  const capture = manifest.captures.find(({ stream }) => stream === 'eeg');
  if (capture === undefined) throw new Error('no EEG was sent');
  expect(countOf(capture.answered)).toBeGreaterThan(0);
  const patients = new ReplayedPatients(manifest);
  const expectation = await patients.expectationOf(capture);
  expect(await expectation.unsent(capture.answered)).toBe(0);
  expect(await expectation.unsent(capture.answered.map(({ from, to }) => ({ from: from + 1, to })))).toBe(capture.answered.length);
  await patients.close();

  writeFileSync(file, 'another');
  await expect(new ReplayedPatients(manifest).expectationOf(capture)).rejects.toThrow(/is not the file that was replayed: its SHA-256 is/);
  rmSync(file);
  await expect(new ReplayedPatients(manifest).expectationOf(capture)).rejects.toThrow(/which was replayed, cannot be read; put it back/);
});

test('verify compares what it can: a patient whose source is gone is named, and the whole is not called the same', async () => {
  root = mkdtempSync(path.join(tmpdir(), 'vw-file-'));
  const [gone, stays] = [path.join(root, 'gone.edf'), path.join(root, 'stays.edf')];
  for (const file of [gone, stays]) copyFileSync(path.join(files, 'two-rates.edf'), file);
  const { replay } = await played([gone, stays]);
  const manifest = replay.manifest(true);
  const [first, second] = manifest.patients.map(({ id }) => id);
  rmSync(gone);
  const nothingStored = { eachRecording: async function* () {} } as unknown as Client;
  const result = await verifyReplays(nothingStored, { manifests: [manifest], agent: null, signal: never });
  expect(result.notCompared).toEqual([
    { replay: manifest.id, patient: first, reason: expect.stringMatching(/gone\.edf, which was replayed, cannot/) },
  ]);
  expect(result.captures).toBe(manifest.captures.filter(({ patient }) => patient === second).length);
  expect(result).toMatchObject({ same: false });
  rmSync(stays);
  await expect(verifyReplays(nothingStored, { manifests: [manifest], agent: null, signal: never })).rejects.toThrow(/gone\.edf/);
});

test('more channels than a device sends are refused with the way out, and are no bug', async () => {
  const channel = { label: 'x', unit: 'uV', digitalMin: -1, digitalMax: 1, physicalMin: -1, physicalMax: 1, reference: '' };
  const channels = Array.from({ length: 257 }, (_, index) => ({ ...channel, label: `c${index}` }));
  const samples = channels.map(() => new Int32Array(10));
  const source = memorySource({ name: 'wide.edf', groups: [{ rate: { num: 10, den: 1 }, channels, samples }] });
  const play = { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null };
  await expect(virtualPatient('p', 0, source, play)).rejects.toThrow(
    /wide\.edf has 257 channels .* at most 256: name those to send with --channels/,
  );
  expect((await virtualPatient('p', 0, source, { ...play, channels: ['c0', 'c256'] })).eeg[0]?.channels).toHaveLength(2);
});

test.each([{ startUs: 1e12 }, { channels: ['nowhere'] }])('a source that cannot be played as %j asks is closed', async (asked) => {
  let closed = 0;
  const made = openSyntheticPatient({ seed: 1, channels: 1, durationS: 10, seizures: 0, artefacts: 'none' });
  const source = {
    ...made,
    close: async () => {
      closed += 1;
    },
  };
  const play = { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null, ...asked };
  await expect(virtualPatient('p', 0, source, play)).rejects.toThrow();
  expect(closed).toBe(1);
});

test('a folder is a patient for each recording, and more patients than files are copies with devices of their own', async () => {
  root = mkdtempSync(path.join(tmpdir(), 'vw-file-'));
  copyFileSync(path.join(files, 'two-rates.edf'), path.join(root, 'b.edf'));
  copyFileSync(path.join(files, 'same-label.edf'), path.join(root, 'a.EDF'));
  writeFileSync(path.join(root, 'notes.md'), 'no recording');
  const choose = (patients: number | undefined) => chooseSources({ words: [root], patients, seed: 1, synth: {}, endS: undefined });
  expect((await choose(undefined)).map((spec) => spec.kind === 'file' && path.basename(spec.path))).toEqual(['a.EDF', 'b.edf']);
  const three = await choose(3);
  const { replay } = await played([], {}, three);
  const ids = replay.patients.map(({ id }) => id);
  expect(ids[2]).toBe(`${ids[0]}-2`);
  expect(new Set(ids).size).toBe(3);
});

test('a file without signals, and one whose name must not be told', async () => {
  await expect(played([path.join(files, 'annotations.edf')])).rejects.toThrow(/holds no signals, only \d+ annotations: nothing to play/);
  const { blocks, replay } = await played([path.join(files, 'two-rates.edf')], { name: 'ward 7, bed 2' });
  expect(blocks[0]).toMatchObject({ source: 'ward 7, bed 2', replay: { speed: 0, source: 'ward 7, bed 2' } });
  expect(JSON.stringify(blocks.map((block) => ({ ...block, samples: null })))).not.toContain('two-rates');
  expect(replay.manifest(true).play.name).toBe('ward 7, bed 2');
});

async function played(words: readonly string[], play: Partial<Play> = {}, chosen?: Awaited<ReturnType<typeof chooseSources>>) {
  if (root === '') root = mkdtempSync(path.join(tmpdir(), 'vw-file-'));
  const dirs = resolveDataDir(root, {});
  mkdirSync(dirs.replays, { recursive: true });
  const sources = chosen ?? (await chooseSources({ words, patients: undefined, seed: 1, synth: {}, endS: undefined }));
  const blocks: ReturnType<typeof blockOf>[] = [];
  const intake = new TestIntake();
  const replay = await Replay.open({
    sources,
    play: { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null, ...play },
    speed: Number.POSITIVE_INFINITY,
    dirs,
    clock: new VirtualClock(),
    post: async (request) => {
      if (typeof request.body !== 'string') blocks.push(blockOf(request.body));
      return intake.post(request);
    },
  });
  await replay.run(new Map(), never, never);
  expect(replay.unfinished()).toEqual([]);
  return { replay, blocks };
}
