import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceIds } from '@vitalwire/contract';
import { tempDir } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { expiryProblem, identityOf, Pki, readIdentity } from './pki.ts';

const read = (path: string): string => readFileSync(path, 'utf8');
function replaceByDirectory(path: string): void {
  rmSync(path);
  mkdirSync(path);
}
const certificate = (path: string): X509Certificate => new X509Certificate(read(path));

describe('the authority', () => {
  test('is made once, readable by its owner only, and its key is never overwritten', async () => {
    const dir = join(tempDir('vw-pki-'), 'pki');
    await Pki.open(dir);
    const [key, cert] = [read(join(dir, 'ca-key.pem')), read(join(dir, 'ca.pem'))];
    await Pki.open(dir);
    expect([read(join(dir, 'ca-key.pem')), read(join(dir, 'ca.pem'))]).toEqual([key, cert]);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
  });

  test('is the same one for all that open a new directory at the same moment', async () => {
    const dir = tempDir('vw-pki-');
    const opened = await Promise.all(Array.from({ length: 8 }, () => Pki.open(dir)));
    const identities = await Promise.all(opened.map((pki, index) => pki.issue(`gateway-${index}`, { kind: 'gateway' })));
    const ca = certificate(join(dir, 'ca.pem'));
    for (const identity of identities) expect(certificate(identity.certPath).verify(ca.publicKey)).toBe(true);
    expect(readdirSync(dir).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test('signs its certificate again when a crash left only the key', async () => {
    const dir = tempDir('vw-pki-');
    const identity = await (await Pki.open(dir)).issue('storage', { kind: 'service' });
    rmSync(join(dir, 'ca.pem'));
    await Pki.open(dir);
    expect(certificate(identity.certPath).verify(certificate(join(dir, 'ca.pem')).publicKey)).toBe(true);
  });

  test.each<[string, (dir: string) => void]>([
    ['a certificate without its key', (dir) => rmSync(join(dir, 'ca-key.pem'))],
    ['a certificate of another key', (dir) => writeFileSync(join(dir, 'ca.pem'), read(join(dir, 'a.pem')))],
    ['a key that is none', (dir) => writeFileSync(join(dir, 'ca-key.pem'), 'garbage')],
    ['a certificate that is none', (dir) => writeFileSync(join(dir, 'ca.pem'), 'garbage')],
  ])('refuses %s in words that name the file, and changes nothing', async (_what, damage) => {
    const dir = tempDir('vw-pki-');
    await (await Pki.open(dir)).issue('a', { kind: 'service' });
    damage(dir);
    const before = readdirSync(dir).map((name) => read(join(dir, name)));
    const error: unknown = await Pki.open(dir).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'RuntimeError', retry: false });
    expect(String(error)).toContain('ca');
    expect(readdirSync(dir).map((name) => read(join(dir, name)))).toEqual(before);
  });
});

describe('an identity', () => {
  test('names its owner and kind, serves both ends of TLS, holds its hosts, and began an hour ago', async () => {
    const pki = await Pki.open(tempDir('vw-pki-'));
    const identity = await pki.issue('gateway-1', { kind: 'gateway', hosts: ['door.example', '192.0.2.7'], days: 90 });
    const cert = certificate(identity.certPath);
    expect(cert.subject.split('\n').toSorted()).toEqual(['CN=gateway-1', 'OU=gateway']);
    expect(cert.ca).toBe(false);
    expect(cert.keyUsage?.toSorted()).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    for (const host of ['localhost', 'door.example']) expect(cert.checkHost(host)).toBe(host);
    for (const ip of ['127.0.0.1', '192.0.2.7']) expect(cert.checkIP(ip)).toBe(ip);
    expect(cert.checkHost('other.example')).toBeUndefined();
    expect(Math.abs(cert.validFromDate.getTime() - (Date.now() - 3_600_000))).toBeLessThan(60_000);
    expect(Math.round((cert.validToDate.getTime() - cert.validFromDate.getTime()) / 86_400_000)).toBe(90);
    expect(cert.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(cert.verify(certificate(identity.caPath).publicKey)).toBe(true);
    expect(statSync(identity.keyPath).mode & 0o777).toBe(0o600);
  });

  test('is kept by ensure while it fits, and made anew when it does not', async () => {
    const pki = await Pki.open(tempDir('vw-pki-'));
    const identity = await pki.ensure('web', { kind: 'service' });
    const first = read(identity.certPath);
    await pki.ensure('web', { kind: 'service' });
    expect(read(identity.certPath)).toBe(first);
    await pki.ensure('web', { kind: 'service', hosts: ['wall.example'] });
    const second = read(identity.certPath);
    expect(second).not.toBe(first);
    await pki.ensure('web', { kind: 'service' }); // more hosts than asked for still fit
    expect(read(identity.certPath)).toBe(second);
    writeFileSync(identity.keyPath, 'garbage');
    await pki.ensure('web', { kind: 'service' });
    await expect(readIdentity(identity)).resolves.toMatchObject({ notAfterMs: expect.any(Number) });
  });

  test('is renewed by ensure before it ends', async () => {
    const pki = await Pki.open(tempDir('vw-pki-'));
    const identity = await pki.issue('web', { kind: 'service', days: 0.05 }); // an hour of it is over already
    const first = read(identity.certPath);
    await pki.ensure('web', { kind: 'service' });
    expect(read(identity.certPath)).not.toBe(first);
  });

  test.each(['', '../evil', 'a b', 'CN=x', 'a,OU=service', 'x'.repeat(64)])('cannot be called %j', async (name) => {
    const pki = await Pki.open(tempDir('vw-pki-'));
    await expect(pki.issue(name, { kind: 'gateway' })).rejects.toThrow('not a usable identity name');
  });
});

describe('reading an identity', () => {
  test('gives the three texts and the end of the certificate', async () => {
    const identity = await (await Pki.open(tempDir('vw-pki-'))).issue('web', { kind: 'service' });
    const loaded = await readIdentity(identity);
    expect(loaded.cert).toBe(read(identity.certPath));
    expect(loaded.notAfterMs).toBe(certificate(identity.certPath).validToDate.getTime());
  });

  test.each<[string, 'certPath' | 'keyPath' | 'caPath', (path: string) => void]>([
    ['a certificate that is missing', 'certPath', (path) => rmSync(path)],
    ['a certificate that is half written', 'certPath', (path) => writeFileSync(path, read(path).slice(0, 200))],
    ['a key that is missing', 'keyPath', (path) => rmSync(path)],
    ['a key that is none', 'keyPath', (path) => writeFileSync(path, 'garbage')],
    ['a CA that is a directory', 'caPath', replaceByDirectory],
  ])('names the file of %s', async (_what, which, damage) => {
    const identity = await (await Pki.open(tempDir('vw-pki-'))).issue('web', { kind: 'service' });
    damage(identity[which]);
    const error: unknown = await readIdentity(identity).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'CERTIFICATE_UNREADABLE', retry: false });
    expect(String(error)).toContain(identity[which]);
  });

  test('refuses a certificate and a key that do not belong together', async () => {
    const pki = await Pki.open(tempDir('vw-pki-'));
    const [a, b] = [await pki.issue('a', { kind: 'service' }), await pki.issue('b', { kind: 'service' })];
    await expect(readIdentity({ ...a, keyPath: b.keyPath })).rejects.toThrow('does not belong to');
  });

  test('says why a file cannot be read', async () => {
    const identity = await (await Pki.open(tempDir('vw-pki-'))).issue('web', { kind: 'service' });
    rmSync(identity.keyPath);
    mkdirSync(identity.keyPath); // a directory cannot be read by root either
    await expect(readIdentity(identity)).rejects.toThrow('EISDIR');
  });
});

