import { encodeMessage, formatTopic, newRecordingId, uuidToBytes } from '@vitalwire/contract';
import { bonnSets } from '@vitalwire/datasets';
import { hasMariaDb, type MariaDb, publishPacket, startMariaDb, TestPki } from '@vitalwire/testkit';
import { BenchError } from './bench-error.ts';
import { bonnChunk, CHANNELS, SAMPLES } from './bonn-chunks.ts';
import { DurableLoad } from './durable-load.ts';
import { median } from './median.ts';
import { frontDoorSide, GATEWAY, pythonSide, type Side } from './pipeline-sides.ts';
import { knowsProcessCpu, processCpuUs } from './process-cpu.ts';
import { findPeerTools, pymysqlVersions } from './python-peer.ts';

export type PipelineOptions = { readonly rounds: number; readonly seconds: number; readonly tls: readonly boolean[] };
export type PipelineSide = {
  readonly name: string;
  readonly chunksPerSecond: number;
  readonly cpuUsPerChunk: number;
  readonly cpuUsOf: Readonly<Record<string, number>>; // the same by process
  readonly rounds: readonly Round[];
};
/** Ours beside one peer: the median of the rounds' ratios, and the least that is good enough. */
export type PipelineRatio = { readonly name: string; readonly ratio: number; readonly bar: number | null; readonly isMet: boolean };
export type PipelineMode = { readonly tls: boolean; readonly sides: readonly PipelineSide[]; readonly ratios: readonly PipelineRatio[] };
export type PipelineResult = {
  readonly bench: 'pipeline';
  readonly chunkBytes: number;
  readonly devices: number;
  readonly secondsPerRound: number;
  readonly peers: string;
  readonly skipped: readonly string[];
  readonly modes: readonly PipelineMode[];
  readonly isGood: boolean;
};

type Round = { readonly chunksPerSecond: number; readonly cpuUsPerChunk: number; readonly cpuUsOf: Readonly<Record<string, number>> };
type Stream = { readonly recordingId: string; readonly packets: readonly Buffer[] };
type Stage = { readonly server: MariaDb; readonly pki: TestPki; readonly streams: readonly Stream[]; readonly seconds: number };

const DEVICES = 8; // a connection each
const WINDOW = 64; // as the edge agent's uplink
const WARM_UP_CHUNKS = 400; // per device, not measured: the services run for weeks, so their first seconds (compilers, caches) do not count
const WARM_UP_MS = 4_000; // for a side that is slower
const MOST_CHUNKS = 2_500; // per device and round, 240 MB in all; when they are used up the round is shorter, the rate as true
const CHUNKS_PER_SECOND = 800; // that are made ready per device
const CHUNKS_AHEAD = WINDOW; // per device: how far a sender may be ahead of the table, whatever was acknowledged
const POLL_MS = 50; // rarely enough that asking costs the database nothing that would show
const DRAIN_POLL_MS = 10;
const DRAIN_MS = 60_000;
// The settings of notes' figures; the testkit's own (small) ones come before and lose.
const SERVER_ARGS = ['--innodb-buffer-pool-size=512M', '--innodb-log-file-size=256M'];

type Peer = {
  readonly name: string;
  readonly short: string;
  readonly rowsPerCommit: number;
  readonly driver: keyof typeof pymysqlVersions;
  readonly bars: { readonly throughput: number | null; readonly cpu: number | null }; // without TLS
};
const { escaping, hexadecimal } = pymysqlVersions;
const peers: readonly Peer[] = [
  {
    name: `Mosquitto + paho + PyMySQL ${hexadecimal}, commit per message`,
    short: 'commit per message',
    rowsPerCommit: 1,
    driver: 'hexadecimal',
    bars: { throughput: 4, cpu: null },
  },
  {
    name: `Mosquitto + paho + PyMySQL ${escaping}, executemany(50)`,
    short: `executemany(50), PyMySQL ${escaping}`,
    rowsPerCommit: 50,
    driver: 'escaping',
    bars: { throughput: 3, cpu: 5 },
  },
  {
    name: `Mosquitto + paho + PyMySQL ${hexadecimal}, executemany(50)`,
    short: `executemany(50), PyMySQL ${hexadecimal}`,
    rowsPerCommit: 50,
    driver: 'hexadecimal',
    bars: { throughput: null, cpu: null },
  },
];

