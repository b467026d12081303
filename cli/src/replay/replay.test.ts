import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EventsIntake } from '@vitalwire/contract';
import { VirtualClock } from '@vitalwire/testkit';
import { afterEach, expect, test } from 'vitest';
import { resolveDataDir } from '../stack/data-dir.ts';
import { parseFaultScript } from './faults/read-script.ts';
import type { IntakeRequest } from './intake-client.ts';
import { type Play, readManifest } from './manifest.ts';
import { Replay, type ReplayOptions } from './replay.ts';
import { openSpec, type SourceSpec } from './source-spec.ts';
import { blockOf, TestIntake } from './test-intake.ts';

const START_MS = Date.UTC(2026, 0, 1);
const never = new AbortController().signal;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const synth: SourceSpec = { kind: 'synth', settings: { seed: 3, durationS: 60, channels: 2, artefacts: 'none', seizures: 60 } };

test('an hour at 1x: every block leaves at its moment, every time is computed from the first, and no sample is missing', async () => {
  const bed = await bedOf({ sources: [synth], play: { loop: true }, forMs: 3_600_000 });
  await bed.play(3_601_000);
  const blocks = bed.eeg('synth-01-eeg');
  let next = 0;
  for (const { block, sentMs } of blocks.slice(0, -1)) {
    expect(block.firstSample).toBe(next);
    next += block.samplesPerChannel;
    expect(block.measuredAtUs - START_MS * 1_000).toBe(Math.round((block.firstSample * 1e6) / 256));
    expect(sentMs).toBeCloseTo((next * 1_000) / 256, 3);
  }
  expect(next + (blocks.at(-1)?.block.samplesPerChannel ?? 0)).toBe(3_600 * 256);
  expect(blocks.at(-1)?.block.end).toBe(true);
  expect(bed.replay.unfinished()).toEqual([]);
}, 60_000);

test.each([1, 20, Number.POSITIVE_INFINITY])('at %s x a dead port does not keep a replay beyond its own end', async (speed) => {
  const post = async () => ({ kind: 'failed', reason: 'ECONNREFUSED' }) as const;
  const bed = await bedOf({ sources: [synth], play: { loop: true }, speed, forMs: 10_000, post });
  await bed.play(100_000); // would hang here
  expect(bed.replay.progress().tookMs).toBeLessThan(Number.isFinite(speed) ? 30_000 : 65_000);
  expect(bed.replay.unfinished()[0]).toMatch(/ECONNREFUSED/);
});

test('answers that come back before the end of a replay are still waited for, and a paused replay ends as it was told', async () => {
  let isDead = true;
  const intake = new TestIntake();
  const post = async (request: IntakeRequest) => (isDead ? { kind: 'failed' as const, reason: 'ECONNREFUSED' } : intake.post(request));
  const bed = await bedOf({ sources: [synth], play: { loop: true }, forMs: 10_000, post });
  bed.clock.setTimer(15_000, () => {
    isDead = false;
  });
  await bed.play(40_000);
  expect(bed.replay.unfinished()).toEqual([]);
  expect(bed.replay.progress().samplesSent).toBe(2_560);
  const paused = await bedOf({ sources: [synth], play: { loop: true }, forMs: 10_000 });
  paused.clock.setTimer(2_000, () => paused.replay.transport.pause());
  await paused.play(40_000);
  expect(paused.replay.progress().tookMs).toBeLessThan(12_000);
});

test('events come at their moments, never before the samples of that moment, and every new round says so', async () => {
  for (const speed of [1, 20, Number.POSITIVE_INFINITY]) {
    const bed = await bedOf({ sources: [synth], play: { loop: true }, speed, forMs: Number.isFinite(speed) ? 150_000 / speed : 150_000 });
    await bed.play(160_000);
    const events = bed.events('synth-01-eeg');
    expect(events.filter(({ type }) => type === 'replay-loop').map(({ atUs }) => atUs - START_MS * 1_000)).toEqual([
      60_000_000, 120_000_000,
    ]);
    expect(events.some(({ type, durationUs }) => type === 'seizure' && (durationUs ?? 0) > 0)).toBe(true);
    for (const event of events) {
      const before = bed.eeg('synth-01-eeg').filter(({ order }) => order < event.order);
      const seenUs = Math.max(0, ...before.map(({ block }) => block.measuredAtUs + (block.samplesPerChannel * 1e6) / 256));
      if (Number.isFinite(speed)) expect(event.sentMs * 1_000 * speed).toBeGreaterThanOrEqual(event.atUs - START_MS * 1_000 - 1);
      else expect(seenUs).toBeGreaterThanOrEqual(event.atUs);
    }
  }
});

