import 'reflect-metadata'; // @peculiar/x509 does not load without it
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

// The name of this type differs between Node's and the browser's declarations.
type SubtleKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** The two halves of the authority's key. */
export type KeyPair = { privateKey: SubtleKey; publicKey: SubtleKey };

/** Who a certificate is for, and until when. */
export type Subject = { cn: string; kind: string; hosts: readonly string[]; days: number };

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CA_DAYS = 3_650;

/** A new private key as PEM (PKCS #8). */
export async function makeKey(): Promise<string> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  return exportKey(keys.privateKey);
}

/** The authority's own certificate, which may sign identities and no further authority. */
export async function makeCaCertificate(caKeys: KeyPair): Promise<string> {
  const cert = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: 'CN=Vitalwire local CA',
    notBefore: anHourAgo(),
    notAfter: new Date(anHourAgo().getTime() + CA_DAYS * DAY_MS),
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  return toPem(cert);
}

/** A certificate for both ends of TLS, signed by the authority, and its private key. It does not outlive the authority. */
export async function makeIdentity(subject: Subject, caPem: string, caKey: SubtleKey): Promise<{ certPem: string; keyPem: string }> {
  const ca = new X509Certificate(caPem);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = anHourAgo();
  const cert = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `CN=${subject.cn}, OU=${subject.kind}`,
    issuer: ca.subject,
    notBefore,
    notAfter: new Date(Math.min(notBefore.getTime() + subject.days * DAY_MS, ca.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: caKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(
        subject.hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host })),
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(ca.publicKey),
    ],
  });
  return { certPem: toPem(cert), keyPem: await exportKey(keys.privateKey) };
}

/** Both halves of a private key. */
export async function importKeyPair(key: KeyObject): Promise<KeyPair> {
  const jwk = key.export({ format: 'jwk' });
  const { d: _private, ...publicJwk } = jwk;
  return {
    privateKey: await crypto.subtle.importKey('jwk', jwk, ALGORITHM, true, ['sign']),
    publicKey: await crypto.subtle.importKey('jwk', publicJwk, ALGORITHM, true, ['verify']),
  };
}

// A gateway whose clock is a little behind must accept a new certificate, too.
function anHourAgo(): Date {
  return new Date(Date.now() - HOUR_MS);
}

function newSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01; // positive and without a leading zero
  return Buffer.from(bytes).toString('hex');
}

async function exportKey(key: SubtleKey): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function toPem(cert: X509Certificate): string {
  return `${cert.toString('pem')}\n`;
}
