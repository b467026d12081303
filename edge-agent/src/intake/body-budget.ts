import { Transform, type TransformCallback } from 'node:stream';
import { limits } from '@vitalwire/contract';
import { type Api, ApiError } from '@vitalwire/runtime';

const MAX_BODIES_BYTES = 160 * 1024 * 1024;
const MAX_REQUESTS = 2_048;
const STREAMED_BYTES = 1024 * 1024; // what a body that is read in pieces holds at most

declare module 'fastify' {
  interface FastifyRequest {
    reservedBytes: number;
  }
  interface FastifyContextConfig {
    /** The body is read in pieces, and never held whole. */
    streamed?: boolean;
  }
}

/**
 * Bounds the bytes of all bodies that are being received or worked on. Beyond it a request is answered 429, before its body is read where
 * its size is known before, so that a burst can never push the readings of other devices out of memory. A body that does not say how
 * long it is, or that is unpacked, counts as it comes.
 */
export class BodyBudget {
  #bytes = 0;
  #requests = 0;

  get bytes(): number {
    return this.#bytes;
  }

  guard(api: Api): void {
    api.decorateRequest('reservedBytes', 0);
    api.addHook('onRequest', async (request) => {
      if (request.method !== 'POST') return;
      const most = request.routeOptions.bodyLimit ?? limits.maxIntakeBytes;
      const declared = Number(request.headers['content-length'] ?? 0);
      const bytes =
        request.routeOptions.config.streamed === true ? STREAMED_BYTES : Math.min(Number.isFinite(declared) ? declared : most, most);
      if (this.#requests >= MAX_REQUESTS) throw full();
      this.#reserve(request, Math.max(1, bytes));
      this.#requests += 1;
    });
    api.addHook('preParsing', async (request, _reply, payload) => {
      const isCounted = request.headers['content-length'] !== undefined && request.headers['content-encoding'] === undefined;
      if (request.reservedBytes === 0 || isCounted || request.routeOptions.config.streamed === true) return payload;
      const counted = new CountedBody((bytes) => this.#reserve(request, bytes));
      counted.on('error', () => {}); // told to whoever reads it
      payload.on('error', (error) => counted.destroy(error));
      payload.on('close', () => {
        if (!payload.readableEnded) counted.destroy(new ApiError(400, 'INTERRUPTED', 'the body ended early', 'send it again'));
      });
      const encoded = payload as { receivedEncodedLength?: number };
      Object.defineProperty(counted, 'receivedEncodedLength', { get: () => encoded.receivedEncodedLength ?? counted.bytes });
      return payload.pipe(counted);
    });
    const release = (request: { reservedBytes: number }): void => {
      if (request.reservedBytes === 0) return;
      this.#bytes -= request.reservedBytes;
      this.#requests -= 1;
      request.reservedBytes = 0;
    };
    api.addHook('onResponse', async (request) => release(request));
    api.addHook('onRequestAbort', async (request) => release(request));
    api.addHook('onTimeout', async (request) => release(request));
    api.addHook('onError', async (_request, reply, error) => {
      if (error instanceof ApiError && (error.status === 429 || error.status === 503)) void reply.header('retry-after', '1');
    });
  }

  #reserve(request: { reservedBytes: number }, bytes: number): void {
    if (this.#bytes + bytes > MAX_BODIES_BYTES) throw full();
    request.reservedBytes += bytes;
    this.#bytes += bytes;
  }
}

/** Passes a body on and says how much there is of it. */
class CountedBody extends Transform {
  readonly #reserve: (bytes: number) => void;
  bytes = 0;

  constructor(reserve: (bytes: number) => void) {
    super();
    this.#reserve = reserve;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    try {
      this.#reserve(chunk.byteLength);
      this.bytes += chunk.byteLength;
      done(null, chunk);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function full(): ApiError {
  return tooBusy('the intake holds as many bytes as it may');
}

export function tooBusy(why: string): ApiError {
  return new ApiError(429, 'TOO_BUSY', why, 'send the same request again after the seconds in retry-after');
}
