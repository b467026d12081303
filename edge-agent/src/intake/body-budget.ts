import { limits } from '@vitalwire/contract';
import { type Api, ApiError } from '@vitalwire/runtime';

const MAX_BODIES_BYTES = 160 * 1024 * 1024; // two of the largest phone exports and room for devices
const MAX_REQUESTS = 2_048;

declare module 'fastify' {
  interface FastifyRequest {
    reservedBytes: number;
  }
}

/**
 * Bounds the bytes of all bodies that are being received or worked on. Beyond it a request is answered 429 before its body is read, so
 * that a burst of exports can never push the readings of other devices out of memory.
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
      const declared = Number(request.headers['content-length'] ?? most);
      const bytes = Math.min(Number.isFinite(declared) ? declared : most, most);
      if (this.#bytes + bytes > MAX_BODIES_BYTES || this.#requests >= MAX_REQUESTS)
        throw tooBusy('the intake holds as many bytes as it may');
      request.reservedBytes = Math.max(1, bytes);
      this.#bytes += request.reservedBytes;
      this.#requests += 1;
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
}

export function tooBusy(why: string): ApiError {
  return new ApiError(429, 'TOO_BUSY', why, 'send the same request again after the seconds in retry-after');
}
