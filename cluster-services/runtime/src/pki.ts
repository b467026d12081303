import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { isId, isServiceId } from '@vitalwire/contract';
import type { KeyPair } from './certificate-maker.ts';
import { RuntimeError } from './errors.ts';
import type { Log } from './log.ts';

/** The files of one identity: certificate, its private key, and the authority both sides trust. */
export type Identity = { readonly certPath: string; readonly keyPath: string; readonly caPath: string };

/** Who is on the other side of a TLS connection. */
export type PeerIdentity = { readonly kind: IdentityKind; readonly id: string };
export type IdentityKind = 'gateway' | 'service';

export type IssueOptions = {
  kind: IdentityKind;
  /** Further DNS names and IP addresses; localhost and 127.0.0.1 are always among them. */
  hosts?: readonly string[];
  days?: number;
};

const DAY_MS = 86_400_000;
const IDENTITY_DAYS = 365;
const RENEW_BEFORE_DAYS = 30;

/** The small certificate authority of one installation: a directory of PEM files that only its owner can read. */
export class Pki {
  readonly caPath: string;
  readonly #dir: string;
  readonly #caPem: string;
  readonly #caKeys: KeyPair;

  private constructor(dir: string, caPem: string, caKeys: KeyPair) {
    this.#dir = dir;
    this.caPath = join(dir, 'ca.pem');
    this.#caPem = caPem;
    this.#caKeys = caKeys;
  }

