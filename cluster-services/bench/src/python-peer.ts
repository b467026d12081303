import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PAHO = '2.2.0';
/** Up to 1.2.0 PyMySQL escapes bytes one by one (0.7 ms for 12 KB), as Debian 12's still does; later it writes them as hexadecimal. */
export const pymysqlVersions = { escaping: '1.2.0', hexadecimal: '1.2.4' } as const;
const MOSQUITTO_PATHS = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'];

type PymysqlKind = keyof typeof pymysqlVersions;

/** What the peers run on; or why they cannot, and how to get it. */
export type PeerTools =
  | {
      readonly ok: true;
      readonly mosquitto: string;
      readonly python: string;
      readonly packages: Readonly<Record<PymysqlKind, string>>;
      readonly versions: string;
    }
  | { readonly ok: false; readonly missing: string };

/**
 * Finds Mosquitto and Python, and brings the Python packages into a cache folder of the user. They belong to the peers: the product needs
 * none of this.
 */
export function findPeerTools(say: (line: string) => void): PeerTools {
  const mosquitto = MOSQUITTO_PATHS.find((path) => existsSync(path));
  if (mosquitto === undefined)
    return {
      ok: false,
      missing: 'the broker `mosquitto` is not installed (Debian: `apt-get install mosquitto`; its service need not run)',
    };
  const python = 'python3';
  const version = output(python, ['--version']);
  if (version === null) return { ok: false, missing: '`python3` is not installed' };
  const packages = { escaping: '', hexadecimal: '' };
  for (const kind of ['escaping', 'hexadecimal'] as const) {
    const wanted = [`paho-mqtt==${PAHO}`, `PyMySQL==${pymysqlVersions[kind]}`];
    packages[kind] = join(cacheRoot(), 'vitalwire', `bench-python-${PAHO}-${pymysqlVersions[kind]}`);
    if (!bringPackages(python, wanted, packages[kind], say))
      return {
        ok: false,
        missing: `\`${python} -m pip install --target ${packages[kind]} ${wanted.join(' ')}\` failed; it needs pip and PyPI`,
      };
  }
  const broker = /version (\S+)/.exec(output(mosquitto, ['-h'], true) ?? '')?.[1] ?? 'of unknown version';
  return { ok: true, mosquitto, python, packages, versions: `Mosquitto ${broker}, ${version.trim()}, paho-mqtt ${PAHO}` };
}

function bringPackages(python: string, wanted: readonly string[], target: string, say: (line: string) => void): boolean {
  if (existsSync(target)) return true;
  say(`installing ${wanted.join(' and ')} for the peers into ${target}, once`);
  const fresh = `${target}.${process.pid}`;
  const isDone = output(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', fresh, ...wanted]) !== null;
  if (isDone && !existsSync(target)) renameSync(fresh, target);
  else rmSync(fresh, { recursive: true, force: true });
  return isDone;
}

function cacheRoot(): string {
  return process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
}

/** What the program printed; null when it cannot be run or fails, unless any end will do. */
function output(program: string, args: readonly string[], anyEnd = false): string | null {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  } catch (error) {
    return anyEnd && error instanceof Error && 'stdout' in error ? String(error.stdout) : null;
  }
}
