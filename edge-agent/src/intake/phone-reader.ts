import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { limits } from '@vitalwire/contract';
import { ApiError, AskedWorker, type Log, type Question, sourceExecArgv, systemClock, workerUrl } from '@vitalwire/runtime';
import { tooBusy } from './body-budget.ts';
import { expectedShape, type PhoneBatch, type PhoneOptions, type PhoneSummary } from './health-auto-export.ts';
import type { FromPhone, PhoneProblem, ToPhone } from './phone-protocol.ts';
import { invalid } from './requests.ts';

type Answer = Extract<FromPhone, { ok: true }>;
type Asked = Question<ToPhone> extends infer One ? (One extends object ? Omit<One, 'exportId'> : never) : never;

const LARGE_BYTES = 4 * 1024 * 1024;

/**
 * Reads exports piece by piece in a thread of its own, started when the first one comes. A piece is asked for when what was in the one
 * before is committed: the phone waits meanwhile, and no body is ever held whole.
 */
export class PhoneReader {
  readonly #thread: AskedWorker<ToPhone, FromPhone>;
  #exportId = 0;
  #large: Promise<unknown> = Promise.resolve();

  constructor(log: Log) {
    this.#thread = new AskedWorker({
      clock: systemClock, // no deadline: an export takes as long as its body
      spawn: spawnReader,
      unanswered: (_why, cause) => interrupted(cause),
      onLost: (cause) => log.error({ err: cause }, 'the thread that reads phone exports died; the next export starts another'),
    });
  }

  /**
   * Hands every batch to `commit`, in order, and waits for it. Throws an ApiError for a body that is no export. `size` is how long the body
   * says it is; large ones are read one after the other, so that the memory of one is enough.
   */
  read(body: Readable, size: number | null, options: PhoneOptions, commit: (batch: PhoneBatch) => Promise<void>): Promise<PhoneSummary> {
    if (size !== null && size <= LARGE_BYTES) return this.#read(body, options, commit);
    const mine = this.#large.then(() => this.#read(body, options, commit));
    this.#large = mine.catch(() => {}); // told to the one that asked; the next export's turn comes all the same
    return mine;
  }

  async #read(body: Readable, options: PhoneOptions, commit: (batch: PhoneBatch) => Promise<void>): Promise<PhoneSummary> {
    this.#exportId += 1;
    const exportId = this.#exportId;
    const ask = (question: Asked): Promise<Answer> => this.#ask({ ...question, exportId } as Question<ToPhone>);
    const commitAll = async (first: Answer): Promise<Answer> => {
      let answer = first;
      while (answer.batch !== null) {
        await commit(answer.batch);
        answer = await ask({ op: 'take' });
      }
      return answer;
    };
    try {
      await ask({ op: 'open', options });
      let bytes = 0;
      // Not destroyed when it is left early: that would cut the connection before the answer.
      const pieces = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
      for (let next = await pieces.next().catch(unreadable); next.done !== true; next = await pieces.next().catch(unreadable)) {
        const piece = next.value;
        bytes += piece.byteLength;
        if (bytes > limits.maxPhoneExportBytes)
          throw new ApiError(
            413,
            'TOO_LARGE',
            `the export is larger than ${limits.maxPhoneExportBytes} bytes`,
            'export fewer days at once, or turn on batch requests in the app',
          );
        await commitAll(await ask({ op: 'bytes', bytes: new Uint8Array(piece) }));
      }
      const { summary } = await commitAll(await ask({ op: 'finish' }));
      if (summary === null) throw new Error('an export was read and nothing is known about it');
      return summary;
    } finally {
      this.#thread.tell({ op: 'drop', exportId });
    }
  }

  stop(): Promise<void> {
    return this.#thread.terminate();
  }

  async #ask(question: Question<ToPhone>): Promise<Answer> {
    const answer = await this.#thread.ask(question, question.op === 'bytes' ? { transfer: [question.bytes.buffer] } : {});
    if (answer.ok) return answer;
    throw answerTo(answer.problem);
  }
}

function spawnReader(): Worker {
  const worker = new Worker(workerUrl('./phone-worker', import.meta.url), {
    execArgv: sourceExecArgv(import.meta.url),
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 }, // the columns of points lie outside
  });
  worker.unref();
  return worker;
}

function interrupted(cause: Error | null): ApiError {
  return new ApiError(
    503,
    'EXPORT_INTERRUPTED',
    'the export could not be read to its end',
    'send it again; what was stored is recognised',
    { cause },
  );
}

/** The line was cut, or what came was not packed as it says. */
function unreadable(cause: unknown): never {
  if (cause instanceof ApiError) throw cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new ApiError(400, 'UNREADABLE', `the body cannot be read to its end: ${why}`, 'send it again; what was stored is recognised', {
    cause,
  });
}

function answerTo({ kind, message }: PhoneProblem): ApiError {
  switch (kind) {
    case 'no-json':
      return invalid(`POST /v1/intake/health-auto-export: the body is no JSON: ${message}`);
    case 'no-export':
      return new ApiError(
        400,
        'NO_EXPORT',
        `POST /v1/intake/health-auto-export: ${message}`,
        `an export looks like this: ${expectedShape}`,
      );
    case 'too-many-points':
      return new ApiError(413, 'TOO_LARGE', message, 'export fewer days at once, or turn on batch requests in the app');
    case 'too-busy':
      return tooBusy(message);
  }
}
