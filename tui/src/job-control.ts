/** A stop takes effect at once; where it is ignored, because no shell could continue us, we go on after this. */
const GO_ON_MS = 50;

export type JobControlOptions = {
  /** The terminal must be as we found it when this returns: afterwards others draw on it. */
  readonly onStop: () => void;
  /** We were continued, however much later. */
  readonly onContinue: () => void;
};

/**
 * Ctrl-Z for a program that draws: it leaves the screen, then stops with everybody of its job (the launcher, npm, a script), and comes back
 * when the job is continued. In raw mode the terminal makes no signal of the key, so the key asks for it by `stop()`.
 */
export class JobControl {
  readonly #options: JobControlOptions;
  readonly #onSignal = (): void => this.#stopHere();
  #hasLeft = false;

  constructor(options: JobControlOptions) {
    this.#options = options;
    process.on('SIGTSTP', this.#onSignal);
  }

  /** Stops the whole job, ourselves by the same signal. */
  stop(): void {
    this.#leave();
    process.kill(0, 'SIGTSTP');
  }

  close(): void {
    process.off('SIGTSTP', this.#onSignal);
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#options.onStop();
  }

  #stopHere(): void {
    this.#leave();
    process.off('SIGTSTP', this.#onSignal);
    process.kill(process.pid, 'SIGTSTP'); // now as if we had never listened
    setTimeout(() => {
      if (!this.#hasLeft) return;
      this.#hasLeft = false;
      process.on('SIGTSTP', this.#onSignal);
      this.#options.onContinue();
    }, GO_ON_MS);
  }
}
