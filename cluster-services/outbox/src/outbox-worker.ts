import { parentPort, workerData } from 'node:worker_threads';
import { OutboxError, type OutboxErrorCode } from './errors.ts';
import { isDamage } from './file/damage.ts';
import { OutboxFile } from './file/outbox-file.ts';
import type { Replacement } from './file/repair.ts';
import type { FromWorker, Note, Question, WorkerOptions } from './worker-protocol.ts';

// The one thread and the one connection that touch the file: a stalled disk must never hold up the loop that talks to devices.

const ACK_FLUSH_MS = 500; // a lost ack costs a repeat, so acks need no sync of their own
const MAINTAIN_MS = 1_000;
const STEP_MS = 20;
const IDLE_MS = 5_000;

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker');
const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

/** Answers questions about the file, one after the other, and keeps it in order between them. */
class FileKeeper {
  readonly #file: OutboxFile;
  #ackUpto = 0;
  #ackTimer: NodeJS.Timeout | null = null;
  #lastAppendMs = performance.now();
  #isFolded = false;
  #maintenance = setTimeout(() => this.#maintain(), MAINTAIN_MS);

  constructor(file: OutboxFile) {
    this.#file = file;
  }

  receive(message: Question | Note): void {
    if (message.op === 'ack') {
      this.#ackUpto = Math.max(this.#ackUpto, message.uptoId);
      this.#ackTimer ??= setTimeout(() => this.#flushAck(), ACK_FLUSH_MS);
    } else if (message.op === 'clock') this.#file.setClock(message.clock);
    else this.#answer(message);
  }

  #answer(question: Question): void {
    try {
      const value = this.#repairing(() => this.#run(question), question.op === 'read' || question.op === 'state');
      post({ kind: 'answer', ticket: question.ticket, value }, buffersOf(value));
    } catch (error) {
      post({ kind: 'refusal', ticket: question.ticket, ...explain(error) });
    }
    if (question.op === 'close') port?.close();
  }

  #run(question: Question): unknown {
    const file = this.#file;
    switch (question.op) {
      case 'begin':
        return file.begin(question.session);
      case 'append': {
        this.#lastAppendMs = performance.now();
        this.#isFolded = false;
        const { results, liveRows } = file.appendGroup(question.appends, question.live);
        return { results, liveRows, state: file.state() };
      }
      case 'read':
        return file.read(question.afterId, question.maxRows, question.maxBytes);
      case 'generation':
        this.#ackUpto = 0; // acks of the old database say nothing about the new one
        return file.newGeneration(question.generation);
      case 'capture':
        return file.capturePosition(question.device, question.stream, question.captureId, question.atLeast);
      case 'compare':
        return file.compareCapture(question.claim);
      case 'unseen':
        return file.unseen(question.device, question.metric, question.points);
      case 'recent':
        return file.recent(question.sinceMs, question.maxRows);
      case 'starts':
        return file.openStarts();
      case 'state':
        if (this.#ackTimer !== null) this.#flushAck(); // who asks wants to know how it is, not how it was
        return file.state();
      case 'finish':
        return file.finish();
      case 'close':
        clearTimeout(this.#maintenance);
        this.#flushAck();
        file.close();
        return null;
    }
  }

  #flushAck(): void {
    if (this.#ackTimer !== null) clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    try {
      this.#repairing(() => this.#file.ack(this.#ackUpto), false);
    } catch (error) {
      if (!OutboxError.is(error)) post({ kind: 'trouble', detail: `acknowledgements could not be written: ${messageOf(error)}` });
    }
  }

  #maintain(): void {
    let more = false;
    try {
      more = this.#repairing(() => this.#file.maintain(), true);
      if (!more && !this.#isFolded && performance.now() - this.#lastAppendMs > IDLE_MS) {
        this.#file.checkpoint();
        this.#isFolded = true;
      }
    } catch (error) {
      post({ kind: 'trouble', detail: `housekeeping failed: ${messageOf(error)}` });
    }
    this.#maintenance = setTimeout(() => this.#maintain(), more ? STEP_MS : MAINTAIN_MS);
  }

  /** Runs; when that shows the file to be damaged, puts a new one in its place and says so. */
  #repairing<T>(work: () => T, again: boolean): T {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      const replacement = this.#repair(error);
      this.#ackUpto = 0;
      post({ kind: 'replaced', replacement });
      if (again) return work();
      throw new OutboxError('OUTBOX_REPLACED', replacement.asidePath, { cause: error });
    }
  }

  /** Without a file this thread is of no more use: the next one opens whatever there is, and tries again. */
  #repair(cause: unknown): Replacement {
    try {
      return this.#file.repair(cause);
    } catch (error) {
      post({ kind: 'trouble', detail: `the damaged outbox could not be replaced: ${messageOf(error)}` });
      process.exit(1);
    }
  }
}

function open({ session, ...options }: WorkerOptions): OutboxFile | null {
  try {
    const { file, replacement } = OutboxFile.open({ ...options, nowMs: Date.now });
    if (session !== null) file.goOn(session);
    post({ kind: 'opened', replacement });
    return file;
  } catch (error) {
    post({ kind: 'not-opened', ...explain(error) });
    return null;
  }
}

function explain(error: unknown): { code: OutboxErrorCode; detail: string } {
  if (OutboxError.is(error)) return { code: error.code, detail: error.message.replace(`${OutboxError.table[error.code].summary}: `, '') };
  return { code: 'OUTBOX_FAILED', detail: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Message bytes travel without a copy. */
function buffersOf(value: unknown): ArrayBuffer[] {
  const rows = Array.isArray(value) ? value : typeof value === 'object' && value !== null && 'liveRows' in value ? value.liveRows : [];
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) =>
    typeof row === 'object' &&
    row !== null &&
    'message' in row &&
    row.message instanceof Uint8Array &&
    row.message.buffer instanceof ArrayBuffer
      ? [row.message.buffer]
      : [],
  );
}

const file = open(workerData as WorkerOptions);
if (file !== null) {
  const keeper = new FileKeeper(file);
  port.on('message', (message: Question | Note) => keeper.receive(message));
}
