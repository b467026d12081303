import { expect, test } from 'vitest';
import { Fresh } from './fresh.ts';

test('who asks while a run is under way gets the next one, shared with all who ask meanwhile', async () => {
  let runs = 0;
  const gates: (() => void)[] = [];
  const fresh = new Fresh(async () => {
    runs += 1;
    const number = runs;
    await new Promise<void>((resolve) => gates.push(resolve));
    return number;
  });
  const first = fresh.read();
  const [second, third] = [fresh.read(), fresh.read()];
  gates[0]?.();
  expect(await first).toBe(1);
  await Promise.resolve();
  gates[1]?.();
  expect(await second).toBe(2);
  expect(await third).toBe(2);
  expect(fresh.isIdle).toBe(true);
  const fourth = fresh.read();
  gates[2]?.();
  expect(await fourth).toBe(3);
});

test('a run that fails does not hold up the next', async () => {
  let runs = 0;
  const fresh = new Fresh(async () => {
    runs += 1;
    await Promise.resolve();
    if (runs === 1) throw new Error('down');
    return runs;
  });
  const [first, second] = [fresh.read(), fresh.read()];
  await expect(first).rejects.toThrow('down');
  expect(await second).toBe(2);
  expect(await fresh.read()).toBe(3);
});
