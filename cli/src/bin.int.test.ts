import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const link = path.join(root, 'node_modules', '.bin', 'vitalwire');

// These start the command as a person does, through the link that npm makes; it builds first if sources changed.
test('npx vitalwire --version: the link leads to the command, whose stdout is the version and the label alone', async () => {
  expect(existsSync(link)).toBe(true);
  const { code, stdout } = await run('npx', ['--no-install', 'vitalwire', '--version'], 300_000);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^vitalwire \d+\.\d+\.\d+\n\nResearch and education software\. Not a medical device/);
}, 310_000);

test('a second start does no set-up work, and the exit code of the command is kept', async () => {
  const { code, stderr } = await run(link, ['status', '--data', '/nonexistent/vitalwire'], 30_000);
  expect(stderr).toBe('');
  expect(code).toBe(1);
});

test('every verb explains itself with an example', async () => {
  const { stdout } = await run(link, ['--help'], 30_000);
  const verbs = [...stdout.matchAll(/^ {2}(\w+) /gm)]
    .map((match) => match[1] ?? '')
    .filter((verb) => !['help', 'vitalwire'].includes(verb));
  expect(verbs).toEqual(expect.arrayContaining(['demo', 'up', 'status', 'doctor', 'replay', 'verify', 'service', 'settings']));
  for (const verb of verbs) {
    const { code, stdout: help } = await run(link, [verb, '--help'], 30_000);
    expect(code, verb).toBe(0);
    expect(help, verb).toContain('Examples:');
  }
}, 120_000);

test('wrong arguments give one clear sentence, exit code 2 and no stack', async () => {
  for (const args of [
    ['nonsense'],
    ['replay', 'synth', '--speed', 'fast'],
    ['demo', '--for', 'ever'],
    ['up', '--database', 'oracle://x'],
    ['service', 'nobody'],
  ]) {
    const { code, stderr } = await run(link, args, 30_000);
    expect(code, args.join(' ')).toBe(2);
    expect(stderr, args.join(' ')).toMatch(/^(error|vitalwire): /);
    expect(stderr).not.toMatch(/\n\s+at /);
  }
});

test('a bad configuration is told whole, with exit code 2', async () => {
  const { code, stderr } = await run(link, ['service', 'web'], 30_000, { VITALWIRE_WEB_PORT: 'banana', VITALWIRE_WEB_NONSENSE: '1' });
  expect(code).toBe(2);
  expect(stderr).toContain('port = "banana"');
  expect(stderr).toContain('VITALWIRE_WEB_NONSENSE');
  expect(stderr).not.toMatch(/\n\s+at /);
});

function run(
  command: string,
  args: string[],
  timeout: number,
  env: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: root, timeout, env: { ...process.env, ...env } }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}
