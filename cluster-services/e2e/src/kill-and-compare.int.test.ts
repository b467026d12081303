import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sourceExecArgv } from '@vitalwire/runtime';
import { type MariaDb, startMariaDb } from '@vitalwire/testkit';
import type { Command, ServiceName } from 'vitalwire/stack';
import { describe, expect, test } from 'vitest';
import { atEnd, Bed } from './bed.ts';
import { killAtRandomMoments, seededRandom, type Victim } from './killing.ts';

const SEED = 20261122;
const PAUSE_MS = [700, 2_600] as const;
const services: readonly ServiceName[] = ['edge', 'ingest', 'storage', 'prediction'];

describe('SIGKILL at random moments during a replay', () => {
  test('SQLite: nothing is lost, stored twice or left unscored', { timeout: 240_000 }, async () => {
    const bed = await Bed.start();
    const killed = await bed.replayWhile(SEED, () => killAtRandomMoments(services.map(bed.victim), 3, seededRandom(SEED), PAUSE_MS));
    expect(killed).toHaveLength(12);
    await bed.expectNothingMissing();
  });

  test('MariaDB, the database server among the victims: nothing is lost, stored twice or left unscored', { timeout: 300_000 }, async () => {
    const bed = await killsOnMariaDb();
    await bed.expectNothingMissing();
  });

  // The test of the test: the same kills and the same comparison must fail when the PUBACK leaves before the commit.
  test('a front door that acknowledges before the commit is caught', { timeout: 300_000 }, async () => {
    const leaky: Command = {
      command: process.execPath,
      args: [...sourceExecArgv(import.meta.url), fileURLToPath(new URL('./leaky-front-door.ts', import.meta.url))],
    };
    const bed = await killsOnMariaDb((name) => (name === 'ingest' ? leaky : null));
    await bed.untilDelivered();
    const verdict = await bed.verify();
    expect(verdict.code).toBe(1);
    expect(verdict.report.lost).toBeGreaterThan(0);
  });
});

async function killsOnMariaDb(commandOf?: (name: ServiceName) => Command | null): Promise<Bed> {
  const database = await startMariaDb();
  atEnd(() => database.stop());
  const bed = await Bed.start({ database: database.adminUrl, ...(commandOf === undefined ? {} : { commandOf }) });
  const victims = [...services.map(bed.victim), databaseVictim(database), duringStall(database, bed.victim('ingest'))];
  const killed = await bed.replayWhile(SEED, () => killAtRandomMoments(victims, 2, seededRandom(SEED), PAUSE_MS));
  expect(killed).toHaveLength(12);
  return bed;
}

function databaseVictim(database: MariaDb): Victim {
  return {
    name: 'database',
    async kill() {
      await database.kill9();
      await database.restart();
    },
  };
}

/** The worst moment: chunks have arrived, the database holds their commit, and the process in between dies. */
function duringStall(database: MariaDb, victim: Victim): Victim {
  return {
    name: `${victim.name} during a commit`,
    async kill() {
      database.pause();
      try {
        await sleep(500);
        await victim.kill();
      } finally {
        database.resume();
      }
    },
  };
}
