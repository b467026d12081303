import { join, resolve } from 'node:path';
import type { AgentStatus } from '@vitalwire/contract';
import { Outbox, type OutboxState, Uplink } from '@vitalwire/outbox';
import {
  type Clock,
  Gauge,
  type Identity,
  type Lifecycle,
  type Log,
  makeKeptDir,
  Probes,
  RuntimeError,
  sameSecret,
  type Timer,
  type TokenCheck,
  version,
} from '@vitalwire/runtime';
import { expandHome, isDrained, keepDrained, operatorTokenPath, removeAgentFile, writeAgentFile } from './agent-file.ts';
import type { EdgeConfig } from './config.ts';
import { DeviceTokens, ensureOperatorToken } from './device-tokens.ts';
import { EdgeError } from './errors.ts';
import { Intake, operator } from './intake/intake.ts';
import { phoneBounds } from './intake/phone-point.ts';
import { Refusals } from './intake/refusals.ts';
import { Sessions } from './sessions.ts';
import { LocalWatch } from './watch/local-watch.ts';
import { Watchdog } from './watchdog.ts';

export type EdgeEnv = { readonly log: Log; readonly clock: Clock };
export type EdgeAgent = Lifecycle & { addresses(): Record<string, number | string> };

const MB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const SWEEP_MS = 5_000;
const HUNG_MS = 30_000;
/** Delivered chunks that are kept at least: a request that comes again after a lost answer is held against them. */
const LEAST_RING_MS = 10 * 60_000;

/** The agent on the gateway: intake → outbox → uplink. */
export function createEdgeAgent(config: EdgeConfig, { log, clock }: EdgeEnv): EdgeAgent {
  return new Agent(config, log, clock);
}

class Agent implements EdgeAgent {
  readonly #config: EdgeConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #uplink: Uplink;
  readonly #sessions: Sessions;
  readonly #tokens: DeviceTokens;
  readonly #probes: Probes;
  readonly #intake: Intake;
  readonly #refusals: Refusals;
  readonly #watchdog: Watchdog;
  readonly #watch: LocalWatch | null;
  readonly #dataDir: string;
  readonly #tokensDir: string;
  #operatorToken = '';
  #sweep: Timer | null = null;
  #stopped: Promise<void> | null = null;
  #started = false;
  #announced = false;
  #isAnnounced = false; // it could be written
  #lastAnswerMs = 0;

