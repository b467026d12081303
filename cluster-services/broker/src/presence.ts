import type { Clock } from '@vitalwire/runtime';

export type PresenceChange = { readonly gateway: string; readonly online: boolean };

type Entry = { connections: number; keepaliveS: number; isOnline: boolean; timer: { cancel(): void } | null };

/**
 * Which gateways are connected. Offline counts only after twice the keepalive without a newer connection: a gateway that reconnects,
 * or moves to another replica and back, was never away.
 */
export class Presence {
  readonly #clock: Clock;
  readonly #changed: (change: PresenceChange) => void;
  readonly #gateways = new Map<string, Entry>();

  constructor(clock: Clock, changed: (change: PresenceChange) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get onlineGateways(): number {
    let online = 0;
    for (const entry of this.#gateways.values()) if (entry.isOnline) online += 1;
    return online;
  }

  isConnected(gateway: string): boolean {
    return (this.#gateways.get(gateway)?.connections ?? 0) > 0;
  }

  connected(gateway: string, keepaliveS: number): void {
    const entry = this.#gateways.get(gateway) ?? { connections: 0, keepaliveS, isOnline: false, timer: null };
    this.#gateways.set(gateway, entry);
    entry.connections += 1;
    entry.keepaliveS = keepaliveS;
    entry.timer?.cancel();
    entry.timer = null;
    if (entry.isOnline) return;
    entry.isOnline = true;
    this.#changed({ gateway, online: true });
  }

  disconnected(gateway: string): void {
    const entry = this.#gateways.get(gateway);
    if (entry === undefined) return;
    entry.connections = Math.max(0, entry.connections - 1);
    if (entry.connections > 0) return;
    entry.timer?.cancel();
    entry.timer = this.#clock.setTimer(2_000 * entry.keepaliveS, () => {
      this.#gateways.delete(gateway); // nobody is remembered for ever
      this.#changed({ gateway, online: false });
    });
  }

  /** Forgets everybody without a word: a front door that stops knows nothing about its gateways. */
  stop(): void {
    for (const entry of this.#gateways.values()) entry.timer?.cancel();
    this.#gateways.clear();
  }
}
