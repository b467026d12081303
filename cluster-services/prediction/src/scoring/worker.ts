import { type EegStream, loadStreamDetector, type PreparedWindow, type StreamDetector } from '@vitalwire/detector';
import type { FromWorker, PushResult, ScoredWindow, Task, ToWorker } from './protocol.ts';

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

function serve(detector: StreamDetector): void {
  const streams = new Map<number, EegStream>();
  process.on('message', (received) => {
    const message = received as ToWorker;
    if (message.kind === 'open') streams.set(message.session, detector.openStream(message.rate, message.channels, message.recalled));
    else if (message.kind === 'close') streams.delete(message.session);
    else tell(score(detector, streams, message.tasks));
  });
  const { modelHash, modelVersion, seizureAt, quietBelow } = detector;
  tell({ kind: 'ready', facts: { backend: detector.backend, modelHash, modelVersion, seizureAt, quietBelow } });
}

/** All windows of a batch, of whatever recordings, go through the network together. What one recording breaks fails alone. */
function score(detector: StreamDetector, streams: Map<number, EegStream>, tasks: readonly Task[]): FromWorker {
  const before = process.cpuUsage();
  const prepared = tasks.map((task) => prepare(streams, task));
  const scores = detector.score(prepared.flatMap((windows) => ('error' in windows ? [] : windows)));
  let next = 0;
  const results = prepared.map((windows): PushResult => {
    if ('error' in windows) return windows;
    return windows.map((): ScoredWindow => {
      const { channelReasons: _, ...scored } = scores[next++] as (typeof scores)[number];
      // No scale fits the chunks: their montage has another number of channels.
      return scored.channelProbabilities.length === 0 ? { ...scored, reason: 'unit' } : scored;
    });
  });
  const { user, system } = process.cpuUsage(before);
  return { kind: 'scored', results, busyMs: (user + system) / 1000 };
}

function prepare(streams: Map<number, EegStream>, task: Task): PreparedWindow[] | { error: string } {
  const stream = streams.get(task.kind === 'fork' ? task.of : task.session);
  if (stream === undefined) return { error: 'the session is not open' };
  if (task.kind === 'fork') {
    streams.set(task.session, stream.clone());
    return [];
  }
  try {
    return stream.push(task, task.before).filter(({ window }) => window >= task.fromWindow);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function tell(message: FromWorker): void {
  process.send?.(message, undefined, undefined, () => undefined); // a parent that is gone needs no answer
}