/**
 * Chunks per second that are in the table, and what they cost, through our front door and through Mosquitto with a Python subscriber. The
 * sides take turns, each round with new processes and an empty database of one and the same server; each round's rows are checked first.
 */
export async function benchPipeline(options: PipelineOptions, say: (line: string) => void): Promise<PipelineResult> {
  if (!knowsProcessCpu()) throw new BenchError('pipeline needs Linux: it reads the CPU time of processes from /proc');
  if (!hasMariaDb()) throw new BenchError('pipeline needs a MariaDB server (Debian: `apt-get install mariadb-server`)');
  const tools = findPeerTools(say);
  const sides = [frontDoorSide];
  if (tools.ok)
    for (const { driver, name, rowsPerCommit } of peers)
      sides.push(pythonSide(name, rowsPerCommit, tools.python, tools.packages[driver], tools.mosquitto));
  const skipped = tools.ok ? [] : peers.map(({ name }) => `${name}: ${tools.missing}`);
  for (const side of skipped) say(`skipped  ${side}`);
  const pki = await TestPki.create();
  const server = await startMariaDb({ args: SERVER_ARGS });
  try {
    const streams = Array.from({ length: DEVICES }, (_, device) => newStream(device, options.seconds));
    const modes: PipelineMode[] = [];
    for (const tls of options.tls)
      modes.push(await measureMode({ server, pki, streams, seconds: options.seconds }, sides, tls, options.rounds, say));
    return {
      bench: 'pipeline',
      chunkBytes: chunk(newRecording(), 0, 0).byteLength,
      devices: DEVICES,
      secondsPerRound: options.seconds,
      peers: tools.ok ? tools.versions : 'none',
      skipped,
      modes,
      isGood: skipped.length === 0 && modes.every(({ ratios }) => ratios.every(({ isMet }) => isMet)),
    };
  } finally {
    await server.stop();
    pki.remove();
  }
}

async function measureMode(
  stage: Stage,
  sides: readonly Side[],
  tls: boolean,
  rounds: number,
  say: (line: string) => void,
): Promise<PipelineMode> {
  const measured = sides.map((side) => ({ side, rounds: [] as Round[] }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const { side, rounds: done } of measured) {
      const result = await measure(stage, side, tls);
      done.push(result);
      const cpu = Object.entries(result.cpuUsOf).map(([name, us]) => `${name} ${us.toFixed(0)}`);
      const figures = `${result.chunksPerSecond.toFixed(0).padStart(6)} chunks/s, CPU us each: ${cpu.join(', ')}`;
      say(`TLS ${tls ? 'on ' : 'off'} round ${round}/${rounds}  ${side.name.padEnd(60)} ${figures}`);
    }
  }
  const results = measured.map(({ side: { name }, rounds: done }) => ({
    name,
    chunksPerSecond: median(done.map((one) => one.chunksPerSecond)),
    cpuUsPerChunk: median(done.map((one) => one.cpuUsPerChunk)),
    cpuUsOf: mediansOf(done.map((one) => one.cpuUsOf)),
    rounds: done,
  }));
  return {
    tls,
    sides: results,
    ratios: ratiosOf(
      measured.map(({ rounds: done }) => done),
      tls,
    ),
  };
}

function mediansOf(rounds: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  return Object.fromEntries(Object.keys(rounds[0] ?? {}).map((name) => [name, median(rounds.map((round) => round[name] ?? 0))]));
}

