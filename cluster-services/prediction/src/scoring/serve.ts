import type { EegStream, PreparedWindow, StreamDetector } from '@vitalwire/detector';
import { isWanted } from './live-queue.ts';
import type { FromWorker, PushResult, ScoredWindow, Task, ToWorker } from './protocol.ts';

/** Holds the streams of its recordings and scores what is pushed, for as long as the parent is there. */
export function serve(detector: StreamDetector): void {
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
    const { thin } = task;
    const isJudged = thin === undefined ? undefined : (window: number) => isWanted(window, thin);
    return stream.push(task, task.before, isJudged).filter(({ window }) => window >= task.fromWindow);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

export function tell(message: FromWorker): void {
  process.send?.(message, undefined, undefined, () => undefined); // a parent that is gone needs no answer
}