test('a change of speed and a seek begin new captures whose speed and events say so, and no device clock goes back', async () => {
  const bed = await bedOf({ sources: [synth] });
  const done = bed.start();
  await bed.clock.advance(10_100);
  bed.replay.transport.setSpeed(4);
  await bed.clock.advance(5_000);
  bed.replay.transport.seek(2_000_000);
  await bed.clock.advance(1_000);
  bed.replay.transport.setSpeed(1);
  await bed.clock.advance(2_000);
  bed.stop();
  await bed.clock.advance(100);
  await done;
  const captures = Object.groupBy(bed.eeg('synth-01-eeg'), ({ block }) => block.captureId);
  const inOrder = Object.values(captures).map((one) => one ?? []);
  expect(inOrder.map((one) => one[0]?.block.replay?.speed)).toEqual([1, 4, 4, 1]);
  expect(inOrder.map((one) => one.reduce((sum, { block }) => sum + block.samplesPerChannel, 0))).toEqual([
    Math.floor(10.1 * 256),
    Math.floor(30.1 * 256) - Math.floor(10.1 * 256),
    4 * 256,
    2 * 256,
  ]);
  expect(inOrder.every((one) => one.at(-1)?.block.end === true)).toBe(true);
  let lastUs = 0;
  for (const { block } of inOrder.flat()) {
    expect(block.measuredAtUs).toBeGreaterThanOrEqual(lastUs - 1_000_000 / 256);
    lastUs = block.measuredAtUs + (block.samplesPerChannel * 1e6) / 256;
  }
  expect(bed.events('synth-01-eeg').flatMap(({ type }) => (type.startsWith('replay-') ? [type] : []))).toEqual([
    'replay-speed',
    'replay-seek',
    'replay-speed',
  ]);
  expect(readManifest(bed.replay.manifestFile).takes.map(({ speed, fromUs }) => [speed, Math.round(fromUs / 1_000)])).toEqual([
    [1, 0],
    [4, 10_100],
    [4, 2_000],
    [1, 6_000],
  ]);
});

test('while it is paused nothing is sent; afterwards it goes on with the next sample and the present time', async () => {
  const bed = await bedOf({ sources: [synth] });
  const done = bed.start();
  await bed.clock.advance(5_000);
  bed.replay.transport.pause();
  await bed.clock.advance(10);
  const sent = bed.requests.length;
  await bed.clock.advance(30_000);
  expect(bed.requests).toHaveLength(sent);
  expect(bed.replay.transport.state).toMatchObject({ state: 'paused', lineUs: 5_000_000 });
  bed.replay.transport.resume();
  await bed.clock.advance(1_000);
  bed.stop();
  await bed.clock.advance(100);
  await done;
  const second = bed.eeg('synth-01-eeg').filter(({ block }) => block.captureId.endsWith('1.0'));
  expect((second[0]?.block.measuredAtUs ?? 0) / 1_000 - START_MS).toBeCloseTo(35_010, 0);
  const source = await samplesOf(bed, 5 * 256, 64);
  expect([...(second[0]?.block.samples.slice(0, 64) ?? [])]).toEqual(source);
});

test('a staggered patient begins later, and two patients of a source are two seeds', async () => {
  const other: SourceSpec = { kind: 'synth', settings: { ...synth.settings, seed: 4 } };
  const bed = await bedOf({ sources: [synth, other], play: { staggerUs: 3_000_000 }, forMs: 5_000 });
  await bed.play(6_000);
  const first = (device: string) => bed.eeg(device)[0];
  expect(first('synth-01-eeg')?.sentMs).toBeCloseTo(250, 3);
  expect(first('synth-02-eeg')?.sentMs).toBeCloseTo(3_250, 3);
  expect(first('synth-02-eeg')?.block.measuredAtUs).toBe((START_MS + 3_000) * 1_000);
  expect(first('synth-02-eeg')?.block.samples).not.toEqual(first('synth-01-eeg')?.block.samples);
});

test('a source that can no longer be read ends the replay: the others end in order, and the manifest says what was sent', async () => {
  const other: SourceSpec = { kind: 'synth', settings: { ...synth.settings, seed: 4 } };
  const bed = await bedOf({ sources: [synth, other] });
  const done = bed.start();
  done.catch(() => {});
  await bed.clock.advance(3_000);
  const source = bed.replay.patients[0]?.eeg[0]?.signal.source;
  if (source === undefined) throw new Error('no device');
  Object.assign(source, { read: () => Promise.reject(new Error('the disk is gone')) });
  await bed.clock.advance(3_000);
  await expect(done).rejects.toThrow('the disk is gone');
  expect(bed.eeg('synth-02-eeg').at(-1)?.block.end).toBe(true);
  const { finished, captures } = readManifest(bed.replay.manifestFile);
  expect(finished).toBe(true);
  const answered = (device: string) => captures.find((one) => one.device === device && one.stream === 'eeg')?.answered;
  expect(answered('synth-01-eeg')).toEqual([{ from: 0, to: 3 * 256 + 64 }]); // the block that was read ahead still went
  expect(bed.replay.unfinished()[0]).toMatch(/^synth-01-eeg eeg/);
});

