// What every start needs before our own code can run: installed packages, a build, a Node new enough.
// Plain JavaScript, valid on Node 20, no dependency: it runs before anything is installed. All its output goes to stderr.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED_NODE = 24;
const LOCK_WAIT_MS = 15 * 60_000;
const LOCK_POLL_MS = 200;
const MOST_OUTPUT = 64 * 1024 * 1024; // of npm, kept until it is known whether anybody needs it

/** A set-up step that failed, in one sentence for a person. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** The folder of the repository this file stands in. */
export function repositoryRoot() {
  return path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
}

/** Installs the packages named by the lock file, unless they are there. Returns whether it did anything. */
export function ensureInstalled(root) {
  if (isInstalled(root)) return false;
  return underLock(root, () => {
    if (isInstalled(root)) return false;
    say('installing packages (npm ci), a minute or two: once, and again when package-lock.json changes');
    const startedMs = Date.now();
    // No package of ours needs an install script; some would start a compiler (better-sqlite3 under npm 10).
    const done = runNpm(root, ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund']);
    if (done !== 0)
      throw new SetupError(
        `npm ci failed in ${root} (exit code ${done}). Its output is above; check the network or proxy and run the command again.`,
      );
    writeJson(installStampPath(root), { lock: hashOfFile(path.join(root, 'package-lock.json')) });
    say(`packages installed in ${secondsSince(startedMs)} s`);
    return true;
  });
}

/** Compiles the sources and the page, unless the last build saw the same files. Returns whether it did anything. */
export function ensureBuilt(root, { force = false } = {}) {
  const wanted = sourceFingerprint(root);
  if (!force && isBuilt(root, wanted)) return false;
  return underLock(root, () => {
    const now = sourceFingerprint(root);
    if (!force && isBuilt(root, now)) return false;
    say('building, half a minute: once, and again when sources change');
    const startedMs = Date.now();
    const node = nodeBinary(root);
    runStep(root, node, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'], 'the build (tsc -b)');
    const page = path.join(root, 'cluster-services', 'web');
    if (readdirSync(page).some((name) => name.startsWith('vite.config.'))) {
      runStep(
        page,
        node,
        [path.join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'],
        'the build of the page (vite build)',
      );
    }
    mkdirSync(path.dirname(buildStampPath(root)), { recursive: true });
    writeJson(buildStampPath(root), { sources: now });
    say(`built in ${secondsSince(startedMs)} s`);
    return true;
  });
}

/** The Node that runs our code: the one installed with the packages, else the one running now if it is new enough. */
export function nodeBinary(root) {
  const bundled = path.join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(bundled) && majorVersion(bundled) >= NEEDED_NODE) return bundled;
  if (Number.parseInt(process.versions.node, 10) >= NEEDED_NODE) return process.execPath;
  throw new SetupError(
    `Vitalwire runs on Node ${NEEDED_NODE} or newer; none came with the packages for ${process.platform} ${process.arch}, and this is Node ${process.versions.node}. Install Node ${NEEDED_NODE} and run the command again.`,
  );
}

function isInstalled(root) {
  const installed = path.join(root, 'node_modules', '.package-lock.json');
  const lock = path.join(root, 'package-lock.json');
  if (!existsSync(installed)) return false;
  if (readJson(installStampPath(root))?.lock === hashOfFile(lock)) return true;
  // Installed by hand after the lock file was written: remembered, so that a later touch of the file changes nothing.
  if (statSync(installed).mtimeMs < statSync(lock).mtimeMs) return false;
  try {
    writeJson(installStampPath(root), { lock: hashOfFile(lock) });
  } catch {
    // node_modules may be read-only to us; then the times are compared again next time.
  }
  return true;
}

function isBuilt(root, sources) {
  if (readJson(buildStampPath(root))?.sources !== sources) return false;
  return references(root).every((folder) => existsSync(path.join(root, folder, 'dist', '.tsbuildinfo')));
}

/** One hash over path, size and time of everything the build reads. */
function sourceFingerprint(root) {
  const hash = createHash('sha256');
  const add = (file) => {
    const { size, mtimeMs } = statSync(path.join(root, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  };
  for (const name of ['package-lock.json', 'tsconfig.json', 'tsconfig.base.json']) add(name);
  for (const folder of references(root)) {
    for (const name of readdirSync(path.join(root, folder)).sort()) {
      if (/^(package\.json|tsconfig.*\.json|vite\.config\..*|index\.html)$/.test(name)) add(path.join(folder, name));
    }
    const source = path.join(root, folder, 'src');
    if (!existsSync(source)) continue;
    for (const entry of readdirSync(source, { recursive: true, withFileTypes: true }).sort(byPath)) {
      if (entry.isFile()) add(path.relative(root, path.join(folderOf(entry), entry.name)));
    }
  }
  return hash.digest('hex');
}

function references(root) {
  return JSON.parse(readFileSync(path.join(root, 'tsconfig.json'), 'utf8')).references.map((reference) => reference.path);
}

const folderOf = (entry) => entry.parentPath ?? entry.path;
const byPath = (a, b) => {
  const left = path.join(folderOf(a), a.name);
  const right = path.join(folderOf(b), b.name);
  return left < right ? -1 : left > right ? 1 : 0;
};
// Inside node_modules, which npm ci empties: the stamp goes with what it describes.
const installStampPath = (root) => path.join(root, 'node_modules', '.vitalwire-installed.json');
const buildStampPath = (root) => path.join(root, 'cli', 'dist', '.built.json');

/** Two starts at once must not write the same files: the second waits, then finds the work done. */
function underLock(root, work) {
  // Not in the repository: npm ci empties node_modules, and a fresh clone has no other folder that git ignores.
  const lock = path.join(tmpdir(), `vitalwire-setup-${createHash('sha256').update(root).digest('hex').slice(0, 16)}.lock`);
  const deadline = Date.now() + LOCK_WAIT_MS;
  let told = false;
  while (!takeLock(lock)) {
    if (!told) say('another start is setting up this folder; waiting for it');
    told = true;
    if (Date.now() > deadline)
      throw new SetupError(
        `Waited ${LOCK_WAIT_MS / 60_000} minutes for another set-up of ${root}. If none is running, delete ${lock} and run the command again.`,
      );
    sleep(LOCK_POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const owner = Number.parseInt(readText(lock) ?? '', 10);
  if (Number.isInteger(owner) && isAlive(owner)) return false;
  if (!Number.isInteger(owner) && ageMs(lock) < 5_000) return false; // just made, its owner is still writing into it
  try {
    const aside = `${lock}.${process.pid}.stale`;
    renameSync(lock, aside); // one of several waiters succeeds; the others find it gone and try again
    rmSync(aside, { force: true });
  } catch {
    // Another waiter took it away first.
  }
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function runNpm(root, args) {
  // Under `npm run` this names the very npm that is running; else the one on the PATH.
  const script = process.env.npm_execpath;
  if (script !== undefined && /npm-cli\.c?js$/.test(script)) return runQuietly(root, process.execPath, [script, ...args]);
  return runQuietly(root, process.platform === 'win32' ? 'npm.cmd' : 'npm', args, process.platform === 'win32');
}

/** Its output is for whoever has to mend it: under Node 20, which only starts ours, npm warns of every package that wants a newer one. */
function runQuietly(cwd, command, args, shell = false) {
  const done = spawnSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], shell, env: process.env, maxBuffer: MOST_OUTPUT });
  const code = exitCodeOf(done, command);
  if (code !== 0) process.stderr.write(`${done.stdout}${done.stderr}`);
  return code;
}

function runStep(cwd, command, args, name) {
  const code = run(cwd, command, args);
  if (code !== 0) throw new SetupError(`${name} failed in ${cwd} (exit code ${code}). Its output is above.`);
}

function run(cwd, command, args, shell = false) {
  // stdout of the step goes to our stderr: our own stdout belongs to the command a person typed.
  return exitCodeOf(spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2], shell, env: process.env }), command);
}

function exitCodeOf(done, command) {
  if (done.error)
    throw new SetupError(`${command} could not be started: ${done.error.message}. Node ${NEEDED_NODE}'s npm is needed on the PATH.`);
  if (done.signal) throw new SetupError(`stopped by ${done.signal} while setting up; run the command again.`);
  return done.status ?? 1;
}

function majorVersion(binary) {
  const done = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return done.status === 0 ? Number.parseInt(done.stdout.slice(1), 10) : 0;
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function ageMs(file) {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const secondsSince = (startedMs) => Math.round((Date.now() - startedMs) / 1_000);
const hashOfFile = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value)}\n`);
const say = (text) => process.stderr.write(`vitalwire: ${text}\n`);
