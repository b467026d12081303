#!/usr/bin/env node
// `npm test`: sets everything up, checks, runs every test but the slow ones, ends with the minutes of each suite and `N passed, N failed`.
// `npm run test:slow` is this with --project=slow. Valid on Node 20.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt, ensureInstalled, nodeBinary } from '../../../cli/bin/setup.js';
import { skippedSuites, suiteMinutes } from './suite-minutes.js';
import { ensureSystemPackages } from './system-packages.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const strict = process.env.CI === 'true';
const say = (text) => process.stderr.write(`test: ${text}\n`);
const filters = process.argv.slice(2);
// The slow project runs only when it is asked for by name.
const projects = filters.some((word) => word.startsWith('--project')) ? [] : ['--project=unit', '--project=int'];

ensureInstalled(root);
const missing = ensureSystemPackages(say);
if (strict && missing.length > 0) {
  say(`under CI=true nothing may be skipped, but these are missing: ${missing.join(', ')}`);
  process.exit(1);
}
ensureBuilt(root);

const node = nodeBinary(root);
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  VITALWIRE_TEST_MISSING: missing.join(','),
  // Tests start hundreds of processes that load the same modules: Node keeps them compiled, which saves each some 0.4 s.
  NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'vitalwire-tests'),
};
const run = (args) => spawnSync(node, args, { cwd: root, env, stdio: 'inherit' }).status === 0;

let checked = true;
if (filters.length === 0) checked = run([fileURLToPath(new URL('check.js', import.meta.url))]);

const reportFolder = mkdtempSync(join(tmpdir(), 'vitalwire-test-'));
const reportFile = join(reportFolder, 'report.json');
const ran = run([
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reportFile}`,
  ...projects,
  ...filters,
]);
const report = readReport(reportFile);
const counts = countsOf(report);
if (report !== null) for (const line of suiteMinutes(report, root)) say(line);
rmSync(reportFolder, { recursive: true, force: true });

const failed = counts.failed + (checked ? 0 : 1) + (!ran && counts.failed === 0 ? 1 : 0);
if (!checked) say('`npm run check` failed; it counts as one failed test');
if (!ran && counts.failed === 0) say('vitest ended with an error outside any test; it counts as one failed test');
if (counts.skipped > 0) {
  say(`${counts.skipped} tests were skipped${missing.length > 0 ? ` (missing: ${missing.join(', ')})` : ''}:`);
  for (const line of skippedSuites(report, root)) say(line);
  say("other people's recordings are no part of the repository: 'npx vitalwire datasets where' says where they would be found");
}
const forbidden = strict && counts.skipped > 0;
if (forbidden) say('under CI=true nothing may be skipped');
process.stdout.write(
  `${counts.passed} passed, ${failed + (forbidden ? counts.skipped : 0)} failed${counts.skipped > 0 && !forbidden ? `, ${counts.skipped} skipped` : ''}\n`,
);
process.exit(failed === 0 && !forbidden && counts.passed > 0 ? 0 : 1);

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function countsOf(report) {
  if (report === null) return { passed: 0, failed: 1, skipped: 0 };
  return { passed: report.numPassedTests, failed: report.numFailedTests, skipped: report.numPendingTests + report.numTodoTests };
}
