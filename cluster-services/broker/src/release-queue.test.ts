import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReleaseQueue } from './release-queue.ts';

test('acknowledgements leave in arrival order, in whatever order they are settled', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }).chain((count) =>
        fc.shuffledSubarray(
          Array.from({ length: count }, (_, index) => index),
          { minLength: count },
        ),
      ),
      (order) => {
        const queue = new ReleaseQueue();
        const released: number[] = [];
        const settlers = order.toSorted((a, b) => a - b).map((index) => queue.enter(() => released.push(index)));
        for (const index of order) settlers[index]?.(null);
        expect(released).toEqual(order.toSorted((a, b) => a - b));
        expect(queue.length).toBe(0);
      },
    ),
  );
});

test('an error leaves in its turn, behind the acknowledgements before it, and nothing leaves behind it', () => {
  const queue = new ReleaseQueue();
  const released: string[] = [];
  const first = queue.enter((error) => released.push(`first ${error?.message ?? 'ok'}`));
  const second = queue.enter((error) => released.push(`second ${error?.message ?? 'ok'}`));
  const third = queue.enter(() => released.push('third'));
  third(null);
  second(new Error('late'));
  expect(released).toEqual([]);
  first(null);
  first(new Error('settled twice'));
  expect(released).toEqual(['first ok', 'second late']);
  expect(queue.length).toBe(0);
});
