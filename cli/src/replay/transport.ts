import type { Clock } from '@vitalwire/runtime';
import type { Take } from './manifest.ts';
import { Pace, type Speed } from './pace.ts';

/** Where a replay stands and how fast it goes, as whoever controls it sees it. */
export type TransportState = {
  readonly state: 'playing' | 'paused';
  readonly speed: Speed;
  readonly lineUs: number; // µs since the beginning of what is played, through all rounds
};

/** A take that runs: `ended` aborts when it has to give way to the next one, or when the replay stops. */
export type RunningTake = { readonly take: Take; readonly pace: Pace; readonly ended: AbortSignal };

type Next = { readonly speed: Speed; readonly fromUs: number; readonly opening: Take['opening']; readonly isPaused: boolean };

/**
 * The controls of a replay. Everything that would make the devices' clocks or their place in the source jump ends the take and begins
 * another one, with an event that says so: on the wire nothing is ever smoothed over.
 */
export class Transport {
  readonly #clock: Clock;
  #next: Next;
  #running: { take: Take; pace: Pace; ended: AbortController } | null = null;
  #takes = 0;
  #deviceClockUs = 0; // no device's clock goes back
  #wake: (() => void) | null = null;

  constructor(clock: Clock, speed: Speed) {
    this.#clock = clock;
    this.#next = { speed, fromUs: 0, opening: null, isPaused: false };
  }

  get state(): TransportState {
    const { isPaused, speed } = this.#next;
    const lineUs = this.#isChanging || this.#running === null ? this.#next.fromUs : this.#reachedUs(this.#running);
    return { state: isPaused ? 'paused' : 'playing', speed, lineUs };
  }

  /** The next take, at once or after a pause; null when the replay is to stop. */
  async begin(stop: AbortSignal): Promise<RunningTake | null> {
    while (this.#next.isPaused && !stop.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          stop.removeEventListener('abort', wake);
          this.#wake = null;
          resolve();
        };
        this.#wake = wake;
        stop.addEventListener('abort', wake, { once: true });
      });
    }
    if (stop.aborted) return null;
    const { speed, fromUs, opening } = this.#next;
    const pace = new Pace(speed, this.#clock);
    const baseUs = Math.max(pace.startUs, this.#deviceClockUs);
    const take: Take = { index: this.#takes++, speed: Number.isFinite(speed) ? speed : null, fromUs, baseUs, opening };
    this.#running = { take, pace, ended: new AbortController() };
    return { take, pace, ended: this.#running.ended.signal };
  }

  /** All captures of the take have ended. Whether another take follows. */
  finish(): boolean {
    const running = this.#running;
    this.#running = null;
    if (running === null) return false;
    this.#deviceClockUs = running.take.baseUs + Math.ceil(running.pace.reachedMs() * 1_000);
    if (!running.ended.signal.aborted) this.#next = { ...this.#next, fromUs: this.#reachedUs(running) };
    return running.ended.signal.aborted;
  }

  /** Ends what runs for good: everything measured until this moment still counts. */
  stop(): void {
    const running = this.#running;
    if (running === null || running.ended.signal.aborted) return;
    this.#next = { ...this.#next, fromUs: this.#freeze(running) };
    running.ended.abort();
  }

  pause(): void {
    if (this.#next.isPaused) return;
    this.#change({ isPaused: true, opening: { type: 'replay-resume', text: 'the replay goes on after a pause' } });
  }

  resume(): void {
    if (!this.#next.isPaused) return;
    this.#next = { ...this.#next, isPaused: false };
    this.#wake?.();
  }

  setSpeed(speed: Speed): void {
    if (speed === this.#next.speed) return;
    const text = `the replay goes on at ${Number.isFinite(speed) ? `${speed}x` : 'full speed'}`;
    this.#change({ speed, opening: { type: 'replay-speed', text } });
  }

  /** Goes on at another moment of the line. */
  seek(lineUs: number): void {
    this.#change({
      fromUs: lineUs,
      opening: { type: 'replay-seek', text: `the replay goes on ${(lineUs / 1e6).toFixed(3)} s after its beginning` },
    });
  }

  get #isChanging(): boolean {
    return this.#running?.ended.signal.aborted === true;
  }

  #change(change: Partial<Next>): void {
    const running = this.#running;
    const stands = running === null || this.#isChanging ? this.#next.fromUs : this.#freeze(running);
    this.#next = { ...this.#next, fromUs: stands, ...change };
    running?.ended.abort();
  }

  #freeze(running: { take: Take; pace: Pace }): number {
    running.pace.freeze();
    return this.#reachedUs(running);
  }

  #reachedUs({ take, pace }: { take: Take; pace: Pace }): number {
    return take.fromUs + pace.reachedMs() * 1_000;
  }
}
