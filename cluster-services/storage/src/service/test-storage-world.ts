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

type Kind = (typeof databaseKinds)[number];
type Parts = {
  readonly pki: TestPki;
  readonly bench: Awaited<ReturnType<Kind['make']>>;
  readonly service: Storage;
  readonly client: HttpClient;
  readonly probeUrl: string;
  readonly store: ChunkStore;
};

/** A storage service over one database, for all tests of the file or the block that asks for it, and the writer that the front door has. */
export class StorageWorld {
  readonly #make: Kind['make'];
  #parts: Parts | null = null;

  constructor(make: Kind['make']) {
    this.#make = make;
    beforeAll(() => this.#start());
    afterAll(() => this.#stop());
  }

  get client(): HttpClient {
    return this.#there.client;
  }

  get service(): Storage {
    return this.#there.service;
  }

  get probeUrl(): string {
    return this.#there.probeUrl;
  }

  get caPath(): string {
    return this.#there.pki.caPath;
  }

  get store(): ChunkStore {
    return this.#there.store;
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

  get #there(): Parts {
    if (this.#parts === null) throw new Error('the storage service has not been started');
    return this.#parts;
  }

  async #start(): Promise<void> {
    const pki = await TestPki.create();
    const bench = await this.#make();
    const started = await startService(pki, bench.admin);
    this.#parts = { pki, bench, ...started, store: openChunkStore({ database: await bench.writer(), clock: systemClock, log }) };
  }

  async #stop(): Promise<void> {
    if (this.#parts === null) return;
    const { store, client, service, bench, pki } = this.#parts;
    await store.close();
    await client.close();
    await service.stop();
    await bench.stop();
    pki.remove();
  }
}
