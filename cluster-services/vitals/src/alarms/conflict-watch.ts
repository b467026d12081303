import type { Spoken } from './silence-watch.ts';

/** `goneMs`: without a message of the other gateway for this long the conflict is over. `pairs`: device and gateway; more are counted only. */
export const conflictLimits = { goneMs: 60_000, pairs: 1_000 } as const;

/**
 * Devices as which a second gateway sends. What it sends is believed nowhere, so somebody must know: either two devices have one name, or
 * one was carried to another gateway, or somebody pretends.
 */
export class ConflictWatch {
  readonly #heardMs = new Map<string, { readonly device: string; readonly gateway: string; heardMs: number }>();
  readonly #startedMs: number;
  #unwatched = 0;

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  /** Pairs not watched because of the limit, counted at every message. */
  get unwatched(): number {
    return this.#unwatched;
  }

  /** A gateway spoke of a device that is not its own. */
  heard(device: string, gateway: string, nowMs: number): void {
    const key = `${device}\n${gateway}`;
    const known = this.#heardMs.get(key);
    if (known !== undefined) known.heardMs = nowMs;
    else if (this.#heardMs.size >= conflictLimits.pairs) this.#unwatched += 1;
    else this.#heardMs.set(key, { device, gateway, heardMs: nowMs });
  }

  /** Everything that can be said now. `open`: devices whose conflict the log calls open; nobody may be heard of them any more. */
  check(nowMs: number, ownerOf: (device: string) => string | null, open: Iterable<string>): Spoken[] {
    const spoken: Spoken[] = [];
    for (const [key, { device, gateway, heardMs }] of this.#heardMs) {
      const owner = ownerOf(device);
      if (owner !== null && owner !== gateway && nowMs - heardMs < conflictLimits.goneMs) spoken.push(holds(device, gateway, owner));
      else {
        this.#heardMs.delete(key);
        const text = owner === gateway ? `${device} is ${gateway}'s now` : `${gateway} no longer sends as ${device}`;
        spoken.push(over(device, gateway, text));
      }
    }
    if (nowMs - this.#startedMs < conflictLimits.goneMs) return spoken;
    const held = new Set(spoken.filter(({ statement }) => statement.holds).map(({ device }) => device));
    for (const device of open) if (!held.has(device)) spoken.push(over(device, '', `no other gateway sends as ${device} any more`));
    return spoken;
  }
}

function holds(device: string, gateway: string, owner: string): Spoken {
  const text = `${gateway} sends as ${device}, which is ${owner}'s: nothing of it is shown or judged. Rename one of the two, or move the device ('vitalwire devices move')`;
  const nothing = { sinceUs: null, value: null, limit: null, channel: null, replay: null };
  return { device, statement: { condition: 'device-conflict', aspect: gateway, holds: true, priority: 'medium', ...nothing, text } };
}

function over(device: string, gateway: string, text: string): Spoken {
  return { device, statement: { condition: 'device-conflict', aspect: gateway, holds: false, endedUs: null, text } };
}
