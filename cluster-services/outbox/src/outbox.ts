import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { type ClockState, type DataStream, newRecordingId } from '@vitalwire/contract';
import {
  AskedWorker,
  type Clock,
  type Lifecycle,
  type Log,
  sourceExecArgv,
  type Question as Unticketed,
  workerUrl,
} from '@vitalwire/runtime';
import {
  type Appended,
  type AppendStep,
  type CaptureClaim,
  type CaptureMatch,
  type CapturePosition,
  type OutboxRow,
  type OutboxState,
  type SeenPoint,
  sizeOf,
} from './append.ts';
import { OutboxError } from './errors.ts';
import type { Replacement } from './file/repair.ts';
import type { Session } from './file/session-records.ts';
import type { FromWorker, Note, Question, QuestionName, Questions, WorkerOptions } from './worker-protocol.ts';

export type OutboxOptions = {
  readonly path: string;
  /** The gateway or service whose messages these are. */
  readonly owner: string;
  readonly version: string;
  readonly maxBytes: number;
  /** How long delivered chunks are kept against the loss of the cluster's disk. */
  readonly ringMs: number;
  /** Free space the disk must keep; 0 = do not look. */
  readonly minFreeBytes: number;
  /** Send birth and death records of the session: gateways do. */
  readonly announce: boolean;
  readonly log: Log;
  readonly clock: Clock;
  /** Bytes that may wait for the disk; beyond it `append` rejects with OUTBOX_BUSY. */
  readonly queueBytes?: number;
};

export type OutboxEvents = {
  /** Something new is committed. */
  committed(state: OutboxState): void;
  /** Messages just committed, while the live lane is on. */
  live(rows: readonly OutboxRow[]): void;
  /** The file was damaged and replaced; whoever holds a position in it begins anew. */
  replaced(replacement: Replacement): void;
};

type Waiting = { steps: readonly AppendStep[]; bytes: number; resolve: (value: Appended) => void; reject: (error: Error) => void };
type Said = Exclude<FromWorker, { readonly ticket: number }>;

const GROUP_APPENDS = 256;
const GROUP_BYTES = 4 * 1024 * 1024;
const QUEUE_BYTES = 64 * 1024 * 1024;
const RESPAWN_MS = 1_000;
const BEGIN_AGAIN_MS = 5_000;

/**
 * The durable queue in front of the cluster. `append` resolves when its steps are on the disk; appends of one moment share one sync.
 * The file belongs to a worker thread; this side only remembers who waits.
 */
