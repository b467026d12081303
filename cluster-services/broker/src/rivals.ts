import { decodeLiveStatus } from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';

type Seen = { session: string; readonly left: Set<string>; rivalAtMs: number };

/** How long two agents count as rivals after one of them was last caught coming back. */
const RIVAL_MS = 120_000;
const KEPT_SESSIONS = 8; // of one gateway: an agent that is started again and again is no rival of itself

/**
 * Two agents with one identity, each of whose connections throws the other's out. What tells them from an agent that was started again:
 * a session whose place another one took speaks again.
 */
export class Rivals {
  readonly #clock: Clock;
  readonly #gateways = new Map<string, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A gateway's live status came in; true when it shows a rival. */
  heard(gateway: string, status: Uint8Array): boolean {
    const decoded = decodeLiveStatus(status);
    if (!decoded.ok || !decoded.value.online) return false;
    const { session } = decoded.value;
    const seen = this.#gateways.get(gateway);
    if (seen === undefined) {
      this.#gateways.set(gateway, { session, left: new Set(), rivalAtMs: Number.NEGATIVE_INFINITY });
      return false;
    }
    if (seen.session === session) return false;
    const isBack = seen.left.delete(session);
    if (isBack) seen.rivalAtMs = this.#clock.monotonicMs();
    seen.left.add(seen.session);
    for (const oldest of seen.left) {
      if (seen.left.size <= KEPT_SESSIONS) break;
      seen.left.delete(oldest);
    }
    seen.session = session;
    return isBack;
  }

  has(gateway: string): boolean {
    return this.#clock.monotonicMs() - (this.#gateways.get(gateway)?.rivalAtMs ?? Number.NEGATIVE_INFINITY) < RIVAL_MS;
  }

  /** The gateway is gone. */
  forget(gateway: string): void {
    this.#gateways.delete(gateway);
  }
}
