import { expect, test } from 'vitest';
import { Turnstile } from './turnstile.ts';

test('never more inside than allowed, a bounded number waits, the rest is refused with what to do', async () => {
  const turnstile = new Turnstile(2, 3);
  let inside = 0;
  let most = 0;
  const gates: (() => void)[] = [];
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise<void>((resolve) => gates.push(resolve));
    inside -= 1;
  };
  const all = Array.from({ length: 5 }, () => turnstile.pass(work));
  expect(turnstile.waiting).toBe(3);
  await expect(turnstile.pass(work)).rejects.toMatchObject({ status: 503, code: 'BUSY' });
  for (let index = 0; index < 5; index += 1) {
    gates[index]?.();
    await all[index];
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(most).toBe(2);
  await turnstile.pass(() => Promise.resolve());
});

test('work that fails gives its place back', async () => {
  const turnstile = new Turnstile(1, 1);
  await expect(turnstile.pass(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turnstile.pass(() => Promise.resolve(7))).toBe(7);
});