export class Outbox implements Lifecycle {
  readonly session: string;
  readonly #options: OutboxOptions;
  readonly #listeners = new Set<Partial<OutboxEvents>>();
  readonly #thread: AskedWorker<Question | Note, FromWorker>;
  readonly #firstOpened = Promise.withResolvers<void>();
  #isOpen = false;
  #hasOpened = false;
  #notOpened: OutboxError | null = null;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #committing = false;
  #scheduled = false;
  #live = false;
  #begun = false;
  #finished = false;
  #stopping = false;
  #stopped: Promise<void> | null = null;
  #appended = 0;
  readonly #idle: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.session = newRecordingId(options.owner, options.clock.nowMs(), randomBytes(6));
    this.#thread = new AskedWorker({
      clock: options.clock,
      spawn: () => spawnWorker(options, this.#begun ? this.#session : null),
      unanswered: (why, cause) => new OutboxError('OUTBOX_FAILED', why, { cause }),
      onNote: (note) => this.#onNote(note),
      onLost: (cause) => this.#onLost(cause),
      respawnMs: () => RESPAWN_MS,
    });
  }

  /** Chunks and records committed since the start. */
  get appended(): number {
    return this.#appended;
  }

  listen(events: Partial<OutboxEvents>): void {
    this.#listeners.add(events);
  }

  async start(): Promise<void> {
    await this.#open();
    await this.#begin();
  }

  /** Commits what waits, ends the session and closes the file. */
  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  /** Resolves once all steps are committed together. Rejects with an OutboxError and then none of them is. */
  append(steps: readonly AppendStep[]): Promise<Appended> {
    if (!this.#isOpen || this.#finished || this.#stopping) return Promise.reject(new OutboxError('OUTBOX_CLOSED'));
    if (!this.#begun) return Promise.reject(new OutboxError('DISK_FULL', 'the session could not begin yet'));
    const bytes = bytesOf(steps);
    const most = this.#options.queueBytes ?? QUEUE_BYTES;
    if (this.#waitingBytes + bytes > most) return Promise.reject(new OutboxError('OUTBOX_BUSY', `${this.#waitingBytes} of ${most} bytes`));
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ steps, bytes, resolve, reject });
      this.#schedule();
    });
  }

  /** The oldest messages behind `afterId` in send order. */
  read(afterId: number, maxRows: number, maxBytes: number): Promise<readonly OutboxRow[]> {
    return this.#ask('read', { afterId, maxRows, maxBytes });
  }

  /** The cluster has committed everything up to this id. Written a little later: an ack that is lost costs a repeat. */
  ack(uptoId: number): void {
    if (this.#isOpen) this.#thread.tell({ op: 'ack', uptoId });
  }

  /** True when the cluster's database is another one than before: everything kept counts as un-acknowledged again. */
  newGeneration(generation: string): Promise<boolean> {
    return this.#ask('generation', { generation });
  }

  /** Where a capture stands. `atLeast`: what its device has been told already, in case a repair has lost it. */
  capturePosition(device: string, stream: DataStream, captureId: string, atLeast = 0): Promise<CapturePosition> {
    return this.#ask('capture', { device, stream, captureId, atLeast });
  }

  /** Whether readings at a place of a capture that was taken before are the ones that were taken. */
  compareCapture(claim: CaptureClaim): Promise<CaptureMatch> {
    return this.#ask('compare', { claim });
  }

  /** Indexes of the points that are new or carry other values. */
  unseen(device: string, metric: string, points: readonly SeenPoint[]): Promise<readonly number[]> {
    return this.#ask('unseen', { device, metric, points });
  }

  /** The last messages in send order, acknowledged or not: those not older than `sinceMs`, `maxRows` at most. */
  recent(sinceMs: number, maxRows: number): Promise<readonly OutboxRow[]> {
    return this.#ask('recent', { sinceMs, maxRows });
  }

  openStarts(): Promise<readonly OutboxRow[]> {
    return this.#ask('starts', {});
  }

  state(): Promise<OutboxState> {
    return this.#ask('state', {});
  }

  /** While on, newly committed messages are handed to the `live` listeners. */
  setLive(on: boolean): void {
    this.#live = on;
  }

  setClock(clock: ClockState): void {
    if (this.#isOpen) this.#thread.tell({ op: 'clock', clock });
  }

  /** Commits what waits, then ends all recordings and the session; nothing can be appended afterwards. */
  async finish(): Promise<void> {
    if (this.#finished || !this.#begun) return;
    this.#finished = true;
    await this.#committed();
    await this.#ask('finish', {});
    const state = await this.state();
    this.#tell('committed', state);
  }

  async #close(): Promise<void> {
    if (this.#isOpen) {
      try {
        await this.finish();
      } catch (error) {
        this.#options.log.error({ err: error }, 'the recordings could not be ended; the next start will end them');
      }
    }
    this.#stopping = true;
    await this.#thread.end({ op: 'close' }).catch(() => {}); // it has ended either way
    this.#isOpen = false;
    this.#failWaiting(new OutboxError('OUTBOX_CLOSED'));
  }

  async #begin(): Promise<void> {
    try {
      await this.#beginSession();
    } catch (error) {
      // A full disk is no reason to stay away: what is in the outbox can still be sent, and that may make room.
      if (!OutboxError.is(error, 'DISK_FULL')) throw error;
      this.#beginLater(error);
    }
  }

  async #beginSession(): Promise<void> {
    const begun = await this.#ask('begin', { session: this.#session });
    this.#begun = true;
    if (begun.endedRecordings > 0)
      this.#options.log.warn({ recordings: begun.endedRecordings }, 'an earlier agent left recordings open; they are ended');
  }

  /** Once running, any failure is tried again: an agent that has given up beginning would refuse its devices until somebody restarts it. */
  #beginLater(cause: unknown): void {
    const { log, clock } = this.#options;
    log.error({ err: cause }, 'the outbox cannot begin its session yet; readings are refused until it can');
    clock.setTimer(BEGIN_AGAIN_MS, () => {
      if (!this.#stopping) this.#beginSession().catch((again: unknown) => this.#beginLater(again));
    });
  }

  #schedule(): void {
    if (this.#committing || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#committing) void this.#commitWaiting();
    });
  }

  /** No timer: what has come during one commit forms the next, so groups grow exactly as far as the disk is slow. */
  async #commitWaiting(): Promise<void> {
    this.#committing = true;
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const { results, liveRows, state } = await this.#ask('append', { appends: group.map(({ steps }) => steps), live: this.#live });
        for (const [index, waiting] of group.entries()) {
          const result = results[index];
          if (result?.ok === true) {
            this.#appended += waiting.steps.filter(isMessage).length;
            waiting.resolve(result.value);
          } else waiting.reject(new OutboxError(result?.code ?? 'OUTBOX_FAILED', result?.detail));
        }
        this.#tell('committed', state);
        if (liveRows.length > 0) this.#tell('live', liveRows);
      } catch (error) {
        for (const waiting of group) waiting.reject(error instanceof Error ? error : new OutboxError('OUTBOX_FAILED', String(error)));
      }
    }
    this.#committing = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && (count >= GROUP_APPENDS || bytes + waiting.bytes > GROUP_BYTES)) break;
      bytes += waiting.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #committed(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#committing) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #ask<Name extends QuestionName>(op: Name, ask: Questions[Name]['ask']): Promise<Questions[Name]['answer']> {
    if (!this.#isOpen) throw new OutboxError('OUTBOX_CLOSED');
    const answer = await this.#thread.ask({ op, ...ask } as Unticketed<Question>);
    if (answer.kind === 'answer') return answer.value as Questions[Name]['answer'];
    throw new OutboxError(answer.code, answer.detail);
  }

  /** Resolves when the file is open. One that cannot be opened at the start is the caller's affair; later it is tried again and again. */
  async #open(): Promise<void> {
    this.#thread.start();
    try {
      await this.#firstOpened.promise;
    } catch (error) {
      await this.#thread.terminate();
      throw error;
    }
  }

  get #session(): Session {
    const { version, announce } = this.#options;
    return { sessionId: this.session, version, announce };
  }

  #onNote(note: Said): void {
    if (note.kind === 'opened') {
      this.#isOpen = true;
      this.#hasOpened = true;
      if (note.replacement !== null) this.#onReplaced(note.replacement);
      this.#firstOpened.resolve();
    } else if (note.kind === 'not-opened')
      this.#notOpened = new OutboxError(note.code, note.detail); // and then the thread ends
    else if (note.kind === 'replaced') this.#onReplaced(note.replacement);
    else this.#options.log.error({ detail: note.detail }, 'the outbox is in trouble');
  }

  #onReplaced(replacement: Replacement): void {
    this.#options.log.error(
      { ...replacement },
      'the outbox file was damaged: it is set aside, what could be read goes on, the rest is declared lost',
    );
    this.#tell('replaced', replacement);
  }

  /** The thread died. Whoever waits is told to try again, and a new thread opens the file: what was answered is in it. */
  #onLost(error: Error): void {
    const { log } = this.#options;
    const cause = this.#notOpened ?? new OutboxError('OUTBOX_FAILED', error.message, { cause: error });
    if (this.#isOpen) log.error({ err: error }, 'the outbox worker died; starting another');
    else if (this.#hasOpened) log.error({ err: cause }, 'the outbox cannot be opened again');
    this.#isOpen = false;
    this.#notOpened = null;
    this.#failWaiting(cause);
    this.#firstOpened.reject(cause);
  }

  #failWaiting(error: Error): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#waitingBytes = 0;
  }

  #tell<Name extends keyof OutboxEvents>(name: Name, ...args: Parameters<OutboxEvents[Name]>): void {
    for (const listener of this.#listeners) (listener[name] as ((...args: Parameters<OutboxEvents[Name]>) => void) | undefined)?.(...args);
  }
}

function spawnWorker({ path, owner, maxBytes, ringMs, minFreeBytes }: OutboxOptions, session: Session | null): Worker {
  const workerData: WorkerOptions = { path, owner, maxBytes, ringMs, minFreeBytes, session };
  const execArgv = sourceExecArgv(import.meta.url);
  return new Worker(workerUrl('./outbox-worker', import.meta.url), {
    workerData,
    execArgv,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
}

/** Steps that put a message into the outbox; the others only note something. */
function isMessage({ step }: AppendStep): boolean {
  return step !== 'capture' && step !== 'seen';
}

function bytesOf(steps: readonly AppendStep[]): number {
  return steps.reduce((bytes, step) => bytes + sizeOf(step), 0);
}
