import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeMessage, formatTopic, type MessageDraft, newRecordingId, uuidToBytes } from '@vitalwire/contract';
import { createLog, type Identity, systemClock } from '@vitalwire/runtime';
import { migrateReadings, openReadings } from '@vitalwire/storage';
import { RawMqtt, removeTempDir, TestPki, tempDir, until as untilWithin } from '@vitalwire/testkit';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { createIngest, type Ingest, IngestConfig } from './index.ts';

export type Readings = ReturnType<typeof openReadings>;

export const topic = formatTopic('gw-1', 'dev-1', 'eeg');
/** Long enough for a busy machine: what is tested is that it happens, bounds that matter are measured. */
export function until<T>(fn: () => T | Promise<T>, what = fn.toString()): ReturnType<typeof untilWithin<T>> {
  return untilWithin(fn, { timeoutMs: 20_000, what });
}

export let pki: TestPki;
export let gateway: Identity;
let dir: string;
export const ends: (() => unknown)[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gw-1');
});
beforeEach(() => {
  dir = tempDir('vw-ingest-');
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  removeTempDir(dir);
});
afterAll(() => pki.remove());

export async function config(changes: Record<string, unknown> = {}): Promise<IngestConfig> {
  const { certPath, keyPath, caPath } = await pki.service('ingest');
  return IngestConfig.parse({ port: 0, certPath, keyPath, caPath, database: `sqlite:${dir}`, ...changes });
}

/** The database as the storage service makes it, and a look into it from outside. */
export async function migrated(): Promise<Readings> {
  const readings = openReadings(`sqlite:${dir}`);
  ends.push(() => readings.db.destroy());
  await migrateReadings(readings.db, readings.dialect, systemClock.nowUs(), readings.where);
  return readings;
}

export async function start(changes: Record<string, unknown> = {}): Promise<Ingest> {
  const ingest = createIngest(await config(changes), { log: createLog({ name: 'test', level: 'silent' }), clock: systemClock });
  ends.push(() => ingest.stop());
  await ingest.start(new AbortController().signal);
  return ingest;
}

export function newRecording(owner = 'gw-1'): string {
  return newRecordingId(owner, systemClock.nowMs(), crypto.getRandomValues(new Uint8Array(6)));
}

export function chunk(recordingId: string, seq: number, value = seq): Uint8Array {
  const draft: MessageDraft = {
    stream: 'eeg',
    recordingId,
    seq,
    measuredAtUs: 1_767_225_600_000_000 + seq * 125_000,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    firstSample: seq * 32,
    channels: 1,
    samplesPerChannel: 32,
    rate: { num: 256, den: 1 },
    montageHash: '0123456789abcdef',
    sampleBits: 16,
    samples: new Int16Array(32).fill(value),
  };
  return encodeMessage(draft);
}

export async function storedSeqs({ db }: Readings, recordingId: string): Promise<number[]> {
  const { rows } = await sql<{
    seq: number;
  }>`SELECT seq FROM chunk WHERE recording_id = ${Buffer.from(uuidToBytes(recordingId))} ORDER BY seq`.execute(db);
  return rows.map((row) => Number(row.seq));
}

export async function lock({ db }: Readings): Promise<() => Promise<unknown>> {
  await sql`BEGIN EXCLUSIVE`.execute(db);
  return () => sql`COMMIT`.execute(db);
}

export async function connected(port: number, clientId = 'gw-1', identity = gateway): Promise<RawMqtt> {
  const client = await RawMqtt.open(port, identity, pki.caPath);
  ends.push(() => client.end());
  expect(await client.connect({ clientId })).toBe(0);
  return client;
}

/** Debian's own client, as anybody would call it. */
export function mosquittoPub(port: number, message: Uint8Array, to = topic): Promise<number | null> {
  const file = join(dir, 'chunk.bin');
  writeFileSync(file, message);
  const files = ['--cafile', gateway.caPath, '--cert', gateway.certPath, '--key', gateway.keyPath];
  const child = spawn(
    'mosquitto_pub',
    ['-h', '127.0.0.1', '-p', String(port), '-V', 'mqttv311', '-q', '1', '-i', 'gw-1', ...files, '-t', to, '-f', file],
    { stdio: 'ignore' },
  );
  return new Promise((resolve, reject) => child.on('exit', resolve).on('error', reject));
}

export async function probe(ingest: Ingest, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${ingest.addresses()['probePort']}${path}`);
  return { status: response.status, text: await response.text() };
}
