import { join } from 'node:path';
import { Leases, limits, shardOf } from '@vitalwire/contract';
import { type Clock, type HttpClient, KeptJson, type Lifecycle, type Log, type Timer } from '@vitalwire/runtime';
import { z } from 'zod';

export type ShardsOptions = {
  readonly http: Pick<HttpClient, 'postJson'>;
  readonly worker: string;
  readonly want: number;
  readonly leaseS: number;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** These are this worker's now; whoever held them before may have written to the log until this moment. */
  readonly onGained: (shards: readonly number[]) => Promise<void>;
  /** Another worker decides about these. */
  readonly onLost: (shards: readonly number[]) => void;
};

const Known = z.array(z.object({ shard: z.number(), fence: z.number() }));
type Known = z.infer<typeof Known>;

/**
 * Which shards this worker decides about. Leases come from storage; while it does not answer, the worker goes on with what it has, for alarms
 * must not wait for a database: two workers may then both decide, and write the same alarm under the same id. Before the first
 * answer it takes what it had when it last ran, or everything.
 */
export class Shards implements Lifecycle {
  readonly #options: ShardsOptions;
  readonly #file: KeptJson<Known>;
  readonly #fences = new Map<number, number>();
  #timer: Timer | null = null;
  #stopped = false;
  #renewing: Promise<void> = Promise.resolve();
  #problem: string | null = 'not asked yet';

  constructor(options: ShardsOptions) {
    this.#options = options;
    const path = options.dataDir === '' ? null : join(options.dataDir, 'leases.json');
    this.#file = new KeptJson({ path, schema: Known, what: 'the shards of the last run', log: options.log });
  }

  get held(): ReadonlySet<number> {
    return new Set(this.#fences.keys());
  }

  /** Why the leases could not be renewed; null = they were. */
  get problem(): string | null {
    return this.#problem;
  }

  owns(device: string): boolean {
    return this.#fences.has(shardOf(device));
  }

  fenceOf(device: string): number {
    return this.#fences.get(shardOf(device)) ?? 0;
  }

  async start(): Promise<void> {
    await this.renew();
    if (this.#fences.size === 0 && this.#problem !== null) await this.#takeLastKnown();
    this.#renewLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#renewing;
    await this.#file.saved();
    // What it does not need any more is free for another worker at once.
    if (this.#problem === null) await this.#ask(0).catch(() => {});
  }

  /** Asks storage now; one question at a time. */
  renew(): Promise<void> {
    this.#renewing = this.#renewing.then(() => this.#renew());
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return;
    const { log, want } = this.#options;
    let leases: Leases;
    try {
      leases = await this.#ask(want);
    } catch (error) {
      if (this.#problem === null) log.warn({ err: error }, 'leases cannot be renewed; this worker keeps deciding for the shards it has');
      this.#problem = error instanceof Error ? error.message : String(error);
      return;
    }
    this.#problem = null;
    const next = new Map(leases.shards.map(({ shard, fence }) => [shard, fence]));
    const lost = [...this.#fences.keys()].filter((shard) => !next.has(shard));
    // A fence that rose means that another worker had the shard in between: its log has to be read.
    const gained = [...next].filter(([shard, fence]) => this.#fences.get(shard) !== fence).map(([shard]) => shard);
    if (lost.length === 0 && gained.length === 0) return;
    for (const shard of lost) this.#fences.delete(shard);
    if (lost.length > 0) this.#options.onLost(lost);
    for (const shard of gained) this.#fences.set(shard, next.get(shard) ?? 0);
    if (gained.length > 0) await this.#options.onGained(gained);
    log.info({ shards: this.#fences.size, gained: gained.length, lost: lost.length }, 'shards of this worker');
    void this.#file.save([...this.#fences].map(([shard, fence]) => ({ shard, fence })));
  }

  async #takeLastKnown(): Promise<void> {
    const { log, want } = this.#options;
    const known = await this.#file.load();
    const all = [...Array(limits.shards).keys()].slice(0, want).map((shard) => ({ shard, fence: 0 }));
    const shards = known === null || known.length === 0 ? all : known;
    log.warn({ shards: shards.length }, 'storage does not answer: deciding for the shards of the last run, or for all');
    for (const { shard, fence } of shards) this.#fences.set(shard, fence);
    await this.#options.onGained(shards.map(({ shard }) => shard));
  }

  #ask(want: number): Promise<Leases> {
    const { http, worker, leaseS } = this.#options;
    return http.postJson('/v1/leases/alarms', { worker, want, ttlS: leaseS }, Leases);
  }

  #renewLater(): void {
    if (this.#stopped) return;
    // While storage is away it is asked more often: a lease that ran out may go to another worker.
    const waitMs = this.#problem === null ? (this.#options.leaseS * 1000) / 3 : 1_000;
    this.#timer = this.#options.clock.setTimer(waitMs, () => {
      void this.renew().then(() => this.#renewLater());
    });
  }
}
