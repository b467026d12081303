import type { Clock } from '@vitalwire/runtime';

type Refused = { requests: number; firstMs: number; lastMs: number; captureId: string };

/** How long a refusal is told after the last one. */
const TOLD_MS = 10 * 60_000;

/**
 * Requests that devices were refused because their capture had passed that place with other readings: whoever looks after the gateway must
 * learn of it, as such a device may not. One entry per device, of which there are as many as tokens.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #refused = new Map<string, Refused>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when it is the first one for a while: the one that is logged. */
  note(device: string, captureId: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#refused.get(device);
    const isNew = known === undefined || nowMs - known.lastMs > TOLD_MS;
    this.#refused.set(
      device,
      isNew
        ? { requests: 1, firstMs: nowMs, lastMs: nowMs, captureId }
        : { ...known, requests: known.requests + 1, lastMs: nowMs, captureId },
    );
    return isNew;
  }

  /** What a person must do about them, in one sentence; null if there have been none lately. */
  get problem(): string | null {
    const nowMs = this.#clock.monotonicMs();
    const recent = [...this.#refused].filter(([, { lastMs }]) => nowMs - lastMs <= TOLD_MS);
    const [first] = recent.toSorted(([, a], [, b]) => b.lastMs - a.lastMs);
    if (first === undefined) return null;
    const [device, { requests, captureId }] = first;
    const more = recent.length > 1 ? ` (and ${recent.length - 1} more devices)` : '';
    return `${device}${more}: ${requests} requests were refused (409), as capture '${captureId}' has other readings at their place; the device must begin a new captureId whenever its sample count begins anew`;
  }
}
