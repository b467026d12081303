import { loadStreamDetector } from '@vitalwire/detector';
import { serve, tell } from './serve.ts';

// The program of one scoring worker: holds the streams of its recordings, scores what is pushed, ends with its parent.

const quiet = { info: () => undefined, warn: () => undefined };
const backend = process.argv[2] === 'wasm' || process.argv[2] === 'tfjs-node' ? process.argv[2] : 'auto';

process.once('disconnect', () => process.exit(0));
// A signal to the whole group (Ctrl-C) is the parent's to handle: it drains first and then disconnects.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

loadStreamDetector({ backend, log: quiet }).then(serve, (error: unknown) => {
  const reasons = error instanceof AggregateError ? error.errors : [error];
  tell({ kind: 'failed', detail: reasons.map((one) => (one instanceof Error ? one.message : String(one))).join('; ') });
  process.exitCode = 1;
  process.disconnect();
});
