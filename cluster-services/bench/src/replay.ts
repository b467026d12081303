import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { decodeSampleBlock, encodeSampleBlock, type SampleBlock } from '@vitalwire/contract';
import { openSource, openSyntheticPatient, writeEdf } from '@vitalwire/datasets';
import { systemClock } from '@vitalwire/runtime';
import { type Delivery, fileSpec, type IntakeRequest, Replay, type SourceSpec } from 'vitalwire/replay';
import { resolveDataDir } from 'vitalwire/stack';
import { BenchError } from './bench-error.ts';
import { median } from './median.ts';

export type ReplayResult = {
  readonly bench: 'replay';
  readonly seconds: number; // of the paced run
  readonly blocks: number;
  readonly lateMs: { readonly p50: number; readonly p99: number; readonly most: number };
  readonly speedError: number; // share of the true speed
  readonly fullSpeed: { readonly dataS: number; readonly times: number; readonly cpuTimes: number; readonly rssMb: number };
  readonly request: {
    readonly dataS: number;
    readonly readMs: number;
    readonly cborMs: number;
    readonly jsonMs: number;
    readonly cborBytes: number;
    readonly jsonBytes: number;
  };
  readonly bars: typeof BARS;
  readonly isGood: boolean;
};

const CHANNELS = 23;
const RATE = 256;
const FILE_S = 240;
const REQUEST_S = 16;
const BARS = { p99Ms: 5, speedError: 0.001, times: 200 } as const;