test('channels are chosen by label, and a label that is not there is told with those that are', async () => {
  const bed = await bedOf({ sources: [synth], play: { channels: ['c4'] }, forMs: 1_000 });
  await bed.play(2_000);
  expect(bed.eeg('synth-01-eeg')[0]?.block.channels.map(({ label }) => label)).toEqual(['C4']);
  await expect(bedOf({ sources: [synth], play: { channels: ['C4', 'Q9'] } })).rejects.toThrow(/has no Q9; it has .*C4/);
  const faults = (entry: string) => ({
    faults: parseFaultScript(`faults: 1\nscript: [{ fault: noise, at: 0, for: 1s, ${entry} }]`, 'a.yaml'),
  });
  await expect(bedOf({ sources: [synth], play: faults('channels: [Q9]') })).rejects.toThrow(
    /fault 1 \(noise\): no patient has a channel 'Q9'/,
  );
  await expect(bedOf({ sources: [synth], play: faults('patients: [2]') })).rejects.toThrow(
    /fault 1 \(noise\): there is no patient 2, only 1/,
  );
  await expect(bedOf({ sources: [synth], play: { startUs: 61_000_000 } })).rejects.toThrow(/--start is 61 s, but synthetic-3 lasts 60 s/);
});

test('the same seed and script send the same bytes at the same moments; another seed does not', async () => {
  const script = (seed: number) => parseFaultScript(everyFault.replace('seed: 7', `seed: ${seed}`), 'test.yaml');
  const runs: string[][] = [];
  for (const seed of [7, 7, 8]) {
    const bed = await bedOf({ sources: [synth], play: { faults: script(seed) } });
    await bed.play(62_000);
    runs.push(
      bed.requests.map(
        ({ path: to, body, sentMs }) => `${sentMs} ${to} ${typeof body === 'string' ? body : Buffer.from(body).toString('base64')}`,
      ),
    );
    expect(bed.replay.unfinished()).toEqual([]);
  }
  expect(runs[0]).toEqual(runs[1]);
  expect(runs[0]).not.toEqual(runs[2]);
});

const everyFault = `
faults: 1
seed: 7
script:
  - { fault: lead-off, at: 2s, for: 3s, channels: [C3] }
  - { fault: saturation, at: 6s, for: 3s }
  - { fault: hum, at: 10s, for: 3s, amplitudeUv: 300 }
  - { fault: noise, at: 14s, for: 3s, amplitudeUv: 300 }
  - { fault: gap, at: 18s, for: 2s }
  - { fault: duplicate, at: 21s, for: 5s, chance: 0.5 }
  - { fault: reorder, at: 27s, for: 5s, chance: 0.5 }
  - { fault: drift, at: 33s, for: 5s, ppm: 500 }
  - { fault: device-restart, at: 40s, for: 2s }
  - { fault: link-cut, at: 44s, for: 3s }
  - { fault: link-cut, at: 50s, for: 3s, buffer: lose }
`;

type Sent = { readonly path: string; readonly body: string | Uint8Array; readonly sentMs: number; readonly order: number };

/** A replay on a clock that stands still, in front of an intake that takes everything as the agent would. */
async function bedOf(options: Partial<Omit<ReplayOptions, 'play'>> & { sources: readonly SourceSpec[]; play?: Partial<Play> }) {
  const root = mkdtempSync(path.join(tmpdir(), 'vw-replay-'));
  cleanups.push(() => rmSync(root, { recursive: true, force: true }));
  const dirs = resolveDataDir(root, {});
  mkdirSync(dirs.replays, { recursive: true });
  const clock = new VirtualClock(START_MS);
  const requests: Sent[] = [];
  const intake = new TestIntake();
  const play: Play = { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null, ...options.play };
  const replay = await Replay.open({
    speed: 1,
    dirs,
    clock,
    ...options,
    play,
    post: async (request: IntakeRequest) => {
      const { path: to, body } = request;
      requests.push({ path: to, body, sentMs: clock.monotonicMs(), order: requests.length });
      return options.post?.(request) ?? intake.post({ path: to, body });
    },
  });
  const stop = new AbortController();
  const start = () => replay.run(new Map(), stop.signal, never);
  return {
    clock,
    replay,
    requests,
    start,
    stop: () => stop.abort(),
    async play(ms: number) {
      const done = start();
      let isOver = false;
      void done.finally(() => {
        isOver = true;
      });
      for (let passed = 0; passed < ms && !isOver; passed += 1_000) await clock.advance(1_000);
      await done;
    },
    eeg: (device: string) =>
      requests.flatMap(({ path: to, body, sentMs, order }) => {
        if (to !== '/v1/eeg' || typeof body === 'string') return [];
        const block = blockOf(body);
        return block.device === device ? [{ block, sentMs, order }] : [];
      }),
    events: (device: string) =>
      requests.flatMap(({ path: to, body, sentMs, order }) => {
        if (to !== '/v1/events' || typeof body !== 'string') return [];
        const request = JSON.parse(body) as EventsIntake;
        return request.device === device ? request.events.map((event) => ({ ...event, sentMs, order })) : [];
      }),
  };
}

async function samplesOf(bed: Awaited<ReturnType<typeof bedOf>>, from: number, count: number): Promise<number[]> {
  const device = bed.replay.patients[0]?.eeg[0];
  if (device === undefined) throw new Error('no device');
  const [row] = await (await openSpec(synth)).read(0, from, count, [device.signal.channels[0] ?? 0]);
  return [...(row ?? [])];
}
