import { readFileSync } from 'node:fs';
import { IntakeAnswer } from '@vitalwire/contract';
import { Agent } from 'undici';
import type { Delivery } from './capture-sender.ts';

export type IntakeClientOptions = {
  /** Asked before each request: the gateway may have moved. */
  readonly url: () => string;
  readonly caPath: string;
  readonly timeoutMs?: number;
};

export type IntakeRequest = {
  readonly path: string;
  readonly token: string;
  readonly contentType: string;
  readonly body: Uint8Array | string;
};

// A device keeps one connection per stream; a gateway that has just started again must not meet them all as new ones at once.
const MAX_CONNECTIONS = 64;

/** The devices' side of the agent's HTTPS intake: every answer, and every lack of one, is a value. */
export class IntakeClient {
  readonly #agent: Agent;
  readonly #url: () => string;

  constructor(options: IntakeClientOptions) {
    const timeoutMs = options.timeoutMs ?? 10_000;
    this.#url = options.url;
    this.#agent = new Agent({
      connect: { ca: readFileSync(options.caPath, 'utf8'), timeout: Math.min(timeoutMs, 5_000) },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connections: MAX_CONNECTIONS,
      pipelining: 1,
    });
  }

  async post(request: IntakeRequest): Promise<Delivery> {
    try {
      const answer = await this.#agent.request({
        origin: new URL(this.#url()).origin,
        path: request.path,
        method: 'POST',
        headers: { authorization: `Bearer ${request.token}`, 'content-type': request.contentType },
        body: request.body,
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 200 && answer.statusCode < 300) return answered(text);
      const reason = `${request.path}: ${answer.statusCode} ${text.slice(0, 300)}`;
      // 401 is no last word: the agent reads a new device's token file a moment after it was written.
      const again = answer.statusCode >= 500 || [401, 408, 425, 429].includes(answer.statusCode);
      return { kind: again ? 'failed' : 'refused', reason };
    } catch (error) {
      return { kind: 'failed', reason: `${request.path}: ${reasonOf(error)}` };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function answered(text: string): Delivery {
  try {
    return { kind: 'answered', nextSample: IntakeAnswer.parse(JSON.parse(text)).nextSample };
  } catch {
    // Nothing is certain then: sending again is safe, the intake stores it once.
    return { kind: 'failed', reason: `the intake answered with something unexpected: ${text.slice(0, 200)}` };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
