import { execFile } from 'node:child_process';
import type { Clock, Log, Timer } from '@vitalwire/runtime';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Tells systemd that the agent is ready and alive. Node has no datagram sockets of the unix kind, so the small program systemd-notify
 * does the sending; the unit therefore says NotifyAccess=all. Outside systemd nothing happens.
 */
export class Watchdog {
  readonly #env: Env;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #healthy: () => boolean;
  #timer: Timer | null = null;

  constructor(env: Env, clock: Clock, log: Log, healthy: () => boolean) {
    this.#env = env;
    this.#clock = clock;
    this.#log = log;
    this.#healthy = healthy;
  }

  start(): void {
    if (this.#env['NOTIFY_SOCKET'] === undefined) return;
    this.#notify('READY=1');
    const everyMs = Number(this.#env['WATCHDOG_USEC'] ?? 0) / 2_000;
    if (everyMs >= 100) this.#arm(everyMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#env['NOTIFY_SOCKET'] !== undefined) this.#notify('STOPPING=1');
  }

  #arm(everyMs: number): void {
    this.#timer = this.#clock.setTimer(everyMs, () => {
      // No sign of life when the outbox hangs: systemd then restarts the agent, which is what helps.
      if (this.#healthy()) this.#notify('WATCHDOG=1');
      this.#arm(everyMs);
    });
  }

  #notify(state: string): void {
    execFile('systemd-notify', [state], { timeout: 5_000 }, (error) => {
      if (error !== null) this.#log.warn({ err: error }, 'systemd could not be told that the agent is alive; it may restart it');
    });
  }
}
