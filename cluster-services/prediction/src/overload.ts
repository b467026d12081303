import type { Clock, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import { BEHIND_MS, type PoolState, type ScoringPool } from './scoring/pool.ts';
import { Thinning } from './thinning.ts';

/** Between two looks at how scoring keeps up. */
const LOOK_MS = 1_000;
/** While it lasts, the log says so this often. */
const SAY_AGAIN_MS = 60_000;
/** Below this load there is room to catch up: a third is left for what is received to grow. */
const ROOM_SHARE = 0.6;
/** Under overload there still is room to read up to what is received, below this load: without it nothing of a recording is stored. */
const FOLLOW_SHARE = 0.85;

export type OverloadOptions = {
  readonly pool: Pick<ScoringPool, 'state' | 'thin'>;
  readonly clock: Clock;
  readonly log: Log;
};

type Trouble = { readonly kind: 'thinned' | 'behind'; readonly sinceMs: number; saidMs: number; everyS: number; readonly leftOut: number };

/**
 * Watches how scoring keeps up with what is received: thins it when it does not, says so, and says whether there is room for anything
 * else. Overload thins, it never blinds.
 */
export class Overload implements Lifecycle {
  readonly #options: OverloadOptions;
  readonly #thinning = new Thinning();
  #timer: Timer | null = null;
  #trouble: Trouble | null = null;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Whether what was missed may be scored now: it must not compete with what is received. */
  hasRoom(what: 'catch-up' | 'follow'): boolean {
    const { everyS, liveShare } = this.#options.pool.state;
    return what === 'follow' ? liveShare < FOLLOW_SHARE : everyS === 1 && liveShare < ROOM_SHARE;
  }

  #lookLater(): void {
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const { pool, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const state = pool.state;
    const everyS = this.#thinning.step({ oldestMs: state.oldestPacedMs, share: state.liveShare }, nowMs);
    if (everyS !== state.everyS) pool.thin(everyS);
    this.#say(everyS, state, nowMs);
  }

  #say(everyS: number, state: PoolState, nowMs: number): void {
    const { log } = this.#options;
    const kind = everyS > 1 ? 'thinned' : state.oldestLiveMs > BEHIND_MS ? 'behind' : null;
    const trouble = this.#trouble;
    const load = {
      everyS,
      oldestLiveMs: Math.round(state.oldestLiveMs),
      waitingChannelSeconds: Math.round(state.waiting.live),
      busyPercent: Math.round(100 * state.liveShare),
      leftOut: state.leftOut - (trouble?.leftOut ?? state.leftOut),
    };
    if (kind === null) {
      this.#trouble = null;
      if (trouble === null) return;
      const lastedS = Math.round((nowMs - trouble.sinceMs) / 1000);
      log.info({ ...load, lastedS }, 'scoring keeps up again: every second is judged; what was left out is scored when there is room');
    } else if (trouble === null || trouble.kind !== kind) {
      this.#trouble = { kind, everyS, sinceMs: nowMs, saidMs: nowMs, leftOut: state.leftOut };
      log.warn(load, textOf(kind, everyS));
    } else if (trouble.everyS !== everyS || nowMs - trouble.saidMs >= SAY_AGAIN_MS) {
      trouble.everyS = everyS;
      trouble.saidMs = nowMs;
      log.warn({ ...load, lastingS: Math.round((nowMs - trouble.sinceMs) / 1000) }, textOf(kind, everyS));
    }
  }
}

function textOf(kind: Trouble['kind'], everyS: number): string {
  if (kind === 'thinned') return `more EEG arrives than can be judged: every patient is judged, but only every ${everyS} s`;
  return 'received samples wait to be scored: they came faster than they are recorded, and are scored behind the others';
}
