import { type ChildProcess, fork } from 'node:child_process';
import type { FoldTask, Judgement } from './fold-work.ts';
import type { LabelledSegment } from './segments.ts';

export type ToWorker =
  | { readonly kind: 'segments'; readonly segments: readonly LabelledSegment[] }
  | { readonly kind: 'task'; readonly task: FoldTask };
type FromWorker = { readonly judged: Judgement[] } | { readonly failed: string };

const fromSource = import.meta.url.endsWith('.ts');
const workerFile = new URL(`./fold-worker.${fromSource ? 'ts' : 'js'}`, import.meta.url);

/**
 * The tasks' answers, in the order of the tasks, from `count` processes that take the next task whenever they are free. Which process did
 * which changes no bit. Rejects with the first failure; no process outlives the call.
 */
export async function runInWorkers(
  segments: readonly LabelledSegment[],
  tasks: readonly FoldTask[],
  count: number,
  onDone: (done: number) => void = () => undefined,
): Promise<Judgement[][]> {
  const answers: Judgement[][] = tasks.map(() => []);
  let next = 0;
  let done = 0;
  const workers = Array.from({ length: Math.max(1, Math.min(count, tasks.length)) }, startWorker);
  try {
    await Promise.all(
      workers.map(async (worker) => {
        await ask(worker, { kind: 'segments', segments });
        while (next < tasks.length) {
          const index = next++;
          const task = tasks[index];
          if (task === undefined) break;
          answers[index] = await ask(worker, { kind: 'task', task });
          onDone(++done);
        }
      }),
    );
  } finally {
    for (const worker of workers) worker.kill();
  }
  return answers;
}

function startWorker(): ChildProcess {
  // Nothing of our own flags is handed on: a debugger's port or a test runner's hooks are not the worker's.
  const execArgv = fromSource ? ['--conditions=source'] : [];
  return fork(workerFile, { execArgv, serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

function ask(worker: ChildProcess, message: ToWorker): Promise<Judgement[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Judgement[]>();
  const onMessage = (answer: FromWorker) => {
    if ('failed' in answer) reject(new Error(`a training process failed: ${answer.failed}`));
    else resolve(answer.judged);
  };
  const onExit = (code: number | null, signal: string | null) => reject(new Error(`a training process ended early (${signal ?? code})`));
  worker.once('message', onMessage);
  worker.once('exit', onExit);
  worker.once('error', reject);
  worker.send(message, (error) => {
    if (error !== null) reject(error);
  });
  return promise.finally(() => {
    worker.off('message', onMessage);
    worker.off('exit', onExit);
    worker.off('error', reject);
  });
}
