import { execFile, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from '@vitalwire/client';
import { loadDetector } from '@vitalwire/detector';
import { createLog, sourceExecArgv, systemClock } from '@vitalwire/runtime';
import { type MariaDb, removeTempDir, startMariaDb, tempDir, until } from '@vitalwire/testkit';
import { type Command, ownCommand, readToken, resolveDataDir, type ServiceName, Stack } from 'vitalwire/stack';
import { afterEach, describe, expect, test } from 'vitest';
import { killAtRandomMoments, seededRandom, type Victim } from './killing.ts';

const SEED = 20261122;
const PATIENTS = 4;
const PAUSE_MS = [700, 2_600] as const;
const services: readonly ServiceName[] = ['edge', 'ingest', 'storage', 'prediction'];
const run = promisify(execFile);

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('SIGKILL at random moments during a replay', () => {
  test('SQLite: nothing is lost, stored twice or left unscored', { timeout: 240_000 }, async () => {
    const bed = await startBed();
    const killed = await bed.replayWhile((random) => killAtRandomMoments(services.map(bed.victim), 3, random, PAUSE_MS));
    expect(killed).toHaveLength(12);
    await expectNothingMissing(bed);
  });

  test('MariaDB, the database server among the victims: nothing is lost, stored twice or left unscored', { timeout: 300_000 }, async () => {
    const bed = await killsOnMariaDb();
    await expectNothingMissing(bed);
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
  cleanups.push(() => database.stop());
  const bed = await startBed({ database: database.adminUrl, ...(commandOf === undefined ? {} : { commandOf }) });
  const victims = [...services.map(bed.victim), databaseVictim(database), duringStall(database, bed.victim('ingest'))];
  const killed = await bed.replayWhile((random) => killAtRandomMoments(victims, 2, random, PAUSE_MS));
  expect(killed).toHaveLength(12);
  return bed;
}

type Bed = Awaited<ReturnType<typeof startBed>>;
type VerifyReport = { readonly lost: number; readonly duplicated: number; readonly different: number; readonly samplesStored: number };

async function startBed(options: { database?: string; commandOf?: (name: ServiceName) => Command | null } = {}) {
  const root = tempDir('vw-kill-');
  cleanups.push(() => removeTempDir(root));
  const dirs = resolveDataDir(root, {});
  const stack = new Stack({ dirs, env: process.env, clock: systemClock, ...options });
  await stack.start(new AbortController().signal);
  cleanups.push(() => stack.stop());
  const { urls, caPath } = stack.info;
  const client = await Client.connect({ url: urls.web, token: readToken(stack.info.tokenPath), caPath, timeoutMs: 20_000 });
  cleanups.push(() => client.close());

  return {
    client,
    stack,
    /** A service of the stack, killed as soon as it has a process. */
    victim: (name: ServiceName): Victim => ({
      name,
      async kill() {
        await until(() => pidOf(stack, name) !== null, { timeoutMs: 30_000, what: `${name} has a process` });
        const pid = pidOf(stack, name);
        if (pid !== null) process.kill(pid, 'SIGKILL');
      },
    }),
    /** Replays while something happens to the stack, then ends the replay in order. */
    async replayWhile<T>(happens: (random: () => number) => Promise<T>): Promise<T> {
      const { command, args } = ownCommand(
        'replay',
        'bonn',
        '--patients',
        String(PATIENTS),
        '--speed',
        '1',
        '--seed',
        String(SEED),
        '--data',
        root,
        '--json',
      );
      const replay = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      replay.stderr.on('data', (text: Buffer) => {
        said = `${said}${text.toString()}`.slice(-4_000);
      });
      replay.stdout.resume();
      const exited = new Promise<number | null>((resolve) => replay.once('exit', resolve));
      cleanups.push(() => replay.kill('SIGKILL'));
      await until(async () => (await client.stats()).samples > 0, { timeoutMs: 30_000, everyMs: 250, what: 'the first sample is stored' });
      const result = await happens(seededRandom(SEED));
      replay.kill('SIGINT');
      expect(await exited, said).toBe(0);
      return result;
    },
    /** Until the agent's outbox holds nothing that was not acknowledged. */
    async untilDelivered(): Promise<void> {
      const fromUs = await client.time();
      await until(
        async () => {
          const { gateways } = await client.gateways();
          return gateways.some(
            ({ state, depthChunks, statusReceivedAtUs }) => state === 'online' && depthChunks === 0 && (statusReceivedAtUs ?? 0) > fromUs,
          );
        },
        { timeoutMs: 60_000, everyMs: 250, what: 'the outbox is empty' },
      );
    },
    /** `vitalwire verify`: exit code and report. */
    async verify(): Promise<{ code: number; report: VerifyReport }> {
      const { command, args } = ownCommand('verify', '--source', 'bonn', '--data', root, '--json');
      const { code, stdout } = await run(command, args, { maxBuffer: 64 * 1024 * 1024 }).then(
        (done) => ({ code: 0, stdout: done.stdout }),
        (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
      );
      return { code, report: JSON.parse(stdout) as VerifyReport };
    },
  };
}

async function expectNothingMissing(bed: Bed): Promise<void> {
  await bed.untilDelivered();
  const verdict = await bed.verify();
  expect(verdict.report).toMatchObject({ lost: 0, duplicated: 0, different: 0 });
  expect(verdict.code).toBe(0);
  expect(verdict.report.samplesStored).toBeGreaterThan(0);
  const { conflicts, quarantined } = await bed.client.stats();
  expect({ conflicts, quarantined }).toEqual({ conflicts: 0, quarantined: 0 });
  await until(async () => (await unscoredWindows(bed.client)) === 0, {
    timeoutMs: 60_000,
    everyMs: 250,
    what: 'every scorable window has a detection',
  });
}

/** Windows that could be scored by the shipped model and are not, over all recordings. */
async function unscoredWindows(client: Client): Promise<number> {
  const { modelHash: model } = await loadDetector({ backend: 'wasm', log: createLog({ name: 'e2e', level: 'silent' }) });
  let unscored = 0;
  for await (const { recordingId } of client.eachRecording({ stream: 'eeg' })) {
    const { scorableWindows, scoredWindows } = await client.unscored(recordingId, { model, window: 178, hop: 178 });
    unscored += scorableWindows - scoredWindows;
  }
  return unscored;
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

function pidOf(stack: Stack, name: ServiceName): number | null {
  return stack.views().find((view) => view.name === name)?.pid ?? null;
}
