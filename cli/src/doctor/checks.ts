import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@vitalwire/client';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import { exitCodes } from '../io.ts';
import { askAgent } from '../stack/agent-status.ts';
import type { DataDir } from '../stack/data-dir.ts';
import { keptPorts, takenPorts } from '../stack/ports.ts';
import { findStack, readToken } from '../stack/stack-file.ts';
import { askProblems } from '../stack/stack-watch.ts';

export type Finding = {
  readonly check: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do about it; empty where all is well. */
  readonly next: string;
};

type Answer = Omit<Finding, 'check'>;
type Check = (dirs: DataDir, nowMs: number) => Promise<Answer> | Answer;

const NODE_NEEDED = 24;
const DISK_WARN_BYTES = 5 * 1024 ** 3;
const DISK_FAIL_BYTES = 512 * 1024 ** 2;
const CERTIFICATE_WARN_DAYS = 30;
const CERTIFICATE_FAIL_DAYS = 3;
const CLOCK_TOLERANCE_MS = 2_000;
/** No clock that is right shows a time before this software existed. */
const EARLIEST_MS = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;

/** Everything a stack on this machine needs, looked at one by one; a check that cannot be made is a finding, too. */
export async function examine(dirs: DataDir, nowMs: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [check, look] of Object.entries(checks)) {
    try {
      findings.push({ check, ...(await look(dirs, nowMs)) });
    } catch (error) {
      const next = exitCodeOf(error) === exitCodes.bug ? 'this looks like a bug of ours; please report it' : 'see the message';
      findings.push({ check, state: 'fail', found: sentenceOf(error), next });
    }
  }
  return findings;
}

const checks: Readonly<Record<string, Check>> = {
  node: () => {
    const found = `Node ${process.versions.node} on ${process.platform} ${process.arch}`;
    if (Number.parseInt(process.versions.node, 10) >= NODE_NEEDED) return ok(found);
    return fail(found, `run it through cli/bin/vitalwire.js, which brings Node ${NODE_NEEDED}`);
  },

  sqlite: async () => {
    // In a process of its own: a binary that does not fit ends the process instead of throwing.
    const script =
      "const D = require('better-sqlite3'); process.stdout.write(new D(':memory:').prepare('select sqlite_version()').pluck().get())";
    const { good, text } = await runNode(script);
    if (good) return ok(`SQLite ${text} loads`);
    return fail(`better-sqlite3 does not load: ${text}`, 'install again: npm ci (there are ready binaries for Linux, macOS and Windows)');
  },

  detector: async () => {
    const { selfTest } = await import('./detector-check.ts');
    const { ok: good, text } = await selfTest();
    return good ? ok(text) : fail(text, 'install again: npm ci; without it readings are stored and shown, but nothing is detected');
  },

  ports: async (dirs) => {
    const kept = await keptPorts(dirs);
    if (kept === null) return ok('none yet; chosen at the first start and then kept');
    const told = `kept in ${dirs.portsFile}`;
    if (findStack(dirs) !== null) return ok(told);
    const taken = await takenPorts(kept);
    if (taken.length === 0) return ok(`${told}, all free`);
    return fail(`another program has ${taken.join(', ')}`, `stop it, or change ${dirs.portsFile} (vitalwire up --port <name>=<number>)`);
  },

  directory: (dirs) => {
    const place = nearestExisting(dirs.root);
    if (!isWritable(place)) return fail(`${place} cannot be written`, 'choose another directory with --data, or change its rights');
    if (isOpenToOthers(dirs.secrets)) return warn(`${dirs.secrets} can be read by others`, `chmod 700 ${dirs.secrets}`);
    return ok(`${dirs.root} can be written${existsSync(dirs.root) ? '' : ' (will be made)'}`);
  },

  disk: async (dirs) => {
    const place = nearestExisting(dirs.root);
    const { bavail, bsize } = await statfs(place);
    const free = bavail * bsize;
    const found = `${(free / 1024 ** 3).toFixed(1)} GiB free at ${place}`;
    const next = 'free some space; when the disk is full the outbox keeps what it holds and intakes are refused';
    if (free < DISK_FAIL_BYTES) return fail(found, next);
    return free < DISK_WARN_BYTES ? warn(found, next) : ok(found);
  },

  certificates: (dirs, nowMs) => {
    const first = certificates(dirs, nowMs)[0];
    if (first === undefined) return ok('none yet; made at the first start');
    const found = first.days < 0 ? `${first.name} has expired` : `${first.name} ends first, in ${first.days} days`;
    const renew = "restart the stack: 'vitalwire up' renews what ends soon";
    const next = first.name === 'ca.pem' ? `the authority itself ends: stop the stack, move ${dirs.pki} away, start again` : renew;
    if (first.days < CERTIFICATE_FAIL_DAYS) return fail(found, next);
    return first.days < CERTIFICATE_WARN_DAYS ? warn(found, next) : ok(found);
  },

  clock: (_dirs, nowMs) => {
    const found = `this machine says ${new Date(nowMs).toISOString()}`;
    return nowMs > EARLIEST_MS
      ? ok(found)
      : fail(found, 'set the clock (timedatectl set-ntp true); no reading is refused for its time, but ages would be wrong');
  },

  database: async (dirs) => {
    const file = readingsFile(dirs);
    if (file === null) return ok('none of SQLite here yet');
    const { good, text } = await runNode(quickCheck, [file], DATABASE_CHECK_MS);
    if (good && text === 'ok') return ok(`${file} is whole`);
    if (good)
      return fail(
        `${file} is damaged (${text.split('\n')[0] ?? ''})`,
        'stop the stack, then restore a backup or move the file away; gateways send again what they hold',
      );
    if (text.includes('TIMED_OUT'))
      return warn(
        `${file} could not be looked through within ${DATABASE_CHECK_MS / 1000} s: not known`,
        'storage looks through it once a day by itself; see its log',
      );
    return warn(`${file} could not be looked through: ${text}`, 'run this as the user of the stack');
  },

  services: async (dirs) => {
    const stack = findStack(dirs);
    if (stack === null) return ok('none run');
    const problems = await askProblems(stack);
    return problems.length === 0
      ? ok('each says that it does all it should')
      : warn(problems.join('; '), `see 'vitalwire status' and the logs in ${dirs.logs}`);
  },

  gateways: async (dirs) => {
    const stack = findStack(dirs);
    if (stack === null) return ok('none known while nothing runs');
    const web = await Client.connect({ url: stack.urls.web, token: readToken(stack.tokenPath), caPath: stack.caPath, timeoutMs: 3_000 });
    try {
      const [{ gateways }, { links }] = await Promise.all([web.gateways(), web.state()]);
      const agent = await askAgent(stack);
      const told = new Map((links.problems ?? []).map(({ about, text }) => [about, text]));
      for (const { gateway, problem } of gateways) if (problem !== null) told.set(gateway, problem);
      // The agent of this machine may know what it cannot tell the cluster any more.
      const [own] = agent?.problems ?? [];
      if (own !== undefined) told.set(stack.gatewayId, own);
      if (told.size === 0) return ok(`${gateways.length} known, none has a problem`);
      return fail([...told].map(([about, text]) => `${about}: ${text}`).join('; '), 'each sentence says what to do');
    } finally {
      await web.close();
    }
  },

  stack: async (dirs, nowMs) => {
    const stack = findStack(dirs);
    if (stack === null) return warn(`nothing runs on ${dirs.root}`, `vitalwire up --data ${dirs.root}`);
    const web = await Client.connect({ url: stack.urls.web, token: readToken(stack.tokenPath), caPath: stack.caPath, timeoutMs: 3_000 });
    try {
      const apartMs = Math.abs((await web.time()) / 1000 - nowMs);
      const found = `running (process ${stack.pid}), web answers`;
      return apartMs < CLOCK_TOLERANCE_MS * 10
        ? ok(found)
        : warn(`${found}, its clock is ${Math.round(apartMs / 1000)} s away from ours`, 'set the clocks');
    } finally {
      await web.close();
    }
  },
};

