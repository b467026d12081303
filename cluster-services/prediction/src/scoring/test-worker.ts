import type { FromWorker, PushResult, ToWorker } from './protocol.ts';

// A worker for tests: it gives every push one window whose probability is the sum of all first samples its session has seen, and does what
// the first sample tells it to: 666 dies, 667 hangs, 668 throws, from 1000 on works so many ms less 1000.

const mode = process.argv[2] ?? '';
const sums = new Map<number, number>();

process.once('disconnect', () => process.exit(0));
if (mode === 'broken') {
  tell({ kind: 'failed', detail: 'no backend works' });
  process.exitCode = 1;
  process.disconnect();
} else {
  const modelHash = mode === 'different' ? String(process.pid) : 'model';
  tell({ kind: 'ready', facts: { backend: 'test', modelHash, modelVersion: '1', seizureAt: 0.8, quietBelow: 0.2 } });
  process.on('message', (received) => {
    const message = received as ToWorker;
    if (message.kind === 'open') sums.set(message.session, 0);
    else if (message.kind === 'close') sums.delete(message.session);
    else {
      const results = message.tasks.map((task): PushResult => {
        if (task.kind === 'fork') {
          sums.set(task.session, sums.get(task.of) ?? Number.NaN);
          return [];
        }
        const told = task.samples[0] ?? 0;
        if (told === 666) process.kill(process.pid, 'SIGKILL');
        if (told === 667) for (;;) Math.random();
        if (told === 668) return { error: 'this one cannot be scored' };
        for (const endMs = performance.now() + told - 1000; performance.now() < endMs; ) Math.random();
        const sum = (sums.get(task.session) ?? Number.NaN) + told;
        sums.set(task.session, sum);
        const scored = {
          verdict: 'quiet',
          reason: null,
          baseline: null,
          channel: 0,
          channelProbabilities: [],
          channelBaselines: [],
          complete: true,
        } as const;
        return [{ ...scored, window: task.firstSample, firstSample: task.firstSample, samples: message.tasks.length, probability: sum }];
      });
      tell({ kind: 'scored', results, busyMs: 1 });
    }
  });
}

function tell(message: FromWorker): void {
  process.send?.(message);
}
