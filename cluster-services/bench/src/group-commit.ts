import { fork } from 'node:child_process';
import { encodeMessage, formatTopic, newRecordingId, uuidToBytes } from '@vitalwire/contract';
import { type Identity, sourceExecArgv, workerUrl } from '@vitalwire/runtime';
import { migrateReadings, openReadings } from '@vitalwire/storage';
import { publishPacket, removeTempDir, TestPki, tempDir } from '@vitalwire/testkit';
import { sql } from 'kysely';
import { DurableLoad } from './durable-load.ts';
import type { FrontDoorReply, FrontDoorTask } from './front-door-process.ts';
import { median } from './median.ts';

export type Side = {
  readonly name: string;
  readonly chunksPerSecond: number;
  readonly cpuUsPerChunk: number;
  readonly rounds: readonly number[];
};
export type GroupCommitResult = {
  readonly bench: 'commit';
  readonly chunkBytes: number;
  readonly gateways: number;
  readonly sides: readonly Side[];
  readonly throughputRatio: number;
  readonly cpuRatio: number;
};

type Stream = { readonly gateway: string; readonly identity: Identity; readonly recordingId: string; readonly packets: readonly Buffer[] };
type Round = { chunksPerSecond: number; cpuUsPerChunk: number };

const GATEWAYS = 8;
const WINDOW = 64;
const ROUND_MS = 2_000;
const CHANNELS = 23;
const SAMPLES = 64; // 250 ms at 256 Hz, as the edge agent cuts
const MOST_CHUNKS = 3_000; // per gateway and round

/**
 * Durable chunks per second through the whole front door (TLS, packet gate, Aedes, decoding, SQLite at FULL, PUBACK), with a group commit
 * of up to 200 rows beside one commit per message. The sides take turns in one run; each round's answer is checked before it counts.
 */
export async function benchGroupCommit(rounds: number, say: (line: string) => void): Promise<GroupCommitResult> {
  const sides = [
    { name: 'group commit, up to 200 rows', rowsPerCommit: 200, rounds: [] as Round[] },
    { name: 'one commit per message', rowsPerCommit: 1, rounds: [] as Round[] },
  ] as const;
  const pki = await TestPki.create();
  const streams = await Promise.all(Array.from({ length: GATEWAYS }, (_, index) => newStream(pki, `gw-${index}`)));
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const side of sides) {
        const measured = await measure(await pki.service('ingest'), streams, side.rowsPerCommit);
        side.rounds.push(measured);
        say(`round ${round}/${rounds}  ${side.name.padEnd(30)} ${measured.chunksPerSecond.toFixed(0).padStart(6)} chunks/s`);
      }
    }
  } finally {
    pki.remove();
  }
  const results = sides.map(({ name, rounds: measured }) => ({
    name,
    chunksPerSecond: median(measured.map((one) => one.chunksPerSecond)),
    cpuUsPerChunk: median(measured.map((one) => one.cpuUsPerChunk)),
    rounds: measured.map((one) => Math.round(one.chunksPerSecond)),
  }));
  const [grouped, single] = results;
  if (grouped === undefined || single === undefined) throw new Error('nothing was measured');
  return {
    bench: 'commit',
    chunkBytes: chunk(newRecording('gw-0'), 0).byteLength,
    gateways: GATEWAYS,
    sides: results,
    throughputRatio: grouped.chunksPerSecond / single.chunksPerSecond,
    cpuRatio: single.cpuUsPerChunk / grouped.cpuUsPerChunk,
  };
}

async function measure(service: Identity, streams: readonly Stream[], rowsPerCommit: number): Promise<Round> {
  const dir = tempDir('vw-bench-');
  const readings = openReadings(`sqlite:${dir}`);
  try {
    await migrateReadings(readings.db, readings.dialect, Date.now() * 1000, readings.where);
    const door = await startDoor({ identity: service, database: `sqlite:${dir}`, rowsPerCommit });
    const loads = await Promise.all(
      streams.map(({ gateway, identity, packets }) => DurableLoad.open(door.port, identity, gateway, packets, WINDOW)),
    );
    const cpuBeforeUs = await door.cpuUs();
    const runs = await Promise.all(loads.map((load) => load.run(ROUND_MS)));
    const cpuUs = (await door.cpuUs()) - cpuBeforeUs;
    for (const load of loads) load.close();
    await door.stop();
    for (const [index, { recordingId }] of streams.entries()) await assertStored(readings, recordingId, runs[index]?.acked ?? 0);
    const acked = runs.reduce((sum, run) => sum + run.acked, 0);
    return { chunksPerSecond: (acked * 1000) / Math.max(...runs.map((run) => run.elapsedMs)), cpuUsPerChunk: cpuUs / acked };
  } finally {
    await readings.db.destroy();
    removeTempDir(dir);
  }
}