  constructor(config: EdgeConfig, log: Log, clock: Clock) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    const identity: Identity = { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath };
    this.#dataDir = expandHome(config.dataDir);
    this.#tokensDir = expandHome(config.tokensDir ?? join(this.#dataDir, 'tokens'));
    this.#outbox = new Outbox({
      path: expandHome(config.outboxPath ?? join(this.#dataDir, 'outbox.sqlite')),
      owner: config.gatewayId,
      version,
      maxBytes: config.outboxMaxMb * MB,
      ringMs: Math.max(LEAST_RING_MS, config.ringHours * HOUR_MS),
      minFreeBytes: config.minFreeMb * MB,
      announce: true,
      log: log.child({ part: 'outbox' }),
      clock,
    });
    this.#uplink = new Uplink({
      url: config.frontDoorUrl,
      identity,
      owner: config.gatewayId,
      version,
      outbox: this.#outbox,
      log: log.child({ part: 'uplink' }),
      clock,
      drainMs: config.drainMs,
      problems: (state) => this.#ownProblems(state),
    });
    this.#watch = config.detect
      ? new LocalWatch({
          gateway: config.gatewayId,
          logPath: join(this.#dataDir, 'alarm-log.jsonl'),
          outbox: this.#outbox,
          online: () => this.#uplink.connected,
          clock,
          clockState: () => this.#uplink.clock,
          log: log.child({ part: 'watch' }),
        })
      : null;
    const outbox = this.#watch === null ? this.#outbox : watched(this.#outbox, this.#watch);
    this.#sessions = new Sessions({ gateway: config.gatewayId, outbox, clock, clockState: () => this.#uplink.clock });
    this.#tokens = new DeviceTokens(this.#tokensDir, clock, log);
    this.#probes = new Probes({ host: config.probeHost, port: config.probePort, log });
    this.#refusals = new Refusals(clock);
    this.#intake = new Intake({
      refusals: this.#refusals,
      sourceKey: () => `vitalwire source ${this.#operatorToken}`,
      phoneBounds: () => phoneBounds(clock.nowUs(), this.#uplink.clock),
      gateway: config.gatewayId,
      host: config.intakeHost,
      port: config.intakePort,
      tls: { certPath: config.intakeCertPath ?? config.certPath, keyPath: config.intakeKeyPath ?? config.keyPath, caPath: config.caPath },
      tokens: this.#tokenCheck(),
      sessions: this.#sessions,
      chunkMs: config.chunkMs,
      log: log.child({ part: 'intake' }),
      registry: this.#probes.registry,
      status: () => this.#status(),
      drain: (on) => this.#drain(on),
      watch: this.#watch,
    });
    this.#watchdog = new Watchdog(process.env, clock, log, () => clock.monotonicMs() - this.#lastAnswerMs < HUNG_MS);
  }

  addresses(): Record<string, number | string> {
    return { intake: this.#intake.port, intakeUrl: this.#intake.url, probes: this.#probes.port };
  }

  async start(signal: AbortSignal): Promise<void> {
    const { gatewayId, token } = this.#config;
    const dataDir = this.#dataDir;
    this.#started = true;
    await makeDir(dataDir);
    this.#operatorToken = await ensureOperatorToken(operatorTokenPath(dataDir), token);
    await this.#outbox.start();
    await this.#uplink.start();
    await this.#tokens.start();
    await this.#watch?.start(signal);
    this.#addChecks();
    this.#addMetrics();
    await this.#probes.start();
    signal.throwIfAborted();
    this.#intake.setDraining(await isDrained(dataDir));
    await this.#intake.start();
    this.#lastAnswerMs = this.#clock.monotonicMs();
    this.#sweepLater();
    this.#announced = true;
    await this.#announce();
    this.#watchdog.start();
    this.#log.info({ gateway: gatewayId, intake: this.#intake.url, devices: this.#tokens.size }, 'the edge agent takes readings in');
  }

  /** Says where the agent can be reached. On a full disk it runs without that, and says it when there is space again. */
  async #announce(): Promise<void> {
    try {
      await writeAgentFile(this.#dataDir, {
        gateway: this.#config.gatewayId,
        pid: process.pid,
        url: this.#intake.url,
        probes: `http://${this.#config.probeHost}:${this.#probes.port}`,
        caPath: resolve(this.#config.caPath),
        tokensDir: resolve(this.#tokensDir),
        version,
      });
      this.#isAnnounced = true;
    } catch (error) {
      if (!RuntimeError.is(error, 'KEPT_UNWRITABLE')) throw error;
      this.#log.error({ err: error }, 'the file that says where the agent is could not be written; it is tried again');
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  /** Stop the intake, end the recordings, give the uplink a while to deliver all that, then close. */
  async #close(): Promise<void> {
    if (!this.#started) return;
    this.#watchdog.stop();
    this.#sweep?.cancel();
    this.#sweep = null;
    await this.#intake.stop();
    await this.#sessions.endAll('stopped').catch((error: unknown) => this.#log.error({ err: error }, 'a recording could not be ended'));
    await this.#watch?.stop(); // its last lines go through the outbox
    await this.#outbox.finish().catch((error: unknown) => this.#log.error({ err: error }, 'the session could not be ended'));
    await this.#uplink.stop();
    await this.#outbox.stop();
    await this.#probes.stop();
    if (this.#announced) await removeAgentFile(this.#dataDir).catch(() => {}); // never that of another agent
  }

  #tokenCheck(): TokenCheck {
    return async (token) => {
      if (sameSecret(token, this.#operatorToken)) return operator;
      const device = await this.#tokens.deviceOf(token);
      return device === null ? null : { id: device, role: 'device' };
    };
  }

  async #status(): Promise<AgentStatus> {
    const state = await this.#outbox.state();
    return {
      ...this.#uplink.liveStatus(),
      problem: this.#uplink.problems()[0] ?? null,
      problems: this.#uplink.problems(),
      uplink: this.#uplink.status(),
      outbox: state,
      intake: { draining: this.#intake.draining, devices: this.#tokens.size, openRecordings: this.#sessions.openRecordings },
    };
  }

  #ownProblems(state: OutboxState): string[] {
    const full = `the disk of ${this.#dataDir} is full: free some space; readings that do not fit are refused (503), and devices send them again`;
    const refused = this.#refusals.problem;
    return [...(state.diskFull ? [full] : []), ...(refused === null ? [] : [refused])];
  }

  /** Takes nothing more in and ends the recordings, so that everything there is can be sent; or takes readings in again. */
  async #drain(on: boolean): Promise<AgentStatus> {
    await keepDrained(this.#dataDir, on);
    this.#intake.setDraining(on);
    if (on) await this.#sessions.endAll('stopped');
    this.#log.info(on ? 'the intake is closed, the outbox is being emptied' : 'the intake is open again');
    return this.#status();
  }

  #sweepLater(): void {
    this.#sweep = this.#clock.setTimer(SWEEP_MS, () => {
      Promise.all([
        this.#sessions.endOld(),
        this.#intake.reloadTls(),
        this.#outbox.state(),
        this.#isAnnounced ? undefined : this.#announce(),
      ])
        .then(() => {
          this.#lastAnswerMs = this.#clock.monotonicMs();
        })
        .catch((error: unknown) =>
          this.#log.error({ err: error }, 'the outbox did not answer, or a recording could not be ended at midnight'),
        )
        .finally(() => {
          if (this.#stopped === null) this.#sweepLater();
        });
    });
  }

  #addChecks(): void {
    this.#probes.check('outbox', async () => {
      const state = await this.#outbox.state();
      const { pendingChunks, pendingBytes, usedBytes, maxBytes, oldestPendingAtMs } = state;
      this.#lastAnswerMs = this.#clock.monotonicMs();
      return {
        ok: true,
        degraded: state.diskFull || (usedBytes > maxBytes * 0.9 && pendingBytes > maxBytes / 2),
        detail: {
          problem: state.diskFull ? (this.#ownProblems(state)[0] ?? null) : null,
          pendingChunks,
          pendingBytes,
          usedBytes,
          maxBytes,
          oldestPendingAtMs,
        },
      };
    });
    // Without the cluster the agent still does its work: it is degraded, not unready.
    this.#probes.check('uplink', async () => {
      const own = this.#ownProblems(await this.#outbox.state());
      const problem = this.#uplink.problems().find((one) => !own.includes(one)) ?? null;
      return { ok: true, degraded: !this.#uplink.connected || problem !== null, detail: { problem, ...this.#uplink.status() } };
    });
    const watch = this.#watch;
    if (watch !== null)
      this.#probes.check('detector', () => ({
        ok: true,
        degraded: watch.state !== 'running',
        detail: { state: watch.state, problem: watch.problem },
      }));
    this.#probes.check('intake', () => ({
      ok: true,
      degraded: this.#intake.draining || this.#refusals.problem !== null,
      detail: { url: this.#intake.url, problem: this.#refusals.problem },
    }));
  }

  #addMetrics(): void {
    const registers = [this.#probes.registry];
    const gauge = (name: string, help: string, read: () => number | null | Promise<number | null>): void => {
      new Gauge({
        name: `vitalwire_edge_${name}`,
        help,
        registers,
        async collect() {
          this.set((await read()) ?? Number.NaN);
        },
      });
    };
    const state = () => this.#outbox.state();
    gauge('outbox_pending_chunks', 'Chunks and records not yet acknowledged', async () => (await state()).pendingChunks);
    gauge('outbox_pending_bytes', 'Their bytes', async () => (await state()).pendingBytes);
    gauge('outbox_ring_bytes', 'Delivered bytes kept against the loss of the cluster', async () => (await state()).ringBytes);
    gauge('outbox_used_bytes', 'Pages in use of the outbox file', async () => (await state()).usedBytes);
    gauge('outbox_wal_bytes', 'Size of the write-ahead log', async () => (await state()).walBytes);
    gauge(
      'outbox_evicted_chunks',
      'Chunks given up because the outbox was full, since the start',
      async () => (await state()).evictedChunks,
    );
    gauge(
      'outbox_damaged_chunks',
      'Chunks that were not what had been written, since the start',
      async () => (await state()).damagedChunks,
    );
    gauge('oldest_age_seconds', 'Age of the oldest un-acknowledged chunk', () => {
      const ageMs = this.#uplink.liveStatus().oldestAgeMs;
      return ageMs === null ? 0 : ageMs / 1000;
    });
    gauge('uplink_connected', '1 while connected to the front door', () => (this.#uplink.connected ? 1 : 0));
    gauge('uplink_acknowledged', 'Acknowledgements since the start', () => this.#uplink.status().acknowledged);
    gauge('certificate_days_left', "Days until the gateway's certificate ends", () => this.#uplink.liveStatus().certificateDaysLeft);
    gauge('clock_offset_seconds', 'Cluster clock minus gateway clock', () => this.#uplink.clock.offsetUs / 1e6);
  }
}

/** The outbox for the sessions: the watch is handed what has been committed, and nothing waits for it. */
function watched(outbox: Outbox, watch: LocalWatch): Pick<Outbox, 'append' | 'capturePosition' | 'compareCapture' | 'unseen'> {
  return {
    append: async (steps) => {
      const appended = await outbox.append(steps);
      watch.take(steps);
      return appended;
    },
    capturePosition: (...args) => outbox.capturePosition(...args),
    compareCapture: (claim) => outbox.compareCapture(claim),
    unseen: (...args) => outbox.unseen(...args),
  };
}

async function makeDir(dataDir: string): Promise<void> {
  try {
    await makeKeptDir(dataDir);
  } catch (cause) {
    throw new EdgeError('DATA_DIR_UNUSABLE', cause instanceof Error ? cause.message : dataDir, { cause });
  }
}
