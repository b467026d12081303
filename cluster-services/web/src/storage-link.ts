import { ApiError, HttpClient, HttpError, type Log } from '@vitalwire/runtime';
import type { z } from 'zod';

export type StorageLinkOptions = { url: string; token: string; caPath: string; timeoutMs: number; log: Log };

export type StorageAnswer = { readonly bytes: Uint8Array; readonly contentType: string; readonly nextSeq: string | null };

/** The way to the storage service: bounded in time, and its absence is an ordinary answer with a code. */
export class StorageLink {
  readonly #client: HttpClient;
  readonly #timeoutMs: number;
  readonly #log: Log;
  #health: 'ok' | 'down' | 'unknown' = 'unknown';

  constructor(options: StorageLinkOptions) {
    this.#client = new HttpClient({ baseUrl: options.url, token: options.token, caPath: options.caPath, timeoutMs: options.timeoutMs });
    this.#timeoutMs = options.timeoutMs;
    this.#log = options.log;
  }

  /** As of the last request. */
  get health(): 'ok' | 'down' | 'unknown' {
    return this.#health;
  }

  /** Fetches a path as it is; throws an ApiError with storage's own refusal, or 503 STORAGE_UNAVAILABLE. */
  async fetch(path: string): Promise<StorageAnswer> {
    const { bytes, headers } = await this.#asked(() => this.#client.getBytes(path));
    return { bytes, contentType: headers['content-type'] ?? 'application/json', nextSeq: headers['x-next-seq'] ?? null };
  }

  async getJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    return this.#asked(() => this.#client.getJson(path, schema));
  }

  async put(path: string, body: unknown): Promise<unknown> {
    return this.#asked(() => this.#client.putJson(path, body));
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
        // Storage's own words: which of our machines said them is of no use to the viewer.
        throw new ApiError(status, remoteCode ?? 'REFUSED', remoteMessage ?? cause.message, remoteNext ?? 'correct the request');
      }
      this.#say('down');
      const message = `storage did not answer (${cause.code}); live values keep arriving`;
      throw new ApiError(503, 'STORAGE_UNAVAILABLE', message, `try again; each request gives up after ${this.#timeoutMs} ms`, { cause });
    }
  }

  #say(health: 'ok' | 'down'): void {
    if (this.#health === health) return;
    this.#health = health;
    if (health === 'down') this.#log.warn('storage does not answer; screens go on with live values and the last-known registry');
    else this.#log.info('storage answers');
  }
}
