import { type Clock, type Lifecycle, type Log, pause } from '@vitalwire/runtime';
import { type Kysely, sql } from 'kysely';
import { fileIdentity } from '../commit/sqlite-file.ts';
import { announcedDevices } from '../queries/announced.ts';
import { Registry } from '../registry/registry.ts';
import { newGeneration } from '../schema/migrate.ts';
import type { OpenDatabase } from '../schema/open-database.ts';
import { futurePartition, missingPartitions, partitionList } from '../schema/partitions.ts';
import type { ReadingsTables, RegistryTables } from '../schema/tables.ts';
import type { DatabaseHandle } from './database-handle.ts';

/** `announcedMs`: how far back a round looks for new devices; a gateway whose clock is further behind is found by the whole look. */
const upkeepTimes = { pulseMs: 5_000, partitionsMs: 3_600_000, announcedMs: 3_600_000, allAnnouncedMs: 600_000 } as const;

/**
 * What has to be done now and then: a pulse that shows a restored backup, the owners of devices that
 * were announced, and on MySQL the day partitions of the coming week.
 */
export class Upkeep implements Lifecycle {
  readonly #readings: DatabaseHandle<ReadingsTables>;
  readonly #registry: DatabaseHandle<RegistryTables>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onNewGeneration: () => void;
  readonly #stopped = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #partitionsAtMs = Number.NEGATIVE_INFINITY;
  #allAnnouncedAtMs = Number.NEGATIVE_INFINITY;
  #identity: string | null = null;

  constructor(options: {
    readings: DatabaseHandle<ReadingsTables>;
    registry: DatabaseHandle<RegistryTables>;
    clock: Clock;
    log: Log;
    onNewGeneration: () => void;
  }) {
    this.#readings = options.readings;
    this.#registry = options.registry;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onNewGeneration = options.onNewGeneration;
  }

  async start(): Promise<void> {
    await this.round(); // before anybody is told a generation: it may be the one of a backup
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await pause(this.#clock, upkeepTimes.pulseMs, this.#stopped.signal);
      if (!this.#stopped.signal.aborted) await this.round();
    }
  }

  /** One round; a database that is away is tried again in the next. */
  async round(): Promise<void> {
    try {
      await this.#notice();
      await this.#pulse();
      await this.#claim();
      if (this.#clock.monotonicMs() - this.#partitionsAtMs >= upkeepTimes.partitionsMs) {
        await this.#readings.use((db, database) => addPartitions(db, database, this.#clock.nowUs(), this.#log));
        this.#partitionsAtMs = this.#clock.monotonicMs();
      }
    } catch (error) {
      this.#log.debug({ err: error }, 'upkeep has to wait'); // the handle has told why
    }
  }

  // A SQLite file that was replaced under us: what we have open is the old one.
  async #notice(): Promise<void> {
    const identity = await this.#readings.use((_db, { dialect, where }) =>
      Promise.resolve(dialect === 'sqlite' ? fileIdentity(where) : ''),
    );
    if (this.#identity !== null && identity !== this.#identity) {
      this.#identity = null;
      await this.#readings.reopen('the file of the readings was replaced');
      return;
    }
    this.#identity = identity;
  }

  async #pulse(): Promise<void> {
    const changed = await this.#registry.use((registry) => this.#readings.use((readings) => beat(readings, registry, this.#clock.nowUs())));
    if (changed === null) return;
    this.#onNewGeneration();
    this.#log.warn(
      { generation: changed },
      'the readings were restored from a backup: a new generation asks gateways to send again what they hold',
    );
  }

  // A device that is nobody's belongs to the gateway that announced it first.
  async #claim(): Promise<void> {
    const isWhole = this.#clock.monotonicMs() - this.#allAnnouncedAtMs >= upkeepTimes.allAnnouncedMs;
    const sinceMs = isWhole ? null : this.#clock.nowMs() - upkeepTimes.announcedMs;
    const announced = await this.#readings.use((db) => announcedDevices(db, sinceMs));
    const claimed = await this.#registry.use(async (db) => {
      const registry = new Registry(db);
      const owned = new Set((await registry.owners()).map(({ device }) => device));
      return registry.claimDevices(
        announced.filter(({ device }) => !owned.has(device)),
        this.#clock.nowUs(),
      );
    });
    if (isWhole) this.#allAnnouncedAtMs = this.#clock.monotonicMs();
    for (const { device, gateway } of claimed) this.#log.info({ device, gateway }, 'a new device belongs to the gateway that announced it');
  }
}

/**
 * Readings and registry count the same pulse. When the readings are behind the registry they were restored from a backup, and
 * get a new generation, which is returned. The registry is read first: another service may be counting too.
 */
export async function beat(readings: Kysely<ReadingsTables>, registry: Kysely<RegistryTables>, nowUs: number): Promise<string | null> {
  const seen = await registry.selectFrom('registry_state').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
  const before = await readings.selectFrom('generation').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
  const isRestored = before.generation === seen.readings_generation && before.pulse < seen.readings_pulse;
  if (isRestored) {
    await renewGeneration(readings, nowUs, 'restored');
    await sql`UPDATE generation SET pulse = ${seen.readings_pulse + 1} WHERE id = 1`.execute(readings);
  } else await sql`UPDATE generation SET pulse = pulse + 1 WHERE id = 1`.execute(readings);
  const after = await readings.selectFrom('generation').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
  await registry
    .updateTable('registry_state')
    .set({ readings_generation: after.generation, readings_pulse: after.pulse })
    .where('id', '=', 1)
    .execute();
  return isRestored ? after.generation : null;
}

/** Gives the readings a new identity: gateways then send again all they hold. */
export async function renewGeneration(
  readings: Kysely<ReadingsTables>,
  nowUs: number,
  reason: string,
): Promise<{ generation: string; createdAtUs: number }> {
  const generation = newGeneration(nowUs);
  await readings.updateTable('generation').set({ generation, created_at_us: nowUs, reason }).where('id', '=', 1).execute();
  return { generation, createdAtUs: nowUs };
}

/** Splits the coming days off p_future; rows that are there already (a week without this service, a wrong clock) move along. */
export async function addPartitions(
  db: Kysely<ReadingsTables>,
  database: OpenDatabase<ReadingsTables>,
  nowUs: number,
  log: Log,
): Promise<string[]> {
  if (database.dialect !== 'mysql') return [];
  const { rows } = await sql<{ name: string }>`SELECT PARTITION_NAME AS name FROM information_schema.PARTITIONS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'chunk' AND PARTITION_NAME IS NOT NULL`.execute(db);
  const days = missingPartitions(
    rows.map(({ name }) => name),
    nowUs,
  );
  if (days.length === 0) return [];
  await sql.raw(`ALTER TABLE chunk REORGANIZE PARTITION ${futurePartition} INTO (${partitionList(days)})`).execute(db);
  log.info({ partitions: days.map(({ name }) => name) }, 'made the partitions of the coming days');
  return days.map(({ name }) => name);
}