/** What one gateway sends, made once: every round starts with an empty database. */
async function newStream(pki: TestPki, gateway: string): Promise<Stream> {
  const recordingId = newRecording(gateway);
  const topic = formatTopic(gateway, `eeg-of-${gateway}`, 'eeg');
  const packets = Array.from({ length: MOST_CHUNKS }, (_, seq) => publishPacket(topic, chunk(recordingId, seq), (seq % 65_535) + 1));
  return { gateway, identity: await pki.gateway(gateway), recordingId, packets };
}

/** The answer: exactly the acknowledged chunks are stored, and a sample of them byte for byte. */
async function assertStored({ db }: ReturnType<typeof openReadings>, recordingId: string, acked: number): Promise<void> {
  const id = Buffer.from(uuidToBytes(recordingId));
  const { rows } = await sql<{
    rows: number;
    last: number;
  }>`SELECT COUNT(*) AS rows, MAX(seq) AS last FROM chunk WHERE recording_id = ${id}`.execute(db);
  const [found] = rows;
  if (Number(found?.rows) !== acked || Number(found?.last) !== acked - 1)
    throw new Error(`acknowledged ${acked}, stored ${String(found?.rows)} of ${recordingId}`);
  const some = await sql<{
    seq: number;
    message: Buffer;
  }>`SELECT seq, message FROM chunk WHERE recording_id = ${id} AND seq % 97 = 0`.execute(db);
  for (const { seq, message } of some.rows) {
    if (!message.equals(chunk(recordingId, Number(seq)))) throw new Error(`chunk ${seq} of ${recordingId} is not what was sent`);
  }
}

async function startDoor(task: FrontDoorTask): Promise<{ port: number; cpuUs(): Promise<number>; stop(): Promise<void> }> {
  const child = fork(workerUrl('./front-door-process', import.meta.url), [JSON.stringify(task)], {
    execArgv: sourceExecArgv(import.meta.url),
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const next = (): Promise<FrontDoorReply> =>
    new Promise((resolve, reject) => {
      child.once('message', (message) => resolve(message as FrontDoorReply));
      void exited.then(() => reject(new Error('the front door ended')));
    });
  const ready = await next();
  if (ready.type !== 'ready') throw new Error('the front door did not say its port');
  return {
    port: ready.port,
    async cpuUs() {
      const answer = next();
      child.send('cpu');
      const message = await answer;
      return message.type === 'cpu' ? message.cpuUs : 0;
    },
    async stop() {
      child.send('stop');
      await exited;
    },
  };
}

function newRecording(owner: string): string {
  return newRecordingId(owner, Date.now(), crypto.getRandomValues(new Uint8Array(6)));
}

/** A chunk with something like an EEG in it: slow waves and a little noise, the same for the same seq. */
function chunk(recordingId: string, seq: number): Uint8Array {
  const samples = new Int16Array(CHANNELS * SAMPLES);
  for (let index = 0; index < samples.length; index += 1) {
    const at = seq * SAMPLES + (index % SAMPLES);
    samples[index] = Math.round(
      300 * Math.sin(at / 11 + Math.floor(index / SAMPLES)) + 60 * Math.sin(at * 1.7) + ((at * 7_919 + index * 104_729) % 31),
    );
  }
  return encodeMessage({
    stream: 'eeg',
    recordingId,
    seq,
    measuredAtUs: 1_767_225_600_000_000 + seq * 250_000,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    firstSample: seq * SAMPLES,
    channels: CHANNELS,
    samplesPerChannel: SAMPLES,
    rate: { num: 256, den: 1 },
    montageHash: '0123456789abcdef',
    sampleBits: 16,
    samples,
  });
}
