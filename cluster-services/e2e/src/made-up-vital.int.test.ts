import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

// A vital nobody has thought of becomes one by a row in each of the two tables, and by nothing else: in a copy of this tree.

const root = fileURLToPath(new URL('../../..', import.meta.url));
const FACTS = 'cluster-services/contract/src/numerics.ts';
const RULES = 'cluster-services/vitals/src/numeric-rules.ts';
const factsRow = `
  'tissue-oxygen': {
    number: 57,
    label: 'tissue oxygen saturation',
    short: 'StO2',
    unit: '%',
    decimals: 0,
    least: 1,
    most: 100,
    noReading: [0],
    isSpot: false,
    limits: { usual: { low: 90, high: null, extremeDelta: 20 }, low: [30, 99], high: [40, 100], extremeDelta: [1, 40] },
    phone: null,
  },
`;
const rulesRow = `
  'tissue-oxygen': { ...streamed, validationUs: 10_000_000, frozen: null },
`;

type Report = {
  readonly testResults: readonly { readonly assertionResults: readonly { readonly title: string; readonly status: string }[] }[];
};

const run = promisify(execFile);
let copy: string;
const node = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, args, {
    cwd: copy,
    env: { ...process.env, VITALWIRE_TEST_VITAL: 'tissue-oxygen' },
    timeout: 240_000,
    maxBuffer: 64 * 1024 * 1024,
  });

beforeAll(async () => {
  copy = tempDir('vw-tree-');
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    maxBuffer: 16 * 1024 * 1024,
  });
  for (const file of stdout.split('\0').filter((one) => one !== '' && existsSync(join(root, one)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  linkModules(join(root, 'node_modules'), join(copy, 'node_modules'));
  addRow(FACTS, factsRow);
  addRow(RULES, rulesRow);
});

afterAll(() => removeTempDir(copy));

test('a made-up vital needs a row in two tables: the types agree, and it is stored, shown and alarmed', { timeout: 300_000 }, async () => {
  await node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.check.json', '--noEmit').catch(told);
  await node('cli/bin/build.js').catch(told);
  const files = ['cluster-services/e2e/src/numerics.int.test.ts', 'edge-agent/src/intake-refusals.int.test.ts'];
  const args = ['run', '--project', 'int', '--testNamePattern', 'tissue-oxygen', ...files];
  const report = join(copy, 'report.json');
  await node('node_modules/vitest/vitest.mjs', ...args, '--reporter=json', '--outputFile', report).catch(told);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => status !== 'skipped');
  expect(results.map(({ title, status }) => `${status}: ${title}`).sort()).toEqual([
    expect.stringMatching(/^passed: tissue-oxygen 80 alarms on the wall and on the page/),
    expect.stringMatching(/^passed: tissue-oxygen is taken under its name/),
  ]);
});

function addRow(file: string, row: string): void {
  const text = readFileSync(join(copy, file), 'utf8');
  const end = text.indexOf('\n} as const satisfies Record<');
  expect(end, `the table of ${file} ends where it did`).toBeGreaterThan(0);
  writeFileSync(join(copy, file), `${text.slice(0, end)}${row.trimEnd()}${text.slice(end)}`);
}

/** What is installed is linked to; packages of this tree are those of the copy. */
function linkModules(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink() && isOurs(resolve(from, readlinkSync(source)))) symlinkSync(readlinkSync(source), target);
    else if (entry.isDirectory() && (entry.name === '@vitalwire' || entry.name === '.bin')) linkModules(source, target);
    else symlinkSync(source, target);
  }
}

function isOurs(path: string): boolean {
  return path.startsWith(resolve(root)) && !path.includes('node_modules');
}

/** A command that fails says why on its output. */
function told(error: unknown): never {
  const { message, stdout = '', stderr = '' } = error as Error & { stdout?: string; stderr?: string };
  throw new Error(`${message}\n${stdout.slice(-4_000)}\n${stderr.slice(-4_000)}`);
}
