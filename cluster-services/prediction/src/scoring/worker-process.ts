import { type ChildProcess, fork } from 'node:child_process';
import { type Clock, type Log, sourceExecArgv, type Timer, workerUrl } from '@vitalwire/runtime';
import { PredictionError } from '../errors.ts';
import type { FromWorker, ModelFacts, PushResult, Task, ToWorker } from './protocol.ts';

/** A worker that has not answered a batch (some 20 ms of work) for this long hangs: it is killed. */
const ANSWER_WITHIN_MS = 20_000;
/** From the start of the process until its detector has passed the self-test. */
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 2_000;

export type Answer = { readonly results: readonly PushResult[]; readonly busyMs: number };
export type WorkerProcessOptions = {
  readonly backend: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Another program: for tests of what happens when one fails. */
  readonly entry?: URL;
};

/** One child process with a detector of its own. It answers one batch at a time; whatever ends it, `gone` resolves. */
export class WorkerProcess {
  readonly gone: Promise<string>;
  readonly facts: Promise<ModelFacts>;
  readonly #options: WorkerProcessOptions;
  readonly #child: ChildProcess;
  readonly #ready = Promise.withResolvers<ModelFacts>();
  #asked: PromiseWithResolvers<Answer> | null = null;
  #deadline: Timer | null = null;
  #why = '';

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    const entry = options.entry ?? workerUrl('./worker', import.meta.url);
    // A process, not a thread: tfjs-node is native code, and what it breaks must not take the service with it.
    this.#child = fork(entry, [options.backend], { execArgv: sourceExecArgv(import.meta.url), serialization: 'advanced' });
    this.facts = this.#ready.promise;
    this.facts.catch(() => undefined); // whoever waits gets it too
    this.gone = this.#untilGone();
    this.#expect(READY_WITHIN_MS, 'did not get ready');
    this.#child.on('message', (message) => this.#receive(message as FromWorker));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  tell(message: Exclude<ToWorker, { kind: 'score' }>): void {
    this.#send(message);
  }

  score(tasks: readonly Task[]): Promise<Answer> {
    if (this.#asked !== null) throw new Error('a worker scores one batch at a time');
    const asked = Promise.withResolvers<Answer>();
    this.#asked = asked;
    this.#expect(ANSWER_WITHIN_MS, 'did not answer');
    this.#send({ kind: 'score', tasks });
    return asked.promise;
  }

  async stop(): Promise<void> {
    this.#why ||= 'stopped';
    if (this.#child.connected) this.#child.disconnect(); // the worker ends by itself when its parent is gone
    const timer = this.#options.clock.setTimer(STOP_WITHIN_MS, () => this.#child.kill('SIGKILL'));
    await this.gone;
    timer.cancel();
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'ready') {
      this.#deadline?.cancel();
      this.#ready.resolve(message.facts);
    } else if (message.kind === 'failed') this.#why = message.detail;
    else {
      this.#deadline?.cancel();
      const asked = this.#asked;
      this.#asked = null;
      asked?.resolve({ results: message.results, busyMs: message.busyMs });
    }
  }

  #send(message: ToWorker): void {
    // A message to a process that has just died is lost like everything in it: `gone` tells.
    this.#child.send(message, () => undefined);
  }

  #expect(withinMs: number, complaint: string): void {
    this.#deadline?.cancel();
    this.#deadline = this.#options.clock.setTimer(withinMs, () => {
      this.#why = `${complaint} within ${withinMs / 1000} s`;
      this.#child.kill('SIGKILL');
    });
  }

  #untilGone(): Promise<string> {
    return new Promise((resolve) => {
      const end = (what: string) => {
        this.#deadline?.cancel();
        const why = this.#why || what;
        this.#ready.reject(new PredictionError('WORKER_FAILED', why));
        this.#asked?.reject(new PredictionError('WORKER_LOST', why));
        this.#asked = null;
        resolve(why);
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('exit', (code, signal) => end(signal === null ? `ended with code ${code}` : `ended by ${signal}`));
    });
  }
}
