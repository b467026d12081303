import { expect, test } from 'vitest';
import { sourceExecArgv, workerUrl } from './source.ts';

test('from source a worker is the .ts file beside the caller, and needs the condition source', () => {
  const caller = 'file:///app/storage/src/commit/index.ts';
  expect(workerUrl('./commit-worker', caller).href).toBe('file:///app/storage/src/commit/commit-worker.ts');
  expect(sourceExecArgv(caller)).toEqual(['--conditions=source']);
});

test('from dist it is the .js file, and needs nothing', () => {
  const caller = 'file:///app/storage/dist/commit/index.js';
  expect(workerUrl('./commit-worker', caller).href).toBe('file:///app/storage/dist/commit/commit-worker.js');
  expect(sourceExecArgv(caller)).toEqual([]);
});
