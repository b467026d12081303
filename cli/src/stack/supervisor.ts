import { type Backoff, type Clock, type Lifecycle, pause } from '@vitalwire/runtime';
import { CliError } from '../errors.ts';
import { crashReason, type Exit } from './crash-reason.ts';

export type Addresses = Readonly<Record<string, string | number>>;

/** A running child process, as the supervisor sees it. */
export type Child = {
  readonly pid: number | undefined;
  /** Resolves when the child says that it is ready; never rejects, and stays pending if the child never says so. */
  readonly ready: Promise<Addresses>;
  readonly exited: Promise<Exit>;
  terminate(): void;
  kill(): void;
};

export type ServiceState = 'waiting' | 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped' | 'failed';

/** One service's present state; a new object at every change. */
export type ServiceView = {
  readonly name: string;
  readonly state: ServiceState;
  readonly pid: number | null;
  readonly restarts: number;
  readonly lastCrash: { readonly atMs: number; readonly reason: string } | null;
  readonly addresses: Addresses | null;
};

export type SupervisorOptions = {
  /** Stage after stage is started, and stopped in the opposite order; the services of one stage start together. */
  stages: readonly (readonly string[])[];
  spawn: (name: string) => Child;
  clock: Clock;
  backoff: () => Backoff;
  onChange?: (view: ServiceView) => void;
  readyTimeoutMs?: number;
  stopGraceMs?: number;
};

/** How often a service may fail before it was ever ready, until the whole start is given up. */
const FIRST_START_ATTEMPTS = 3;
/** The front door waits up to 12 s for commits begun with a database that does not answer; it must end by itself, later than that. */
const STOP_GRACE_MS = 20_000;
/** A child that ends with this code has refused its configuration: trying again would not help. */
const CONFIG_REFUSED = 2;

/** Keeps children alive: starts them in order, restarts what crashes with a growing random delay, stops them in reverse. */
export class Supervisor implements Lifecycle {
  readonly #options: SupervisorOptions;
  readonly #services: Map<string, Service>;
  #stopping: Promise<void> | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#services = new Map(options.stages.flat().map((name) => [name, new Service(name, options)]));
  }

  /** Resolves when every service has been ready once; throws, with everything stopped again, if one cannot be started. */
  async start(signal: AbortSignal): Promise<void> {
    const stopEarly = (): void => {
      void this.stop();
    };
    signal.addEventListener('abort', stopEarly, { once: true });
    try {
      for (const stage of this.#options.stages) {
        signal.throwIfAborted();
        await Promise.all(stage.map(async (name) => this.#services.get(name)?.start()));
      }
      signal.throwIfAborted();
    } catch (error) {
      await this.stop();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', stopEarly);
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  views(): ServiceView[] {
    return [...this.#services.values()].map((service) => service.view);
  }

  async #stopAll(): Promise<void> {
    for (const stage of this.#options.stages.toReversed()) {
      await Promise.all(stage.map(async (name) => this.#services.get(name)?.stop()));
    }
  }
}

class Service {
  view: ServiceView;
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  #child: Child | null = null;
  #loop: Promise<void> | null = null;

  constructor(name: string, options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = options.backoff();
    this.view = { name, state: 'waiting', pid: null, restarts: 0, lastCrash: null, addresses: null };
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#loop = this.#keepAlive(resolve, reject);
    });
  }

  async stop(): Promise<void> {
    if (this.view.state === 'stopped') return;
    this.#stop.abort(new DOMException('stopping', 'AbortError'));
    const child = this.#child;
    if (child !== null) {
      this.#change({ state: 'stopping' });
      child.terminate();
      const grace = this.#options.clock.setTimer(this.#options.stopGraceMs ?? STOP_GRACE_MS, () => child.kill());
      await child.exited;
      grace.cancel();
    }
    await this.#loop;
    this.#change({ state: 'stopped', pid: null });
  }

  async #keepAlive(onFirstReady: () => void, onGivenUp: (error: Error) => void): Promise<void> {
    let wasReady = false;
    for (let attempt = 1; !this.#stop.signal.aborted; attempt++) {
      const child = this.#options.spawn(this.view.name);
      this.#child = child;
      this.#change({ state: 'starting', pid: child.pid ?? null, restarts: attempt - 1 });
      const addresses = await this.#readyOrNot(child);
      if (addresses !== null && !this.#stop.signal.aborted) {
        this.#change({ state: 'ready', addresses });
        this.#backoff.healthy();
        wasReady = true;
        onFirstReady();
      }
      const exit = await child.exited;
      this.#child = null;
      if (this.#stop.signal.aborted) break;
      const reason =
        addresses === null && exit.signal === 'SIGKILL' && this.#timedOut ? `not ready in time, ${crashReason(exit)}` : crashReason(exit);
      this.#timedOut = false;
      this.#change({ state: 'restarting', pid: null, lastCrash: { atMs: this.#options.clock.nowMs(), reason } });
      if (!wasReady && (exit.code === CONFIG_REFUSED || attempt >= FIRST_START_ATTEMPTS)) {
        this.#change({ state: 'failed' });
        onGivenUp(
          new CliError(exit.code === CONFIG_REFUSED ? 'CONFIG_REFUSED' : 'SERVICE_FAILED', `${this.view.name} ended with ${reason}`),
        );
        return;
      }
      await pause(this.#options.clock, this.#backoff.nextMs(), this.#stop.signal);
    }
    // Whoever still waits for the first start learns that there will be none.
    onGivenUp(new DOMException('stopped while starting', 'AbortError'));
  }

  #timedOut = false;

  /** The child's addresses, or null if it ended, or had to be ended, before it was ready. */
  async #readyOrNot(child: Child): Promise<Addresses | null> {
    const timer = this.#options.clock.setTimer(this.#options.readyTimeoutMs ?? 30_000, () => {
      this.#timedOut = true;
      child.kill();
    });
    try {
      return await Promise.race([child.ready, child.exited.then(() => null)]);
    } finally {
      timer.cancel();
    }
  }

  #change(part: Partial<ServiceView>): void {
    this.view = { ...this.view, ...part };
    this.#options.onChange?.(this.view);
  }
}
