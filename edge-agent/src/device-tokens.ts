import { createHash, randomBytes } from 'node:crypto';
import { chown, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isId } from '@vitalwire/contract';
import { type Clock, type Log, makeKeptDir, type Owner, readKept, writeKept } from '@vitalwire/runtime';
import { EdgeError } from './errors.ts';

const RESCAN_MS = 1_000;
const MAX_DEVICES = 1_024;
const MAX_TOKEN_CHARS = 512;
const LEAST_TOKEN_CHARS = 16;

/**
 * The tokens of the devices this gateway serves: one file per device, named by its id, read again when they may have changed. A token
 * belongs to one device; one that two files share belongs to neither.
 */
export class DeviceTokens {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #devices = new Map<string, string>(); // SHA-256 of the token → device
  #scannedMs = Number.NEGATIVE_INFINITY;
  #dirChangedAt = 0n;
  #scanning: Promise<void> | null = null;
  #complaints = '';

  constructor(dir: string, clock: Clock, log: Log) {
    this.#dir = dir;
    this.#clock = clock;
    this.#log = log;
  }

  get size(): number {
    return this.#devices.size;
  }

  async start(): Promise<void> {
    await makeKeptDir(this.#dir);
    await this.#scan();
  }

  /** The device a token belongs to, or null. Looked up by hash, so the time it takes tells nothing about a token. */
  async deviceOf(token: string): Promise<string | null> {
    if (this.#clock.monotonicMs() - this.#scannedMs > RESCAN_MS) await this.#scan();
    await this.#scanning; // of several requests at once the first one reads: the others must not answer from before
    const digest = hash(token);
    const device = this.#devices.get(digest);
    if (device !== undefined) return device;
    // A token nobody knows may be one that was just made: a device must not be turned away for being quick.
    if ((await changedAt(this.#dir)) !== this.#dirChangedAt) await this.#scan();
    return this.#devices.get(digest) ?? null;
  }

  #scan(): Promise<void> {
    this.#scanning ??= this.#read().finally(() => {
      this.#scanning = null;
    });
    return this.#scanning;
  }

  async #read(): Promise<void> {
    this.#scannedMs = this.#clock.monotonicMs();
    this.#dirChangedAt = await changedAt(this.#dir); // before the files are read: what comes meanwhile is read again
    const complaints: string[] = [];
    const owners = new Map<string, string[]>();
    let names: string[];
    try {
      names = (await readdir(this.#dir)).filter(isId).slice(0, MAX_DEVICES);
    } catch (error) {
      this.#complain(`the token directory cannot be read (${codeOf(error)})`);
      return; // the tokens known so far stay valid: a disk hiccup must not lock devices out
    }
    for (const device of names) {
      const path = join(this.#dir, device);
      let token: string;
      try {
        token = (await readKept(path))?.trim() ?? '';
      } catch (error) {
        complaints.push(error instanceof Error ? error.message : String(error));
        for (const [digest, owner] of this.#devices) if (owner === device) owners.set(digest, [...(owners.get(digest) ?? []), device]);
        continue; // what was known of it stays valid
      }
      if (token === '' || token.length < LEAST_TOKEN_CHARS || token.length > MAX_TOKEN_CHARS || /\s/.test(token))
        complaints.push(`the token of ${device} is unreadable or not of ${LEAST_TOKEN_CHARS} to ${MAX_TOKEN_CHARS} characters`);
      else owners.set(hash(token), [...(owners.get(hash(token)) ?? []), device]);
    }
    for (const devices of owners.values()) {
      if (devices.length > 1) complaints.push(`${devices.join(' and ')} share one token: it is valid for none of them`);
    }
    this.#devices = new Map(
      [...owners].flatMap(([digest, [device, other]]) => (device !== undefined && other === undefined ? [[digest, device]] : [])),
    );
    this.#complain(complaints.join('; '));
  }

  #complain(complaints: string): void {
    if (complaints !== '' && complaints !== this.#complaints)
      this.#log.error({ problems: complaints }, 'some device tokens cannot be used');
    this.#complaints = complaints;
  }
}

/** The token of a device: makes one if there is none, or always when `rotate` is set. Only the owner of the directory can read it. */
export async function ensureDeviceToken(dir: string, device: string, rotate = false): Promise<{ token: string; made: boolean }> {
  if (!isId(device))
    throw new EdgeError('TOKEN_UNUSABLE', `'${device}' is no device id: use 1 to 63 letters, digits, dots, hyphens or underscores`);
  const owner = await ownerOf(dirname(dir), dir);
  await makeKeptDir(dir);
  if (owner !== null) await chown(dir, owner.uid, owner.gid);
  const path = join(dir, device);
  if (!rotate) {
    const known = ((await readKept(path)) ?? '').trim();
    if (known !== '') {
      if (owner !== null) await chown(path, owner.uid, owner.gid); // made by an earlier release for nobody but root
      return { token: known, made: false };
    }
  }
  const token = randomBytes(32).toString('base64url');
  await writeKept(path, `${token}\n`, owner);
  return { token, made: true };
}

/** The operator's token: the one that is set, or one made at the first start. Its file is what `vitalwire edge status` reads. */
export async function ensureOperatorToken(path: string, given: string | undefined): Promise<string> {
  const known = ((await readKept(path)) ?? '').trim();
  if (known.length >= LEAST_TOKEN_CHARS && (given === undefined || given === known)) return known;
  const token = given ?? randomBytes(32).toString('base64url');
  await writeKept(path, `${token}\n`);
  return token;
}

/** Takes a device's token away; false if it had none. */
export async function revokeDeviceToken(dir: string, device: string): Promise<boolean> {
  if (!isId(device)) throw new EdgeError('TOKEN_UNUSABLE', `'${device}' is no device id`);
  try {
    await rm(join(dir, device));
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Root makes files for whoever the agent runs as: the owner of its directory, or of the one around it. Null where there is nothing to
 * change; everybody else can write only what is theirs.
 */
async function ownerOf(around: string, dir: string): Promise<Owner | null> {
  if (process.getuid?.() !== 0) return null;
  for (const path of [dir, around]) {
    const found = await stat(path).catch(() => null);
    if (found !== null && found.uid !== 0) return { uid: found.uid, gid: found.gid };
  }
  return null;
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

/** When a file was last added to a directory or taken from it, in ns; 0 where it cannot be told. */
async function changedAt(dir: string): Promise<bigint> {
  return (await stat(dir, { bigint: true }).catch(() => null))?.mtimeNs ?? 0n;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
