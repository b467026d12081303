import { parentPort, workerData } from 'node:worker_threads';
import { OutboxError, type OutboxErrorCode } from './errors.ts';
import { isDamage } from './file/damage.ts';
import { OutboxFile } from './file/outbox-file.ts';
import type { Replacement } from './file/repair.ts';
import type { Session } from './file/session-records.ts';
import type { FromWorker, Note, Question, WorkerOptions } from './worker-protocol.ts';

// The one thread and the one connection that touch the file: a stalled disk must never hold up the loop that talks to devices.

const ACK_FLUSH_MS = 500; // a lost ack costs a repeat, so acks need no sync of their own
const MAINTAIN_MS = 1_000;
const STEP_MS = 20;
const IDLE_MS = 5_000;

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker');
const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const options = workerData as WorkerOptions;
const file = open();
if (file !== null) serve(file);

function open(): OutboxFile | null {
  try {
    const opened = OutboxFile.open({ ...options, nowMs: Date.now });
    post({ kind: 'opened', replacement: opened.replacement });
    return opened.file;
  } catch (error) {
    post({ kind: 'not-opened', ...explain(error) });
    return null;
  }
}

function serve(outbox: OutboxFile): void {
  let session: Session | null = null;
  let ackUpto = 0;
  let ackTimer: NodeJS.Timeout | null = null;
  let lastAppendMs = performance.now();
  let folded = false;
  let maintenance = setTimeout(maintain, MAINTAIN_MS);

  port?.on('message', (message: Question | Note) => {
    if (message.op === 'ack') {
      ackUpto = Math.max(ackUpto, message.uptoId);
      ackTimer ??= setTimeout(flushAck, ACK_FLUSH_MS);
    } else if (message.op === 'clock') outbox.setClock(message.clock);
    else answer(message);
  });

  function answer(question: Question): void {
    try {
      const value = repairing(() => run(question), question.op === 'read' || question.op === 'state');
      post({ kind: 'answer', ticket: question.ticket, value }, buffersOf(value));
    } catch (error) {
      post({ kind: 'refusal', ticket: question.ticket, ...explain(error) });
    }
    if (question.op === 'close') port?.close();
  }

  function run(question: Question): unknown {
    switch (question.op) {
      case 'begin':
        session = question.session;
        return outbox.begin(question.session);
      case 'append': {
        lastAppendMs = performance.now();
        folded = false;
        const { results, liveRows } = outbox.appendGroup(question.appends, question.live);
        return { results, liveRows, state: outbox.state() };
      }
      case 'read':
        return outbox.read(question.afterId, question.maxRows, question.maxBytes);
      case 'generation':
        ackUpto = 0; // acks of the old database say nothing about the new one
        return outbox.newGeneration(question.generation);
      case 'capture':
        return outbox.capturePosition(question.device, question.stream, question.captureId, question.atLeast);
      case 'compare':
        return outbox.compareCapture(question.claim);
      case 'unseen':
        return outbox.unseen(question.device, question.metric, question.points);
      case 'recent':
        return outbox.recent(question.sinceMs, question.maxRows);
      case 'starts':
        return outbox.openStarts();
      case 'state':
        if (ackTimer !== null) flushAck(); // who asks wants to know how it is, not how it was
        return outbox.state();
      case 'finish':
        return outbox.finish();
      case 'close':
        clearTimeout(maintenance);
        flushAck();
        outbox.close();
        return null;
    }
  }

  function flushAck(): void {
    if (ackTimer !== null) clearTimeout(ackTimer);
    ackTimer = null;
    try {
      repairing(() => outbox.ack(ackUpto), false);
    } catch (error) {
      if (!OutboxError.is(error)) post({ kind: 'trouble', detail: `acknowledgements could not be written: ${messageOf(error)}` });
    }
  }

  function maintain(): void {
    let more = false;
    try {
      more = repairing(() => outbox.maintain(), true);
      if (!more && !folded && performance.now() - lastAppendMs > IDLE_MS) {
        outbox.checkpoint();
        folded = true;
      }
    } catch (error) {
      post({ kind: 'trouble', detail: `housekeeping failed: ${messageOf(error)}` });
    }
    maintenance = setTimeout(maintain, more ? STEP_MS : MAINTAIN_MS);
  }

  /** Runs; when that shows the file to be damaged, puts a new one in its place and says so. */
  function repairing<T>(work: () => T, again: boolean): T {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      const replacement = repair(error);
      ackUpto = 0;
      if (session?.announce === true) outbox.declareUnknownLoss(session.sessionId);
      post({ kind: 'replaced', replacement });
      if (again) return work();
      throw new OutboxError('OUTBOX_REPLACED', replacement.asidePath, { cause: error });
    }
  }

  /** Without a file this thread is of no more use: the next one opens whatever there is, and tries again. */
  function repair(cause: unknown): Replacement {
    try {
      return outbox.repair(cause);
    } catch (error) {
      post({ kind: 'trouble', detail: `the damaged outbox could not be replaced: ${messageOf(error)}` });
      process.exit(1);
    }
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
