// A process that trains folds: told the segments once, then task after task. One per core, as wasm threads do not work here.
import { openBackend } from '../backend.ts';
import { FoldWork } from './fold-work.ts';
import type { ToWorker } from './in-workers.ts';

let work: FoldWork | null = null;

process.on('message', (message: ToWorker) => {
  void answer(message).then(
    (judged) => process.send?.({ judged }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

async function answer(message: ToWorker): Promise<unknown> {
  if (message.kind === 'segments') {
    work = new FoldWork(await openBackend('wasm'), message.segments);
    return [];
  }
  if (work === null) throw new Error('a task came before the segments');
  return work.run(message.task);
}
