import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, afterEach, expect, test } from 'vitest';
import { sourceExecArgv } from './source.ts';

const dir = tempDir('vw-life-');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => removeTempDir(dir));

// A real process: its part takes `stopMs` to stop and says what happens on stdout.
function launch(stopMs: number, startMs = 0): { child: ChildProcess; said: () => string; exited: Promise<number | null> } {
  const file = join(dir, `main-${children.length}-${stopMs}-${startMs}.ts`);
  const lifecycle = new URL('./lifecycle.ts', import.meta.url).href;
  writeFileSync(
    file,
    `import { runUntilSignal } from ${JSON.stringify(lifecycle)};
     const sleep = (ms: number, signal?: AbortSignal) => new Promise<void>((resolve, reject) => { setTimeout(resolve, ms); signal?.addEventListener('abort', () => reject(signal.reason)); });
     await runUntilSignal([{ start: async (signal) => { console.log('starting'); await sleep(${startMs}, signal); }, stop: async () => { console.log('stopping'); await sleep(${stopMs}); console.log('stopped'); } }], () => console.log('ready'));
     console.log('returned');
     if (process.connected) process.disconnect();`,
  );
  const child = fork(file, { execArgv: sourceExecArgv(import.meta.url), stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  children.push(child);
  let text = '';
  child.stdout?.on('data', (bytes) => {
    text += String(bytes);
  });
  return { child, said: () => text, exited: new Promise((resolve) => child.once('exit', (code) => resolve(code))) };
}

async function untilSaid(said: () => string, word: string): Promise<void> {
  for (let i = 0; i < 1_000 && !said().includes(word); i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(said()).toContain(word);
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops the parts and lets the process end by itself', async (signal) => {
  const { child, said, exited } = launch(50);
  await untilSaid(said, 'ready');
  child.kill(signal);
  expect(await exited).toBe(0);
  expect(said()).toBe('starting\nready\nstopping\nstopped\nreturned\n');
});

test('a second signal ends the process at once', async () => {
  const { child, said, exited } = launch(60_000);
  await untilSaid(said, 'ready');
  child.kill('SIGTERM');
  await untilSaid(said, 'stopping');
  child.kill('SIGTERM');
  expect(await exited).toBe(143);
  expect(said()).not.toContain('stopped');
});

test('a signal during the start is an ordinary end, not a failure', async () => {
  const { child, said, exited } = launch(10, 60_000);
  await untilSaid(said, 'starting');
  child.kill('SIGTERM');
  await untilSaid(said, 'returned');
  expect(said()).toBe('starting\nstopping\nstopped\nreturned\n');
  child.kill('SIGKILL'); // its pretended start still sleeps
  await exited;
});

test('a process whose supervisor is gone stops', async () => {
  const { child, said, exited } = launch(10);
  await untilSaid(said, 'ready');
  child.disconnect();
  expect(await exited).toBe(0);
  expect(said()).toContain('stopped');
});

test('a process whose supervisor was gone before it had loaded stops, too', async () => {
  const { child, said, exited } = launch(10);
  child.disconnect();
  expect(await exited).toBe(0);
  expect(said()).toContain('returned');
});