/** The device's side of a replay of 23 channels at 256 Hz from an EDF file, in front of an intake that takes everything at once. */
export async function benchReplay(rounds: number, seconds: number, say: (line: string) => void): Promise<ReplayResult> {
  const directory = mkdtempSync(path.join(tmpdir(), 'vw-bench-replay-'));
  try {
    const file = path.join(directory, 'synthetic.edf');
    say(`writing ${FILE_S} s of ${CHANNELS} synthetic channels`);
    await writeEdf(file, openSyntheticPatient({ seed: 11, channels: 'chb-mit', durationS: FILE_S }));
    const source = await fileSpec(file);
    say(`${seconds} s at 1x`);
    const paced = await pacedRun(directory, source, seconds);
    const runs: { times: number; cpuTimes: number }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      say(`round ${round + 1} of ${rounds} at full speed`);
      runs.push(await fullSpeedRun(directory, source));
    }
    const fullSpeed = {
      dataS: FILE_S,
      times: median(runs.map(({ times }) => times)),
      cpuTimes: median(runs.map(({ cpuTimes }) => cpuTimes)),
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    };
    const isGood = paced.lateMs.p99 <= BARS.p99Ms && Math.abs(paced.speedError) <= BARS.speedError && fullSpeed.cpuTimes >= BARS.times;
    return { bench: 'replay', seconds, ...paced, fullSpeed, request: await requestParts(file), bars: BARS, isGood };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Paced = Pick<ReplayResult, 'blocks' | 'lateMs' | 'speedError'>;

async function pacedRun(directory: string, source: SourceSpec, seconds: number): Promise<Paced> {
  const sent: { dueMs: number; atMs: number }[] = [];
  await run(directory, source, 1, seconds * 1_000, (block) => {
    if (block.samplesPerChannel > 0)
      sent.push({ dueMs: ((block.firstSample + block.samplesPerChannel) * 1_000) / RATE, atMs: systemClock.monotonicMs() });
  });
  const whole = sent.slice(0, -1); // the last goes with the end
  if (whole.length < 8) throw new BenchError(`only ${whole.length} blocks were sent`);
  const startMs = Math.min(...whole.map(({ dueMs, atMs }) => atMs - dueMs));
  const late = whole.map(({ dueMs, atMs }) => atMs - dueMs - startMs).sort((a, b) => a - b);
  const at = (share: number): number => late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? Number.NaN;
  return { blocks: whole.length, lateMs: { p50: at(0.5), p99: at(0.99), most: at(1) }, speedError: slope(whole) - 1 };
}

/** How much wall time goes by for a unit of data time: the line through all blocks, because any one of them may be late. */
function slope(points: readonly { dueMs: number; atMs: number }[]): number {
  const mean = (of: (point: { dueMs: number; atMs: number }) => number): number =>
    points.reduce((sum, one) => sum + of(one), 0) / points.length;
  const due = mean(({ dueMs }) => dueMs);
  const at = mean(({ atMs }) => atMs);
  return mean((one) => (one.dueMs - due) * (one.atMs - at)) / mean((one) => (one.dueMs - due) ** 2);
}

async function fullSpeedRun(directory: string, source: SourceSpec): Promise<{ times: number; cpuTimes: number }> {
  let samples = 0;
  const cpu = process.cpuUsage();
  const startMs = systemClock.monotonicMs();
  await run(directory, source, Number.POSITIVE_INFINITY, undefined, (block) => {
    samples += block.samplesPerChannel;
  });
  const tookS = (systemClock.monotonicMs() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  if (samples !== FILE_S * RATE) throw new BenchError(`${samples} samples were sent instead of ${FILE_S * RATE}`);
  return { times: FILE_S / tookS, cpuTimes: FILE_S / ((user + system) / 1e6) };
}

async function run(
  directory: string,
  source: SourceSpec,
  speed: number,
  forMs: number | undefined,
  onBlock: (block: SampleBlock) => void,
): Promise<void> {
  const dirs = resolveDataDir(directory, {});
  mkdirSync(dirs.replays, { recursive: true });
  const post = async ({ body }: IntakeRequest): Promise<Delivery> => {
    if (typeof body === 'string') {
      const { firstSample, readings, events } = JSON.parse(body) as { firstSample: number; readings?: unknown[]; events?: unknown[] };
      return { kind: 'answered', nextSample: firstSample + (readings ?? events ?? []).length };
    }
    const decoded = decodeSampleBlock(body);
    if (!decoded.ok) throw new BenchError(`a request cannot be read: ${decoded.reason}`);
    onBlock(decoded.value);
    return { kind: 'answered', nextSample: decoded.value.firstSample + decoded.value.samplesPerChannel };
  };
  const play = { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null };
  const replay = await Replay.open({ sources: [source], play, speed, forMs, dirs, post, clock: systemClock });
  const never = new AbortController().signal;
  await replay.run(new Map(), never, never);
}

/** Where the time of one large request goes: reading it, and writing it as CBOR or, for comparison, as JSON. */
async function requestParts(file: string): Promise<ReplayResult['request']> {
  const source = await openSource(file);
  const group = source.groups[0];
  if (group === undefined) throw new BenchError('the file has no channels');
  const count = REQUEST_S * RATE;
  const readMs: number[] = [];
  const cborMs: number[] = [];
  const jsonMs: number[] = [];
  let cborBytes = 0;
  let jsonBytes = 0;
  for (let round = 0; round < 8; round += 1) {
    const began = performance.now();
    const rows = await source.read(0, round * count, count);
    const read = performance.now();
    const samples = new Int16Array(rows.length * count);
    for (const [index, row] of rows.entries()) samples.set(row, index * count);
    const common = {
      device: 'd',
      captureId: 'c',
      firstSample: 0,
      measuredAtUs: 0,
      rate: group.rate,
      channels: group.channels,
      sampleBits: group.sampleBits,
    };
    cborBytes = encodeSampleBlock({ ...common, samplesPerChannel: count, samples, replay: null, source: '', end: false }).length;
    const encoded = performance.now();
    jsonBytes = JSON.stringify({ ...common, samples: rows.map((row) => [...row]) }).length;
    readMs.push(read - began);
    cborMs.push(encoded - read);
    jsonMs.push(performance.now() - encoded);
  }
  await source.close();
  return { dataS: REQUEST_S, readMs: median(readMs), cborMs: median(cborMs), jsonMs: median(jsonMs), cborBytes, jsonBytes };
}
