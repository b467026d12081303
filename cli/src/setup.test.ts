import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// bin/setup.js in a made-up repository whose npm and tsc only write down that they ran.
const setup = new URL('../bin/setup.js', import.meta.url).href;
let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'vitalwire-setup-test-'));
  write('package-lock.json', '{"lockfileVersion":3}');
  write('tsconfig.json', '{"references":[{"path":"cli"},{"path":"cluster-services/web"}]}');
  write('tsconfig.base.json', '{}');
  write('cli/package.json', '{}');
  write('cli/src/main.ts', 'export {};');
  write('cluster-services/web/src/index.ts', 'export {};');
  // The fake npm makes what npm ci would: its own lock, the compiler, the Node of the packages.
  write(
    'npm-cli.js',
    `const fs = require('node:fs'); fs.appendFileSync('calls', 'npm ' + process.argv[2] + '\\n');
     for (let index = 0; index < 60; index += 1) console.error('npm warn EBADENGINE Unsupported engine');
     setTimeout(() => {
       fs.rmSync('node_modules', { recursive: true, force: true });
       fs.mkdirSync('node_modules/typescript/bin', { recursive: true });
       fs.writeFileSync('node_modules/.package-lock.json', '{}');
       fs.writeFileSync('node_modules/typescript/bin/tsc', "const fs = require('node:fs'); fs.appendFileSync('calls', 'tsc\\\\n'); for (const one of ['cli', 'cluster-services/web']) { fs.mkdirSync(one + '/dist', { recursive: true }); fs.writeFileSync(one + '/dist/.tsbuildinfo', ''); } console.log('noise');");
     }, 200);`,
  );
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a fresh clone is installed and built; a second start does no work', async () => {
  expect(await start()).toMatchObject({ code: 0 });
  expect(calls()).toEqual(['npm ci', 'tsc']);
  expect(await start()).toMatchObject({ code: 0, stderr: '' });
  expect(calls()).toEqual(['npm ci', 'tsc']);
});

test('what set-up prints goes to stderr only', async () => {
  const { stdout, stderr } = await start();
  expect(stdout).toBe('');
  expect(stderr).toContain('noise');
});

test('npm is quiet where all goes well: a line that says what and how long, one that says it is done', async () => {
  const { stderr } = await start();
  expect(stderr).not.toContain('EBADENGINE');
  const lines = stderr.trim().split('\n');
  expect(lines[0]).toMatch(/^vitalwire: installing packages \(npm ci\), a minute or two: /);
  expect(lines[1]).toMatch(/^vitalwire: packages installed in \d+ s$/);
});

test('two starts at once do the work once', async () => {
  const both = await Promise.all([start(), start()]);
  expect(both.map((one) => one.code)).toEqual([0, 0]);
  expect(calls()).toEqual(['npm ci', 'tsc']);
});

test('a lock file that is only touched installs nothing, one that changed does', async () => {
  await start();
  const later = new Date(Date.now() + 60_000);
  utimesSync(path.join(root, 'package-lock.json'), later, later);
  await start();
  expect(calls().filter((call) => call === 'npm ci')).toHaveLength(1);
  write('package-lock.json', '{"lockfileVersion":3,"packages":{}}');
  utimesSync(path.join(root, 'package-lock.json'), later, later);
  await start();
  expect(calls().filter((call) => call === 'npm ci')).toHaveLength(2);
});

test('a changed, new or deleted source is built again, a test result beside it is not', async () => {
  await start();
  write('cli/src/main.ts', 'export const changed = 1;');
  await start();
  write('cluster-services/web/src/page/app.tsx', 'export {};');
  await start();
  rmSync(path.join(root, 'cluster-services/web/src/page/app.tsx'));
  await start();
  write('cli/coverage/result.json', '{}');
  await start();
  expect(calls().filter((call) => call === 'tsc')).toHaveLength(4);
});

test('a folder of compiled files that was deleted is built again', async () => {
  await start();
  rmSync(path.join(root, 'cluster-services/web/dist'), { recursive: true });
  await start();
  expect(calls().filter((call) => call === 'tsc')).toHaveLength(2);
});

test('an install that fails is told in one sentence, and tried again next time', async () => {
  const npm = readFileSync(path.join(root, 'npm-cli.js'), 'utf8');
  write('npm-cli.js', "console.error('npm error ETIMEDOUT'); process.exitCode = 7;");
  const failed = await start();
  expect(failed.stderr).toContain('npm error ETIMEDOUT');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/SetupError: npm ci failed in .* \(exit code 7\)/);
  write('npm-cli.js', npm);
  expect(await start()).toMatchObject({ code: 0 });
});

test('a lock left behind by a killed start does not stop the next', async () => {
  await start();
  const killed = spawn(process.execPath, ['--input-type=module', '-e', driver], { env: environment(), stdio: 'ignore' });
  rmSync(path.join(root, 'node_modules'), { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, 300));
  killed.kill('SIGKILL');
  expect(await start()).toMatchObject({ code: 0 });
});

const driver = `import { ensureBuilt, ensureInstalled } from ${JSON.stringify(setup)}; ensureInstalled(process.env.ROOT); ensureBuilt(process.env.ROOT);`;

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, ROOT: root, npm_execpath: path.join(root, 'npm-cli.js') };
}

function start(): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', driver], { env: environment() });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

function calls(): string[] {
  return readFileSync(path.join(root, 'calls'), 'utf8').trim().split('\n');
}

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}
