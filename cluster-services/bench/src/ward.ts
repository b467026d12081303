import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { decodeMessage } from '@vitalwire/contract';
import { openSyntheticPatient, writeEdf } from '@vitalwire/datasets';
import { BenchError } from './bench-error.ts';
import { knowsProcessCpu, processCpuUs } from './process-cpu.ts';

export type WardResult = {
  readonly bench: 'ward';
  readonly patients: number;
  readonly seconds: number;
  /** Processor time per second of each service, its workers included, and of all of them. */
  readonly cores: Readonly<Record<string, number>>;
  readonly replayCores: number;
  readonly judged: number; // patients with a detection committed in the measured time
  readonly windowsPerSecond: number; // committed
  readonly everyS: Readonly<Record<string, number>>; // detections by hop
  /** From the end of a window to the commit of its detection. */
  readonly waitedS: { readonly p50: number; readonly p99: number; readonly most: number };
  /** From the commit of a window's last samples to the commit of its detection: what of that is detection's part. */
  readonly judgedS: { readonly p50: number; readonly p99: number; readonly most: number };
  /** The longest a patient went from one committed detection to the next, the worst patient's. */
  readonly longestPauseS: number;
};

const CHANNELS = 8;
const RATE = 256;
const FILE_S = 60;
const WARM_UP_S = 45;
const PER_REPLAY = 84; // patients of one process
const EEG = 2;
const DETECTION = 8; // the streams' numbers in the database
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The whole stack on this machine (`vitalwire up`, SQLite), fed by replays of so many patients of 8 channels at 256 Hz at 1x. */
export async function benchWard(patients: number, seconds: number, say: (line: string) => void): Promise<WardResult> {
  if (!knowsProcessCpu()) throw new BenchError('the kernel does not tell the CPU time of other processes');
  const directory = mkdtempSync(path.join(tmpdir(), 'vw-bench-ward-'));
  const children: ChildProcess[] = [];
  const vitalwire = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, [path.join(root, 'cli/bin/vitalwire.js'), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    return child;
  };
  try {
    const data = path.join(directory, 'data');
    const pids = await started(vitalwire('up', '--data', data, '--json'));
    const replays: ChildProcess[] = [];
    for (let from = 0; from < patients; from += PER_REPLAY) {
      // A file of its own for each process: what they play would else be the same devices.
      const file = path.join(directory, `patients-from-${from}.edf`);
      await writeEdf(file, openSyntheticPatient({ seed: 11 + from, channels: CHANNELS, durationS: FILE_S, rate: { num: RATE, den: 1 } }));
      const count = String(Math.min(PER_REPLAY, patients - from));
      replays.push(vitalwire('replay', file, '--patients', count, '--loop', '--stagger', '30ms', '--data', data, '--json'));
    }
    for (const { stdout } of replays) stdout?.resume();
    say(`${patients} patients, ${WARM_UP_S} s to begin, ${seconds} s measured`);
    await sleep(1000 * WARM_UP_S);
    const cpu = () => new Map([...pids].map(([name, pid]) => [name, cpuOfTree(pid)]));
    const replayCpu = () => replays.reduce((sum, { pid }) => sum + (pid === undefined ? 0 : cpuOfTree(pid)), 0);
    const [cpuBefore, replayBefore, fromUs] = [cpu(), replayCpu(), Date.now() * 1000];
    await sleep(1000 * seconds);
    const [cpuAfter, replayAfter, toUs] = [cpu(), replayCpu(), Date.now() * 1000];
    const tookUs = toUs - fromUs;
    const cores = Object.fromEntries([...cpuAfter].map(([name, us]) => [name, (us - (cpuBefore.get(name) ?? 0)) / tookUs]));
    return {
      bench: 'ward',
      patients,
      seconds,
      cores: { ...cores, all: Object.values(cores).reduce((sum, one) => sum + one, 0) },
      replayCores: (replayAfter - replayBefore) / tookUs,
      ...detectionsOf(path.join(data, 'readings.sqlite'), fromUs, toUs),
    };
  } finally {
    for (const child of children.reverse()) child.kill('SIGTERM');
    for (const child of children) if ((child.exitCode ?? child.signalCode) === null) await once(child, 'exit');
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The process ids of the services, once all are ready. */
function started(stack: ChildProcess): Promise<Map<string, number>> {
  const pids = new Map<string, number>();
  let rest = '';
  return new Promise((resolve, reject) => {
    stack.once('exit', () => reject(new BenchError('the stack did not start')));
    stack.stdout?.on('data', (part: Buffer) => {
      const lines = `${rest}${part.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.startsWith('{')) continue;
        const event = JSON.parse(line) as { type: string; name?: string; pid?: number };
        if (event.type === 'service' && event.name !== undefined && event.pid !== undefined) pids.set(event.name, event.pid);
        if (event.type === 'ready') resolve(pids);
      }
    });
  });
}

/** Of a process and its children. */
function cpuOfTree(pid: number): number {
  let sum = 0;
  try {
    sum += processCpuUs(pid);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    for (const child of children === '' ? [] : children.split(' ')) sum += cpuOfTree(Number(child));
  } catch {
    return sum; // it has ended
  }
  return sum;
}

function detectionsOf(
  database: string,
  fromUs: number,
  toUs: number,
): Omit<WardResult, 'bench' | 'patients' | 'seconds' | 'cores' | 'replayCores'> {
  const db = new DatabaseSync(database, { readOnly: true });
  const rows = db
    .prepare('select committed_at_us, message from chunk where stream = ? and committed_at_us between ? and ? order by committed_at_us')
    .all(DETECTION, fromUs, toUs) as { committed_at_us: number; message: Uint8Array }[];
  const commits = commitsOf(db, fromUs);
  db.close();
  const waited: number[] = [];
  const judged: number[] = [];
  const everyS: Record<string, number> = {};
  const heard = new Map<string, number>();
  let longestPauseUs = 0;
  for (const { committed_at_us: atUs, message } of rows) {
    const decoded = decodeMessage(message);
    if (!decoded.ok || decoded.value.stream !== 'detection') continue;
    const { device, measuredAtUs, subject, firstSample, samples, everyS: every = 1 } = decoded.value;
    waited.push((atUs - measuredAtUs) / 1e6 - samples / RATE);
    const committed = commits.get(subject.replaceAll('-', ''))?.find(({ toSample }) => toSample >= firstSample + samples);
    if (committed !== undefined) judged.push((atUs - committed.atUs) / 1e6);
    everyS[every] = (everyS[every] ?? 0) + 1;
    longestPauseUs = Math.max(longestPauseUs, atUs - (heard.get(device) ?? fromUs));
    heard.set(device, atUs);
  }
  for (const atUs of heard.values()) longestPauseUs = Math.max(longestPauseUs, toUs - atUs);
  return {
    judged: heard.size,
    windowsPerSecond: waited.length / ((toUs - fromUs) / 1e6),
    everyS,
    waitedS: quantilesOf(waited),
    judgedS: quantilesOf(judged),
    longestPauseS: longestPauseUs / 1e6,
  };
}

/** Of each recording: when the samples up to a number were committed, in their order. */
function commitsOf(db: DatabaseSync, fromUs: number): Map<string, { toSample: number; atUs: number }[]> {
  const rows = db
    .prepare(
      'select hex(recording_id) id, first_sample + samples to_sample, committed_at_us at_us from chunk where stream = ? and committed_at_us > ? order by to_sample',
    )
    .all(EEG, fromUs - 120e6) as { id: string; to_sample: number; at_us: number }[];
  const commits = new Map<string, { toSample: number; atUs: number }[]>();
  for (const { id, to_sample: toSample, at_us: atUs } of rows) {
    const known = commits.get(id.toLowerCase()) ?? [];
    commits.set(id.toLowerCase(), known);
    known.push({ toSample, atUs });
  }
  return commits;
}

function quantilesOf(values: number[]): { p50: number; p99: number; most: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
