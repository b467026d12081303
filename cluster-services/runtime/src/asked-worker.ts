import type { Worker } from 'node:worker_threads';
import type { Clock, Timer } from './clock.ts';
import { untilWorkerEnds } from './source.ts';

type Ticketed = { readonly ticket: number };
/** A question as it is asked: its ticket is given to it here. */
export type Question<ToThread> = ToThread extends Ticketed ? Omit<ToThread, 'ticket'> : never;

export type AskedWorkerOptions<FromThread> = {
  readonly clock: Clock;
  /** Starts a thread. It answers a question by one message with the question's ticket; messages without one are notes. */
  readonly spawn: () => Worker;
  /** What those who wait are told when the thread ended before it answered, or was too slow. */
  readonly unanswered: (why: string, cause: Error | null) => Error;
  readonly onNote?: (note: Exclude<FromThread, Ticketed>) => void;
  /** The thread ended although nobody told it to. Whoever waited for an answer has been told already. */
  readonly onLost?: (cause: Error) => void;
  /** How long after its end another thread is started; without it the next question starts one. */
  readonly respawnMs?: () => number;
};

export type AskOptions = { readonly deadlineMs?: number; readonly transfer?: readonly ArrayBuffer[] };

type Waiting<Answer> = {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer | null;
};

/**
 * A worker thread that is asked questions: each is answered, or fails when its deadline passes or the thread ends. One thread at a time:
 * another is started only when the last one has ended, so that a file it owns never has two owners.
 */
export class AskedWorker<ToThread extends object, FromThread extends object> {
  readonly #options: AskedWorkerOptions<FromThread>;
  readonly #waiting = new Map<number, Waiting<Extract<FromThread, Ticketed>>>();
  #worker: Worker | null = null;
  #respawn: Timer | null = null;
  #ticket = 0;
  #isEnding = false;

  constructor(options: AskedWorkerOptions<FromThread>) {
    this.#options = options;
  }

  start(): void {
    if (this.#worker !== null || this.#isEnding) return;
    const worker = this.#options.spawn();
    this.#worker = worker;
    let cause = new Error('the thread ended');
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error: unknown) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    worker.once('exit', () => this.#onEnded(cause));
  }

  ask(question: Question<ToThread>, { deadlineMs, transfer = [] }: AskOptions = {}): Promise<Extract<FromThread, Ticketed>> {
    const { clock, unanswered, respawnMs } = this.#options;
    if (respawnMs === undefined) this.start();
    const worker = this.#worker;
    if (worker === null) return Promise.reject(unanswered('the thread is not running', null));
    this.#ticket += 1;
    const ticket = this.#ticket;
    return new Promise((resolve, reject) => {
      worker.postMessage({ ...question, ticket }, [...transfer]);
      const late = (): void => {
        this.#waiting.delete(ticket);
        reject(unanswered(`no answer within ${deadlineMs} ms`, null));
      };
      this.#waiting.set(ticket, { resolve, reject, timer: deadlineMs === undefined ? null : clock.setTimer(deadlineMs, late) });
    });
  }

  /** A message that needs no answer; nothing happens while no thread runs. */
  tell(note: Exclude<ToThread, Ticketed>): void {
    this.#worker?.postMessage(note);
  }

  /** Asks the last question, after which the thread ends by itself, and waits for that. Rejects as `ask` does, but when it has ended. */
  async end(last: Question<ToThread>, options: AskOptions = {}): Promise<void> {
    const worker = this.#letGo();
    if (worker === null) return;
    try {
      await this.ask(last, options);
    } finally {
      await untilWorkerEnds(worker);
    }
  }

  /** Ends the thread now, whatever it is doing. */
  async terminate(): Promise<void> {
    await this.#letGo()?.terminate();
  }

  #letGo(): Worker | null {
    this.#isEnding = true;
    this.#respawn?.cancel();
    return this.#worker;
  }

  #receive(message: FromThread): void {
    if (!isTicketed(message)) {
      this.#options.onNote?.(message as Exclude<FromThread, Ticketed>);
      return;
    }
    const waiting = this.#waiting.get(message.ticket);
    this.#waiting.delete(message.ticket); // none there: the answer came after its deadline
    waiting?.timer?.cancel();
    waiting?.resolve(message as Extract<FromThread, Ticketed>);
  }

  #onEnded(cause: Error): void {
    const { clock, unanswered, onLost, respawnMs } = this.#options;
    this.#worker = null;
    const failed = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { timer, reject } of failed) {
      timer?.cancel();
      reject(unanswered(cause.message, cause));
    }
    if (this.#isEnding) return;
    if (respawnMs !== undefined) this.#respawn = clock.setTimer(respawnMs(), () => this.start());
    onLost?.(cause);
  }
}

function isTicketed(message: object): message is Ticketed {
  return 'ticket' in message;
}