  /** Opens the authority in `dir`, or makes one if there is none. An existing CA key is never overwritten. */
  static async open(dir: string): Promise<Pki> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    const keyPath = join(dir, 'ca-key.pem');
    const certPath = join(dir, 'ca.pem');
    const storedKey = await readIfThere(keyPath);
    const storedCert = await readIfThere(certPath);
    if (storedKey === null && storedCert !== null) {
      throw new RuntimeError(
        'CA_INCOMPLETE',
        `${certPath} exists but ${keyPath} does not; restore the key, or remove ${dir} to begin anew`,
      );
    }
    const { importKeyPair, makeCaCertificate, makeKey } = await loadMaker();
    const keyPem = storedKey ?? (await writeOnce(keyPath, await makeKey()));
    const key = attempt(keyPath, () => createPrivateKey(keyPem));
    const caKeys = await importKeyPair(key);
    // The key is written first, so a crash in between leaves a key without its certificate: sign it again.
    const caPem = storedCert ?? (await writeOnce(certPath, await makeCaCertificate(caKeys)));
    if (!attempt(certPath, () => new X509Certificate(caPem)).checkPrivateKey(key)) {
      throw new RuntimeError(
        'CA_INCOMPLETE',
        `${certPath} does not belong to ${keyPath}; restore the pair, or remove ${dir} to begin anew`,
      );
    }
    return new Pki(dir, caPem, caKeys);
  }

  /** Makes a new certificate and key for `cn` and returns where they are; an earlier pair of that name is replaced. */
  async issue(cn: string, options: IssueOptions): Promise<Identity> {
    if (!isId(cn)) throw new TypeError(`not a usable identity name: ${JSON.stringify(cn)}`);
    if (options.kind === 'gateway' && isServiceId(cn))
      throw new TypeError(`no gateway may be called ${cn}: that is a service of the cluster`);
    const { makeIdentity } = await loadMaker();
    const subject = { cn, kind: options.kind, hosts: hostsOf(options), days: options.days ?? IDENTITY_DAYS };
    const { certPem, keyPem } = await makeIdentity(subject, this.#caPem, this.#caKeys.privateKey);
    const identity = this.#pathsOf(cn);
    await replaceFile(identity.keyPath, keyPem);
    await replaceFile(identity.certPath, certPem);
    return identity;
  }

  /** The identity of `cn` as it is on disk if it still fits and lasts for 30 more days, else a new one. */
  async ensure(cn: string, options: IssueOptions): Promise<Identity> {
    const identity = this.#pathsOf(cn);
    const certPem = await readIfThere(identity.certPath);
    const keyPem = await readIfThere(identity.keyPath);
    if (certPem !== null && keyPem !== null && this.#fits(certPem, keyPem, cn, options)) return identity;
    return this.issue(cn, options);
  }

  #pathsOf(cn: string): Identity {
    return { certPath: join(this.#dir, `${cn}.pem`), keyPath: join(this.#dir, `${cn}-key.pem`), caPath: this.caPath };
  }

  #fits(certPem: string, keyPem: string, cn: string, options: IssueOptions): boolean {
    try {
      const cert = new X509Certificate(certPem);
      const lifetimeDays = (cert.validToDate.getTime() - cert.validFromDate.getTime()) / DAY_MS;
      const leftDays = (cert.validToDate.getTime() - Date.now()) / DAY_MS;
      return (
        cert.verify(new X509Certificate(this.#caPem).publicKey) &&
        cert.checkPrivateKey(createPrivateKey(keyPem)) &&
        cert.subject.split('\n').includes(`CN=${cn}`) &&
        cert.subject.split('\n').includes(`OU=${options.kind}`) &&
        hostsOf(options).every((host) => (isIP(host) === 0 ? cert.checkHost(host) : cert.checkIP(host)) !== undefined) &&
        leftDays > Math.min(RENEW_BEFORE_DAYS, lifetimeDays / 3)
      );
    } catch {
      return false; // unreadable is as good as absent: a new pair replaces it
    }
  }
}

/** Who a peer is, from `socket.getPeerCertificate()`; null if its certificate names no gateway or service. */
export function identityOf(peerCertificate: PeerCertificate | object | null | undefined): PeerIdentity | null {
  if (peerCertificate == null || !('subject' in peerCertificate)) return null;
  const subject: unknown = peerCertificate.subject;
  if (typeof subject !== 'object' || subject === null || !('CN' in subject) || !('OU' in subject)) return null;
  const { CN: id, OU: kind } = subject; // several names in one certificate arrive as an array, and are refused
  if (typeof id !== 'string' || !isId(id)) return null;
  // A gateway called like a service would speak for it: what a message names as its sender does not tell the two apart.
  if (kind === 'gateway') return isServiceId(id) ? null : { kind, id };
  return kind === 'service' ? { kind, id } : null;
}

/** An identity read into memory and proven to be usable. */
export type LoadedIdentity = { readonly cert: string; readonly key: string; readonly ca: string; readonly notAfterMs: number };

/** What is wrong with a certificate whose time is over, and what to do; null while it is valid. It is served all the same: clients refuse it. */
export function expiryProblem({ certPath }: Identity, { notAfterMs }: LoadedIdentity, nowMs: number): string | null {
  if (nowMs < notAfterMs) return null;
  return `the certificate ${certPath} expired on ${new Date(notAfterMs).toISOString().slice(0, 10)}: clients refuse it; put a new one in its place ('vitalwire up' does so at its start)`;
}

/** Reads and checks the three files of an identity; a RuntimeError says which file is wrong and why. */
export async function readIdentity(identity: Identity): Promise<LoadedIdentity> {
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: unknown) => {
      throw unreadable(path, cause);
    });
  const [cert, key, ca] = await Promise.all([read(identity.certPath), read(identity.keyPath), read(identity.caPath)]);
  return checkIdentity(identity, cert, key, ca);
}

/** The same for what is made before anything runs, such as a server. */
export function readIdentitySync(identity: Identity): LoadedIdentity {
  const read = (path: string): string => attempt(path, () => readFileSync(path, 'utf8'));
  return checkIdentity(identity, read(identity.certPath), read(identity.keyPath), read(identity.caPath));
}

/** The files of an identity, read again at each connect. One that is being replaced may be half written: the last good one serves meanwhile. */
export class FreshIdentity {
  readonly #identity: Identity;
  readonly #log: Log;
  #lastGood: LoadedIdentity | null = null;

  constructor(identity: Identity, log: Log) {
    this.#identity = identity;
    this.#log = log;
  }

  /** What was read last; null before the first `read`. */
  get lastGood(): LoadedIdentity | null {
    return this.#lastGood;
  }

  /** Throws CERTIFICATE_UNREADABLE as long as nothing good was ever read. */
  async read(): Promise<LoadedIdentity> {
    try {
      this.#lastGood = await readIdentity(this.#identity);
    } catch (error) {
      if (this.#lastGood === null) throw error;
      this.#log.warn({ err: error }, 'keeping the certificate in use');
    }
    return this.#lastGood;
  }
}

function checkIdentity(identity: Identity, cert: string, key: string, ca: string): LoadedIdentity {
  const parsed = attempt(identity.certPath, () => new X509Certificate(cert));
  const privateKey = attempt(identity.keyPath, () => createPrivateKey(key));
  attempt(identity.caPath, () => new X509Certificate(ca));
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new RuntimeError('CERTIFICATE_UNREADABLE', `${identity.certPath} does not belong to ${identity.keyPath}`);
  }
  return { cert, key, ca, notAfterMs: parsed.validToDate.getTime() };
}

function attempt<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): RuntimeError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = /^E(?!RR_)[A-Z]+$/.test(code) ? code : 'not what a PEM file should hold'; // ENOENT is worth telling, OpenSSL's words are not
  return new RuntimeError('CERTIFICATE_UNREADABLE', `${path} (${why}); check the path and its rights, or issue a new certificate`, {
    cause,
  });
}

function hostsOf(options: IssueOptions): string[] {
  return [...new Set(['localhost', '127.0.0.1', ...(options.hosts ?? [])])];
}

// Only where certificates are made: it costs every other command 100 ms.
function loadMaker(): Promise<typeof import('./certificate-maker.ts')> {
  return import('./certificate-maker.ts');
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw unreadable(path, cause);
  }
}

// Two processes may open the same new directory at once: a hard link fails where the file already exists, and appears whole.
async function writeOnce(path: string, text: string): Promise<string> {
  const temporary = await writeTemporary(path, text);
  try {
    await link(temporary, path);
    return text;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return await readFile(path, 'utf8');
    throw cause;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  await rename(await writeTemporary(path, text), path);
}

async function writeTemporary(path: string, text: string): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
  return temporary;
}
