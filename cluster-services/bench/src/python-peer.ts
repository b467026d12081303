import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PACKAGES = { 'paho-mqtt': '2.2.0', PyMySQL: '1.2.4' } as const;
const MOSQUITTO_PATHS = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'];

/** What the peers run on; or why they cannot, and how to get it. */
export type PeerTools =
  | { readonly ok: true; readonly mosquitto: string; readonly python: string; readonly packages: string; readonly versions: string }
  | { readonly ok: false; readonly missing: string };

/**
 * Finds Mosquitto and Python, and brings the two Python packages into a cache folder of the user. They belong to the peers: the product
 * needs none of this.
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
  const packages = join(cacheRoot(), 'vitalwire', `bench-python-${Object.values(PACKAGES).join('-')}`);
  if (!existsSync(packages)) {
    const wanted = Object.entries(PACKAGES).map(([name, pinned]) => `${name}==${pinned}`);
    say(`installing ${wanted.join(' and ')} for the peers into ${packages}, once`);
    const fresh = `${packages}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    if (output(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', fresh, ...wanted]) === null) {
      rmSync(fresh, { recursive: true, force: true });
      return { ok: false, missing: `\`${python} -m pip install --target ${packages} ${wanted.join(' ')}\` failed; it needs pip and PyPI` };
    }
    if (existsSync(packages)) rmSync(fresh, { recursive: true, force: true });
    else renameSync(fresh, packages);
  }
  const broker = /version (\S+)/.exec(output(mosquitto, ['-h'], true) ?? '')?.[1] ?? 'of unknown version';
  const names = Object.entries(PACKAGES).map(([name, pinned]) => `${name} ${pinned}`);
  return { ok: true, mosquitto, python, packages, versions: [`Mosquitto ${broker}`, version.trim(), ...names].join(', ') };
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
