import { expect, test } from 'vitest';
import { type Lifecycle, startAll } from './lifecycle.ts';

function recorder(): { events: string[]; part: (name: string, behaviour?: Partial<Lifecycle>) => Lifecycle } {
  const events: string[] = [];
  return {
    events,
    part: (name, behaviour = {}) => ({
      async start(signal) {
        events.push(`start ${name}`);
        await behaviour.start?.(signal);
      },
      async stop() {
        events.push(`stop ${name}`);
        await behaviour.stop?.();
      },
    }),
  };
}

const never = new AbortController().signal;

test('parts start left to right and stop right to left, once, however often stop is called', async () => {
  const { events, part } = recorder();
  const running = await startAll([part('a'), part('b'), part('c')], never);
  await Promise.all([running.stop(), running.stop()]);
  await running.stop();
  expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
});

test('when a part cannot start, it and those before it are stopped, those after it never start, and its error is told', async () => {
  const { events, part } = recorder();
  const broken = part('b', { start: () => Promise.reject(new Error('no port')) });
  await expect(startAll([part('a'), broken, part('c')], never)).rejects.toThrow('no port');
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test('trouble while cleaning up does not hide why the start failed', async () => {
  const { part } = recorder();
  const a = part('a', { stop: () => Promise.reject(new Error('stop failed too')) });
  const b = part('b', { start: () => Promise.reject(new Error('the reason')) });
  await expect(startAll([a, b], never)).rejects.toThrow('the reason');
});

test('an abort between two parts ends the start and stops what runs', async () => {
  const { events, part } = recorder();
  const abort = new AbortController();
  const a = part('a', { start: async () => abort.abort(new Error('enough')) });
  await expect(startAll([a, part('b')], abort.signal)).rejects.toThrow('enough');
  expect(events).toEqual(['start a', 'stop a']);
});

test('a part that fails to stop does not keep the others from stopping', async () => {
  const { events, part } = recorder();
  const running = await startAll([part('a'), part('b', { stop: () => Promise.reject(new Error('stuck')) }), part('c')], never);
  await expect(running.stop()).rejects.toThrow('stuck');
  expect(events.slice(3)).toEqual(['stop c', 'stop b', 'stop a']);
});
