/**
 * Shares the work of callers that ask for the same thing at once, and still answers each with what was true after it asked:
 * who comes while a run is under way shares the run after it. At most one runs, at most one waits.
 */
export class Fresh<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  get isIdle(): boolean {
    return this.#running === null;
  }

  read(): Promise<T> {
    if (this.#running === null) return this.#begin();
    const after = (): Promise<T> => {
      this.#next = null;
      return this.#begin();
    };
    this.#next ??= this.#running.then(after, after);
    return this.#next;
  }

  #begin(): Promise<T> {
    const run = this.#work();
    this.#running = run;
    const done = (): void => {
      if (this.#running === run && this.#next === null) this.#running = null;
    };
    run.then(done, done);
    return run;
  }
}