/** Rounds of one number are neighbours in time: the ratio is taken within each, so that a machine that slows down bends none. */
function ratiosOf([ours, ...others]: readonly (readonly Round[])[], tls: boolean): PipelineRatio[] {
  if (ours === undefined) return [];
  const of = (name: string, bar: number | null, perRound: readonly number[]): PipelineRatio => {
    const ratio = median(perRound);
    return { name, ratio, bar: tls ? null : bar, isMet: tls || bar === null || ratio >= bar };
  };
  return others.flatMap((rounds, index) => {
    const peer = peers[index];
    if (peer === undefined) return [];
    const pairs = ours.flatMap((round, at) => (rounds[at] === undefined ? [] : [{ round, other: rounds[at] }]));
    return [
      of(
        `throughput beside ${peer.short}`,
        peer.bars.throughput,
        pairs.map(({ round, other }) => round.chunksPerSecond / other.chunksPerSecond),
      ),
      of(
        `less CPU than ${peer.short}`,
        peer.bars.cpu,
        pairs.map(({ round, other }) => other.cpuUsPerChunk / round.cpuUsPerChunk),
      ),
    ];
  });
}

async function measure({ server, pki, streams, seconds }: Stage, side: Side, tls: boolean): Promise<Round> {
  const database = 'bench_round';
  await server.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  const running = await side.start({ server, database, pki, tls });
  try {
    const identity = tls ? await pki.gateway(GATEWAY) : null;
    const loads = await Promise.all(
      streams.map(({ packets }, device) => DurableLoad.open(running.port, identity, `${GATEWAY}-${device}`, packets, WINDOW)),
    );
    await drive(server, database, streams, loads, WARM_UP_MS, WARM_UP_CHUNKS);
    const round = await timed({ ...running.processes, MariaDB: server.pid }, () => drive(server, database, streams, loads, seconds * 1000));
    for (const load of loads) load.close();
    await assertStored(server, database, streams, loads);
    return round;
  } finally {
    await running.stop();
    await server.query(`DROP DATABASE ${database}`);
    await settle(server);
  }
}

async function timed(processes: Readonly<Record<string, number>>, work: () => Promise<number>): Promise<Round> {
  const cpuUs = (): number[] => Object.values(processes).map((pid) => processCpuUs(pid));
  const before = cpuUs();
  const beganMs = performance.now();
  const chunks = await work();
  const elapsedMs = performance.now() - beganMs;
  const each = cpuUs().map((us, index) => (us - (before[index] ?? 0)) / chunks);
  const cpuUsOf = Object.fromEntries(Object.keys(processes).map((name, index) => [name, each[index] ?? 0]));
  return { chunksPerSecond: (chunks * 1000) / elapsedMs, cpuUsPerChunk: sum(each), cpuUsOf };
}

/**
 * Publishes for so long and returns when the last chunk is in the table; how many that were. What is stored is always asked of the table,
 * as a PUBACK of Mosquitto does not say it, and nobody is let run further ahead of the table than CHUNKS_AHEAD.
 */
async function drive(
  server: MariaDb,
  database: string,
  streams: readonly Stream[],
  loads: readonly DurableLoad[],
  ms: number,
  most = Number.POSITIVE_INFINITY,
): Promise<number> {
  const sentBefore = sum(loads.map((load) => load.acked));
  const runs = loads.map((load) => load.run(ms, most));
  let isSent = false;
  const allSent = Promise.all(runs).then(() => {
    isSent = true;
  });
  allSent.catch(() => {}); // awaited below
  const giveUpMs = performance.now() + ms + DRAIN_MS;
  for (;;) {
    const stored = await storedChunks(server, database, streams);
    for (const [index, load] of loads.entries()) load.allow((stored[index] ?? 0) + CHUNKS_AHEAD);
    if (isSent && sum(stored) === sum(loads.map((load) => load.acked))) break;
    if (performance.now() > giveUpMs) throw new BenchError(`${sum(stored)} chunks stored ${DRAIN_MS / 1000} s after the last was sent`);
    await (isSent ? pause(DRAIN_POLL_MS) : Promise.race([allSent, pause(POLL_MS)]));
  }
  await allSent;
  return sum(loads.map((load) => load.acked)) - sentBefore;
}

