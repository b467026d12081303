import { ApiError, HttpClient, HttpError, type Log } from '@vitalwire/runtime';
import type { z } from 'zod';
import type { WebConfig } from './config.ts';

export type ServiceLinkOptions = {
  readonly url: string;
  readonly token: string;
  readonly caPath: string;
  readonly timeoutMs: number;
  readonly log: Log;
  /** What the service is called, the code of its absence, and what goes on without it. */
  readonly name: string;
  readonly code: string;
  readonly goesOn: string;
};

export type ServiceAnswer = { readonly bytes: Uint8Array; readonly contentType: string; readonly nextSeq: string | null };

/** The way to another service: bounded in time, and its absence is an ordinary answer with a code. */
export class ServiceLink {
  readonly #client: HttpClient;
  readonly #options: ServiceLinkOptions;
  #health: 'ok' | 'down' | 'unknown' = 'unknown';

  constructor(options: ServiceLinkOptions) {
    this.#client = new HttpClient({ baseUrl: options.url, token: options.token, caPath: options.caPath, timeoutMs: options.timeoutMs });
    this.#options = options;
  }

  /** As of the last request. */
  get health(): 'ok' | 'down' | 'unknown' {
    return this.#health;
  }

  /** Fetches a path as it is; throws an ApiError with the service's own refusal, or 503 and the code of its absence. */
  async fetch(path: string): Promise<ServiceAnswer> {
    const { bytes, headers } = await this.#asked(() => this.#client.getBytes(path));
    return { bytes, contentType: headers['content-type'] ?? 'application/json', nextSeq: headers['x-next-seq'] ?? null };
  }

  async getJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    return this.#asked(() => this.#client.getJson(path, schema));
  }

  async put(path: string, body: unknown): Promise<unknown> {
    return this.#asked(() => this.#client.putJson(path, body));
  }

  async post(path: string, body: unknown): Promise<unknown> {
    return this.#asked(() => this.#client.postJson(path, body));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask();
      this.#say('ok');
      return answer;
    } catch (cause) {
      if (!HttpError.is(cause)) throw cause;
      const { status, remoteCode, remoteMessage, remoteNext } = cause as HttpError;
      if (status !== null && status >= 400 && status < 500 && status !== 401) {
        this.#say('ok');
        // The service's own words: which of our machines said them is of no use to the viewer.
        throw new ApiError(status, remoteCode ?? 'REFUSED', remoteMessage ?? cause.message, remoteNext ?? 'correct the request');
      }
      this.#say('down');
      const { name, code, goesOn, timeoutMs } = this.#options;
      const next = `try again; each request gives up after ${timeoutMs} ms`;
      throw new ApiError(503, code, `${name} did not answer (${cause.code}); ${goesOn}`, next, { cause });
    }
  }

  #say(health: 'ok' | 'down'): void {
    if (this.#health === health) return;
    this.#health = health;
    const { log, name, goesOn } = this.#options;
    if (health === 'down') log.warn(`${name} does not answer; ${goesOn}`);
    else log.info(`${name} answers`);
  }
}

export function storageLink(config: WebConfig, log: Log): ServiceLink {
  return new ServiceLink({
    url: config.storageUrl,
    token: config.storageToken,
    caPath: config.caPath,
    timeoutMs: config.storageTimeoutMs,
    log,
    name: 'storage',
    code: 'STORAGE_UNAVAILABLE',
    goesOn: 'live values keep arriving, names are the last known',
  });
}

/** Null where no address is configured. */
export function alarmsLink(config: WebConfig, log: Log): ServiceLink | null {
  if (config.alarmsUrl === '') return null;
  return new ServiceLink({
    url: config.alarmsUrl,
    token: config.alarmsToken,
    caPath: config.caPath,
    timeoutMs: config.storageTimeoutMs,
    log,
    name: 'the alarms service',
    code: 'ALARMS_UNAVAILABLE',
    goesOn: 'nothing can be acknowledged or paused',
  });
}
