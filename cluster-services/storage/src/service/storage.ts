import { statSync } from 'node:fs';
import {
  type Api,
  type Clock,
  createApi,
  fixedToken,
  Gauge,
  Histogram,
  type Lifecycle,
  type Listening,
  type Log,
  listen,
  Probes,
  type Running,
  startAll,
} from '@vitalwire/runtime';
import type { Kysely } from 'kysely';
import { parseDatabase } from '../commit/database.ts';
import { StatsReader } from '../queries/stats.ts';
import { StoredSeqsReader } from '../queries/stored-seqs.ts';
import { migrateReadings, migrateRegistry } from '../schema/migrate.ts';
import { openReadings, openRegistry } from '../schema/open-database.ts';
import type { ReadingsTables, RegistryTables } from '../schema/tables.ts';
import type { StorageConfig } from './config.ts';
import { DamageCheck } from './damage-check.ts';
import { DatabaseHandle } from './database-handle.ts';
import { addRoutes } from './routes.ts';
import { Turnstile } from './turnstile.ts';
import { Upkeep } from './upkeep.ts';

export type Storage = Lifecycle & { addresses(): Record<string, number | string> };

const HEAVY_AT_ONCE = 2;
const HEAVY_WAITING = 32;
/** How long a stop waits for answers of the database. */
const STOP_PATIENCE_MS = 3_000;

/** The database service: schema, queries, ledger and registry over HTTPS. Readings are written by the front door alone. */
export function createStorage(config: StorageConfig, deps: { readonly log: Log; readonly clock: Clock }): Storage {
  const { log, clock } = deps;
  for (const one of [config.database, config.registryDatabase ?? config.database]) parseDatabase(one); // a setting nobody can open is an error at once
  const probes = new Probes({ host: config.probeHost, port: config.probePort, log });
  const cache = new ReaderCache();
  const readings = new DatabaseHandle<ReadingsTables>({
    name: 'readings',
    clock,
    log,
    open: () => openReadings(config.database),
    prepare: ({ db, dialect, where }) => migrateReadings(db, dialect, clock.nowUs(), where),
    onReopen: () => cache.forget(),
  });
  const registry = new DatabaseHandle<RegistryTables>({
    name: 'registry',
    clock,
    log,
    open: () => openRegistry(config.registryDatabase ?? config.database),
    prepare: ({ db, dialect, where }) => migrateRegistry(db, dialect, clock.nowUs(), where),
  });
  const upkeep = new Upkeep({ readings, registry, clock, log, onNewGeneration: () => cache.forget() });
  const parsed = parseDatabase(config.database);
  const damage =
    parsed.kind === 'sqlite'
      ? [new DamageCheck({ path: parsed.readingsPath, clock, log, onFound: (found) => readings.tellDamage(found) })]
      : [];
  const heavy = new Turnstile(HEAVY_AT_ONCE, HEAVY_WAITING);
  const server = new Server(config, log, probes, (api) =>
    addRoutes(api, { readings, registry, readers: (db) => cache.of(db), heavy, clock, onNewGeneration: () => cache.forget() }),
  );
  for (const [name, handle] of [
    ['readings', readings],
    ['registry', registry],
  ] as const) {
    // Without its database the service stays in use: it answers 503 with the reason, and works again by itself.
    probes.check(name, () => ({ ok: true, degraded: handle.problem !== null, detail: handle.problem ?? 'answers' }));
  }
  addGauges(probes, config, { readings, registry, heavy });
  let running: Running | null = null;
  return {
    async start(signal) {
      running = await startAll([probes, readings, registry, upkeep, server, ...damage], signal);
      log.info({ port: server.listening?.port, probePort: probes.port }, 'storage answers');
    },
    async stop() {
      const patience = clock.setTimer(STOP_PATIENCE_MS, () => {
        readings.abandon();
        registry.abandon();
      });
      await running?.stop();
      patience.cancel();
    },
    addresses: () => ({
      host: config.host,
      port: server.listening?.port ?? 0,
      probePort: probes.port,
      storageUrl: server.listening?.url ?? '',
    }),
  };
}

/** What readers have seen of one open database. */
class ReaderCache {
  #db: Kysely<ReadingsTables> | null = null;
  #readers: { readonly seqs: StoredSeqsReader; readonly stats: StatsReader } | null = null;

  of(db: Kysely<ReadingsTables>): { readonly seqs: StoredSeqsReader; readonly stats: StatsReader } {
    if (this.#readers === null || this.#db !== db) {
      const seqs = new StoredSeqsReader(db);
      this.#readers = { seqs, stats: new StatsReader(db, seqs) };
      this.#db = db;
    }
    return this.#readers;
  }

  forget(): void {
    this.#readers = null;
  }
}

class Server implements Lifecycle {
  readonly #config: StorageConfig;
  readonly #log: Log;
  readonly #addRoutes: (api: Api) => void;
  readonly #seconds: Histogram;
  #api: Api | null = null;
  listening: Listening | null = null;

  constructor(config: StorageConfig, log: Log, probes: Probes, addRoutes: (api: Api) => void) {
    this.#config = config;
    this.#log = log;
    this.#addRoutes = addRoutes;
    this.#seconds = new Histogram({
      name: 'vitalwire_storage_request_seconds',
      help: 'Time to answer a request',
      labelNames: ['route', 'status'],
      buckets: [0.002, 0.01, 0.05, 0.2, 1, 5, 20],
      registers: [probes.registry],
    });
  }

  async start(): Promise<void> {
    const { host, port, certPath, keyPath, caPath, token } = this.#config;
    const api = createApi({ log: this.#log, tls: { certPath, keyPath, caPath }, tokens: fixedToken(token, { id: 'service' }) });
    this.#api = api;
    api.addHook('onResponse', async (request, reply) => {
      this.#seconds.observe({ route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    });
    this.#addRoutes(api);
    this.listening = await listen(api, host, port);
  }

  async stop(): Promise<void> {
    const api = this.#api;
    this.#api = null;
    await api?.close();
  }
}

function addGauges(
  probes: Probes,
  config: StorageConfig,
  parts: { readings: DatabaseHandle<ReadingsTables>; registry: DatabaseHandle<RegistryTables>; heavy: Turnstile },
): void {
  const registers = [probes.registry];
  new Gauge({
    name: 'vitalwire_storage_database_up',
    help: '1 while the database answers',
    labelNames: ['database'],
    registers,
    collect() {
      this.set({ database: 'readings' }, parts.readings.problem === null ? 1 : 0);
      this.set({ database: 'registry' }, parts.registry.problem === null ? 1 : 0);
    },
  });
  new Gauge({
    name: 'vitalwire_storage_heavy_waiting',
    help: 'Heavy queries that wait for their turn',
    registers,
    collect() {
      this.set(parts.heavy.waiting);
    },
  });
  const database = parseDatabase(config.database);
  if (database.kind !== 'sqlite') return;
  // A log that grows without end is the first sign of a reader that holds a transaction open.
  new Gauge({
    name: 'vitalwire_storage_wal_bytes',
    help: 'Size of the write-ahead log of the readings',
    registers,
    collect() {
      this.set(statSync(`${database.readingsPath}-wal`, { throwIfNoEntry: false })?.size ?? 0);
    },
  });
}
