import { parentPort, workerData } from 'node:worker_threads';
import { detailOf, StorageError } from '../errors.ts';
import { sharedMs, unpackRow, type WorkerReply, type WorkerRequest } from './commit-message.ts';
import { SqliteWriter } from './sqlite-writer.ts';

const IDLE_MS = 30_000;
const LONGEST_LOCK_WAIT_MS = 5_000;

const port = parentPort;
if (port === null) throw new Error('the commit worker runs as a worker thread only');
const writer = new SqliteWriter(String(workerData.path));
let idleTimer: NodeJS.Timeout | null = null;

port.on('message', (request: WorkerRequest) => {
  if (idleTimer !== null) clearTimeout(idleTimer);
  port.postMessage(answer(request));
  if (request.type === 'close') port.close();
  else idleTimer = setTimeout(() => tidy(), IDLE_MS).unref();
});

function answer(request: WorkerRequest): WorkerReply {
  const { ticket } = request;
  try {
    if (request.type === 'open') writer.open();
    else if (request.type === 'generation') return { ticket, ok: true, generation: writer.generation() };
    else if (request.type === 'commit') {
      // The main thread has given up on a batch whose deadline is past: it must not be committed behind its back for nothing.
      const leftMs = request.deadlineMs - sharedMs();
      if (leftMs <= 0) return { ticket, ok: false, code: 'UNAVAILABLE', detail: 'the deadline passed before the batch was begun' };
      const rows = request.rows.map((row) => unpackRow(row, request.bytes));
      return { ticket, ok: true, outcomes: writer.commit(rows, request.committedAtUs, Math.min(leftMs, LONGEST_LOCK_WAIT_MS)) };
    } else writer.close();
    return { ticket, ok: true };
  } catch (error) {
    if (StorageError.is(error)) return { ticket, ok: false, code: error.code, detail: detailOf(error) };
    return { ticket, ok: false, code: 'UNAVAILABLE', detail: error instanceof Error ? error.message : String(error) };
  }
}

function tidy(): void {
  try {
    writer.idle();
  } catch {
    // Only tidying: the next commit reports what is wrong with the file.
  }
}
