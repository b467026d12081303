import type { Server, ServerResponse } from 'node:http';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type Clock, systemClock } from './clock.ts';
import { within } from './deadline.ts';
import { cannotListen } from './errors.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Log } from './log.ts';
import { version } from './service.ts';

/** How one part is. Degraded means: works, with less than it should; the service stays in use. */
export type Health = { ok: boolean; degraded?: boolean; detail?: unknown };

export type ProbesOptions = { host?: string; port?: number; log: Log; clock?: Clock };

// Not by `import`: that reads every export of the module, and one of them loads Node's own fetch, 0.13 s and 2 MB of each process.
const { createServer } = process.getBuiltinModule('node:http');

const CHECK_TIMEOUT_MS = 2_000;

/** The plain HTTP side door of a service: `/healthz` (alive), `/readyz` (every check, 503 if one is not ok), `/metrics`. */
export class Probes implements Lifecycle {
  readonly registry: Registry = new Registry();
  readonly #host: string;
  readonly #wantedPort: number;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #checks = new Map<string, () => Health | Promise<Health>>();
  #server: Server | null = null;

  constructor(options: ProbesOptions) {
    this.#host = options.host ?? '127.0.0.1';
    this.#wantedPort = options.port ?? 0;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
  }

  /** The port in use; 0 before the start. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Adds a check to `/readyz`; a check that throws or hangs is not ok. */
  check(name: string, run: () => Health | Promise<Health>): void {
    this.#checks.set(name, run);
  }

  async start(): Promise<void> {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({ name: 'vitalwire_build_info', help: 'The running version', labelNames: ['version'], registers: [this.registry] }).set(
      { version },
      1,
    );
    const server = createServer((request, response) => {
      this.#answer(request.url ?? '/', response).catch((error: unknown) => {
        this.#log.error({ err: error }, 'a health or metrics request could not be answered');
        response.destroy();
      });
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(cannotListen(this.#host, this.#wantedPort, cause)));
      server.listen(this.#wantedPort, this.#host, resolve);
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.registry.clear();
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async #answer(url: string, response: ServerResponse): Promise<void> {
    const path = new URL(url, 'http://probe').pathname;
    if (path === '/healthz') sendJson(response, 200, { status: 'ok', version });
    else if (path === '/readyz') await this.#answerReady(response);
    else if (path === '/metrics') {
      response.writeHead(200, { 'content-type': this.registry.contentType });
      response.end(await this.registry.metrics());
    } else
      sendJson(response, 404, {
        error: { code: 'NOT_FOUND', message: `no probe at ${path}`, next: 'ask for /healthz, /readyz or /metrics' },
      });
  }

  async #answerReady(response: ServerResponse): Promise<void> {
    const checks = await Promise.all([...this.#checks].map(async ([name, run]) => [name, await this.#ask(run)] as const));
    const ok = checks.every(([, health]) => health.ok);
    const degraded = checks.some(([, health]) => health.degraded === true);
    sendJson(response, ok ? 200 : 503, {
      status: ok ? (degraded ? 'degraded' : 'ready') : 'not-ready',
      checks: Object.fromEntries(checks),
    });
  }

  async #ask(run: () => Health | Promise<Health>): Promise<Health> {
    try {
      const answer = Promise.resolve(run());
      return await within(this.#clock, CHECK_TIMEOUT_MS, answer, () => new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`));
    } catch (error) {
      return { ok: false, detail: error instanceof Error ? error.message : String(error) };
    }
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
