import type { ClockState } from '@vitalwire/contract';

type Measurement = {
  readonly offsetUs: number;
  readonly uncertaintyUs: number;
  readonly atMs: number;
  readonly wallMinusMonotonicMs: number;
};

/** The moments of one exchange: both ends by the gateway's wall clock, the answer by the cluster's. */
export type Exchange = { readonly sentUs: number; readonly receivedUs: number; readonly clusterUs: number };

const KEEP_MS = 15 * 60_000;
const DRIFT = 50e-6; // a plain quartz strays this much; an old measurement becomes worth less
const STEP_MS = 50; // the wall clock has been set when it strays this far from the monotonic one

/** How far the cluster's clock is from this gateway's: the middle of the round trip, from the shortest one lately. */
export class ClockOffset {
  #measurements: Measurement[] = [];

  add(exchange: Exchange, monotonicMs: number): void {
    const roundTripUs = exchange.receivedUs - exchange.sentUs;
    if (roundTripUs < 0) return; // the wall clock was set meanwhile
    this.#measurements.push({
      offsetUs: Math.round(exchange.clusterUs - (exchange.sentUs + exchange.receivedUs) / 2),
      uncertaintyUs: Math.ceil(roundTripUs / 2),
      atMs: monotonicMs,
      wallMinusMonotonicMs: exchange.receivedUs / 1000 - monotonicMs,
    });
  }

  state(nowUs: number, monotonicMs: number): ClockState {
    const wallMinusMonotonicMs = nowUs / 1000 - monotonicMs;
    this.#measurements = this.#measurements.filter(
      (one) => monotonicMs - one.atMs <= KEEP_MS && Math.abs(one.wallMinusMonotonicMs - wallMinusMonotonicMs) < STEP_MS,
    );
    let best: { offsetUs: number; uncertaintyUs: number } | null = null;
    for (const one of this.#measurements) {
      const uncertaintyUs = Math.ceil(one.uncertaintyUs + (monotonicMs - one.atMs) * 1000 * DRIFT);
      if (best === null || uncertaintyUs < best.uncertaintyUs) best = { offsetUs: one.offsetUs, uncertaintyUs };
    }
    return best === null ? { offsetUs: 0, uncertaintyUs: 0, source: 'none' } : { ...best, source: 'front-door' };
  }
}