const ok = (found: string): Answer => ({ state: 'ok', found, next: '' });
const warn = (found: string, next: string): Answer => ({ state: 'warn', found, next });
const fail = (found: string, next: string): Answer => ({ state: 'fail', found, next });

function certificates(dirs: DataDir, nowMs: number): { name: string; days: number }[] {
  if (!existsSync(dirs.pki)) return [];
  return readdirSync(dirs.pki)
    .filter((name) => name.endsWith('.pem') && !name.endsWith('-key.pem'))
    .map((name) => ({ name, days: daysLeft(path.join(dirs.pki, name), nowMs) }))
    .sort((a, b) => a.days - b.days);
}

function daysLeft(file: string, nowMs: number): number {
  return Math.floor((new X509Certificate(readFileSync(file)).validToDate.getTime() - nowMs) / DAY_MS);
}

function isWritable(place: string): boolean {
  try {
    accessSync(place, constants.W_OK | constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function isOpenToOthers(place: string): boolean {
  return existsSync(place) && process.platform !== 'win32' && (statSync(place).mode & 0o077) !== 0;
}

function nearestExisting(place: string): string {
  return existsSync(place) || path.dirname(place) === place ? place : nearestExisting(path.dirname(place));
}

const DATABASE_CHECK_MS = 30_000;

/** In a process of its own, which can be ended: a large file takes its time. */
const quickCheck = `
const D = require('better-sqlite3');
const say = (text) => process.stdout.write(text);
try { say(String(new D(process.argv[1], { readonly: true, fileMustExist: true }).pragma('quick_check(1)', { simple: true }))); }
catch (error) { if (/^SQLITE_(CORRUPT|NOTADB)/.test(error.code ?? '')) say(error.message); else throw error; }`;

/** The file of the readings, where this data directory keeps them in SQLite and has begun to. */
function readingsFile(dirs: DataDir): string | null {
  const kept = path.join(dirs.secrets, 'database.url');
  if (!existsSync(kept)) return null;
  const address = readFileSync(kept, 'utf8').trim();
  if (!address.startsWith('sqlite:')) return null;
  const file = path.join(address.slice('sqlite:'.length), 'readings.sqlite');
  return existsSync(file) ? file : null;
}

function runNode(script: string, args: readonly string[] = [], timeout = 10_000): Promise<{ good: boolean; text: string }> {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, ['-e', script, ...args], { cwd, timeout }, (error, stdout, stderr) => {
      if (error?.killed === true) resolve({ good: false, text: 'TIMED_OUT' });
      const why = stderr.split('\n').find((line) => /error/i.test(line)) ?? error?.message ?? '';
      resolve({ good: error === null, text: error === null ? stdout : why.trim() });
    });
  });
}
