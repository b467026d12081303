import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isId } from '@vitalwire/contract';
import type { Clock, Log } from '@vitalwire/runtime';
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
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
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
      const token = await readFile(join(this.#dir, device), 'utf8').then(
        (text) => text.trim(),
        () => null,
      );
      if (token === null || token.length < LEAST_TOKEN_CHARS || token.length > MAX_TOKEN_CHARS || /\s/.test(token))
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
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, device);
  if (!rotate) {
    const known = await readFile(path, 'utf8').catch(() => '');
    if (known.trim() !== '') return { token: known.trim(), made: false };
  }
  const token = randomBytes(32).toString('base64url');
  await writePrivate(path, `${token}\n`);
  return { token, made: true };
}

/** The operator's token: the one that is set, or one made at the first start. Its file is what `vitalwire edge status` reads. */
export async function ensureOperatorToken(path: string, given: string | undefined): Promise<string> {
  const known = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (known.length >= LEAST_TOKEN_CHARS && (given === undefined || given === known)) return known;
  const token = given ?? randomBytes(32).toString('base64url');
  await writePrivate(path, `${token}\n`);
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

/** Writes a file only its owner can read, whole or not at all. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}~`; // '~' is in no id: a scan passes it over
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    if (codeOf(cause) !== 'ENOSPC') throw cause;
    throw new EdgeError('DATA_DIR_UNUSABLE', `the disk of ${dirname(path)} is full; free some space`, { cause });
  }
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