test('a peer is who its certificate says, and nobody where the names are absent, foreign, doubled or malformed', () => {
  expect(identityOf({ subject: { CN: 'gateway-1', OU: 'gateway' } })).toEqual({ kind: 'gateway', id: 'gateway-1' });
  expect(identityOf({ subject: { CN: 'storage', OU: 'service' } })).toEqual({ kind: 'service', id: 'storage' });
  const nobody: unknown[] = [
    {},
    null,
    undefined,
    { subject: null },
    { subject: { CN: 'a' } },
    { subject: { OU: 'gateway' } },
    { subject: { CN: 'a', OU: 'admin' } },
    { subject: { CN: ['a', 'b'], OU: 'gateway' } },
    { subject: { CN: 'a', OU: ['gateway', 'service'] } },
    { subject: { CN: 'a/b', OU: 'gateway' } },
    { subject: { CN: '#', OU: 'gateway' } },
    ...serviceIds.map((id) => ({ subject: { CN: id, OU: 'gateway' } })), // it would speak for the service
  ];
  for (const certificateOfPeer of nobody) expect(identityOf(certificateOfPeer as object)).toBeNull();
});

test('a certificate whose time is over is named, with the day and what to do', async () => {
  const pki = await Pki.open(tempDir('vw-expired-'));
  const old = await pki.issue('web', { kind: 'service', days: -1 });
  const loaded = await readIdentity(old);
  expect(expiryProblem(old, loaded, Date.now())).toMatch(
    /web\.pem expired on \d{4}-\d\d-\d\d: clients refuse it; put a new one in its place/,
  );
  expect(expiryProblem(old, loaded, loaded.notAfterMs - 1)).toBeNull();
});

test('no certificate makes a gateway that is called like a service', async () => {
  const pki = await Pki.open(tempDir('vw-reserved-'));
  for (const id of serviceIds) await expect(pki.issue(id, { kind: 'gateway' })).rejects.toThrow(`no gateway may be called ${id}`);
});