/** Per stream, by its highest seq: a look at one end of the index each, cheap enough to be asked all the time. */
async function storedChunks(server: MariaDb, database: string, streams: readonly Stream[]): Promise<number[]> {
  const each = streams.map(() => `(SELECT MAX(seq) FROM ${database}.chunk WHERE recording_id = ?)`);
  const columns = each.map((query, index) => `${query} AS s${index}`).join(', ');
  const [row] = await server.query<Record<string, unknown>>(
    `SELECT ${columns}`,
    streams.map(({ recordingId }) => idBytes(recordingId)),
  );
  return streams.map((_, index) => (row?.[`s${index}`] === null ? 0 : Number(row?.[`s${index}`]) + 1));
}

/** The answer: exactly what was acknowledged is in the table, and one in 97 compared byte for byte. */
async function assertStored(server: MariaDb, database: string, streams: readonly Stream[], loads: readonly DurableLoad[]): Promise<void> {
  for (const [device, { recordingId }] of streams.entries()) {
    const acked = loads[device]?.acked ?? 0;
    const id = idBytes(recordingId);
    const [found] = await server.query<{ stored: number; last: number }>(
      `SELECT COUNT(*) AS stored, MAX(seq) AS last FROM ${database}.chunk WHERE recording_id = ?`,
      [id],
    );
    if (Number(found?.stored) !== acked || Number(found?.last) !== acked - 1)
      throw new BenchError(`of ${acked} acknowledged chunks of ${recordingId}, ${String(found?.stored)} are stored`);
    const some = await server.query<{ seq: number; message: Buffer }>(
      `SELECT seq, message FROM ${database}.chunk WHERE recording_id = ? AND seq % 97 = 0`,
      [id],
    );
    for (const { seq, message } of some) {
      if (!message.equals(chunk(recordingId, device, Number(seq))))
        throw new BenchError(`chunk ${seq} of ${recordingId} is not what was sent`);
    }
  }
}

/** Lets the server write what the last round left to be written, so that the next does not pay for it. */
async function settle(server: MariaDb): Promise<void> {
  await server.query('SET GLOBAL innodb_max_dirty_pages_pct = 0');
  const giveUpMs = performance.now() + 5_000;
  while (performance.now() < giveUpMs) {
    const [row] = await server.query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'");
    if (Number(row?.Value) < 50) break;
    await pause(50);
  }
  await server.query('SET GLOBAL innodb_max_dirty_pages_pct = 90');
}

function newStream(device: number, seconds: number): Stream {
  const recordingId = newRecording();
  const topic = formatTopic(GATEWAY, `eeg-${device}`, 'eeg');
  const length = Math.min(MOST_CHUNKS, WARM_UP_CHUNKS + CHUNKS_PER_SECOND * seconds);
  return {
    recordingId,
    packets: Array.from({ length }, (_, seq) => publishPacket(topic, chunk(recordingId, device, seq), (seq % 65_535) + 1)),
  };
}

function newRecording(): string {
  return newRecordingId(GATEWAY, Date.now(), crypto.getRandomValues(new Uint8Array(6)));
}

/** Real EEG, 12 KB of it: codec 0, so that every side moves the same bytes whatever the samples are. */
function chunk(recordingId: string, device: number, seq: number): Uint8Array {
  const set = bonnSets[(device + seq) % bonnSets.length] ?? 'Z';
  return encodeMessage({
    stream: 'eeg',
    recordingId,
    seq,
    measuredAtUs: 1_767_225_600_000_000 + seq * 1_000_000,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    firstSample: seq * SAMPLES,
    channels: CHANNELS,
    samplesPerChannel: SAMPLES,
    rate: { num: 256, den: 1 },
    montageHash: '0123456789abcdef',
    sampleBits: 16,
    codec: 0,
    samples: bonnChunk(set, (device * 31 + seq) % 80),
  });
}

function idBytes(uuid: string): Buffer {
  return Buffer.from(uuidToBytes(uuid));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
