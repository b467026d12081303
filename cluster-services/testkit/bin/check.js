#!/usr/bin/env node
// `npm run check`: format, lint, promises, types. Valid on Node 20.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled, nodeBinary } from '../../../cli/bin/setup.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
ensureInstalled(root);
const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };
const page = join('cluster-services', 'web', 'src', 'page', 'tsconfig.json');

const checks = [
  ['biome (format, lint)', 'biome', ['check', '--error-on-warnings', '.']],
  ['oxlint (promises)', 'oxlint', ['--deny-warnings', '.']],
  ['TypeScript', 'tsc', ['-p', 'tsconfig.check.json']],
  ...(existsSync(join(root, page)) ? [['TypeScript, page', 'tsc', ['-p', page, '--noEmit']]] : []),
];

const failures = checks.filter(([title, program, args]) => {
  const file = join(bin, program);
  const ran = spawnSync(nodeBinary(root), [file, ...args], { cwd: root, env, encoding: 'utf8' });
  const ok = ran.status === 0;
  process.stderr.write(`check: ${ok ? 'ok' : 'FAILED'}  ${title}\n`);
  if (!ok) process.stderr.write(`${ran.stdout}${ran.stderr}\n`);
  return !ok;
});
process.exit(failures.length === 0 ? 0 : 1);
