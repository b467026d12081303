import { createLog, type HttpClient, systemClock } from '@vitalwire/runtime';
import { TestPki } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ChunkStore } from '../commit/chunk-store.ts';
import type { CommitRow } from '../commit/commit-row.ts';
import { openChunkStore } from '../commit/index.ts';
import { eegRow, endRow, startRow, testRecordingId } from '../commit/test-rows.ts';
import type { Storage } from './storage.ts';
import { type databaseKinds, startService } from './test-service.ts';

export const testNowUs = Math.floor(Date.now() / 1000) * 1_000_000;
const DEADLINE_MS = 10_000;
const log = createLog({ name: 'test', level: 'silent' });

type RecordingOptions = {
  readonly device: string;
  readonly seqs: readonly number[];
  readonly lastSeq?: number | null;
  readonly startUs?: number;
  readonly channels?: number;
};

/** A storage service over one database, for all tests of the file or the block that asks for it, and the writer that the front door has. */
export class StorageWorld {
  readonly #make: (typeof databaseKinds)[number]['make'];
  #pki: TestPki | null = null;
  #bench: Awaited<ReturnType<(typeof databaseKinds)[number]['make']>> | null = null;
  #started: { service: Storage; client: HttpClient; probeUrl: string } | null = null;
  #store: ChunkStore | null = null;

  constructor(make: (typeof databaseKinds)[number]['make']) {
    this.#make = make;
    beforeAll(() => this.#start());
    afterAll(() => this.#stop());
  }

  get client(): HttpClient {
    return there(this.#started).client;
  }

  get service(): Storage {
    return there(this.#started).service;
  }

  get probeUrl(): string {
    return there(this.#started).probeUrl;
  }

  get caPath(): string {
    return there(this.#pki).caPath;
  }

  get store(): ChunkStore {
    return there(this.#store);
  }

  readonly commit = async (...rows: CommitRow[]): Promise<void> => {
    const outcomes = await this.store.commit(rows, DEADLINE_MS);
    expect(outcomes.every((outcome) => outcome === 'committed')).toBe(true);
  };

  /** A recording of one device with the given seqs stored, and an end record unless it is open. */
  readonly makeRecording = async (options: RecordingOptions): Promise<string> => {
    const { device, seqs, lastSeq = null, startUs = testNowUs, channels = 1 } = options;
    const recordingId = testRecordingId(startUs);
    await this.commit(
      startRow({ recordingId, device, startUs, channels }),
      ...seqs.map((seq) => eegRow({ recordingId, device, seq, startUs, channels })),
      ...(lastSeq === null ? [] : [endRow({ recordingId, device, lastSeq, endUs: startUs + (lastSeq + 1) * 250_000 })]),
    );
    return recordingId;
  };

  async #start(): Promise<void> {
    this.#pki = await TestPki.create();
    this.#bench = await this.#make();
    this.#started = await startService(this.#pki, this.#bench.admin);
    this.#store = openChunkStore({ database: await this.#bench.writer(), clock: systemClock, log });
  }

  async #stop(): Promise<void> {
    await this.#store?.close();
    await this.#started?.client.close();
    await this.#started?.service.stop();
    await this.#bench?.stop();
    this.#pki?.remove();
  }
}

function there<Part>(part: Part | null): Part {
  if (part === null) throw new Error('the storage service has not been started');
  return part;
}
