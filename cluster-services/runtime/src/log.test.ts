import { expect, test } from 'vitest';
import { defineErrors } from './errors.ts';
import { createLog } from './log.ts';

function capture(): { log: ReturnType<typeof createLog>; lines: () => string[] } {
  const lines: string[] = [];
  return { log: createLog({ name: 'test', destination: { write: (line: string) => void lines.push(line) } }), lines: () => lines };
}

test('a line is JSON with the level as a word, an ISO time, name and message', () => {
  const { log, lines } = capture();
  log.info({ device: 'eeg-1' }, 'connected');
  const line = JSON.parse(lines()[0] ?? '');
  expect(line).toMatchObject({ level: 'info', name: 'test', device: 'eeg-1', msg: 'connected' });
  expect(new Date(line.time).toISOString()).toBe(line.time);
});

const secret = 'hunter2-hunter2';
class DriverError extends Error {
  readonly config = { password: secret };
}

test.each<[string, (log: ReturnType<typeof createLog>) => void]>([
  ['a token', (log) => log.info({ token: secret }, 'x')],
  ['a nested password', (log) => log.info({ a: { b: { c: { password: secret } } } }, 'x')],
  ['a secret in a list', (log) => log.info({ list: [{ secret }] }, 'x')],
  ['the authorization header', (log) => log.info({ headers: { Authorization: `Bearer ${secret}` } }, 'x')],
  ['a private key', (log) => log.info({ tls: { key: secret } }, 'x')],
  ['a source, which may be a file named after a person', (log) => log.info({ replay: { source: secret } }, 'x')],
  ['a setting that ends in token', (log) => log.info({ storageToken: secret }, 'x')],
  ['a child binding', (log) => log.child({ token: secret }).info('x')],
  [
    "a grandchild's binding",
    (log) =>
      log
        .child({ a: 1 })
        .child({ b: { password: secret } })
        .info('x'),
  ],
  ['a database address', (log) => log.info({ database: `mysql://writer:${secret}@127.0.0.1:3306/db` }, 'x')],
  ['a database address in the message', (log) => log.info(`cannot open mysql://writer:${secret}@127.0.0.1:3306/db`)],
  ['an interpolated database address', (log) => log.info('cannot open %s', `mysql://writer:${secret}@127.0.0.1/db`)],
  ['a database address in an error', (log) => log.error(new Error(`no mysql://writer:${secret}@127.0.0.1/db`))],
  ['a bearer token in an error', (log) => log.error({ err: new Error(`refused Bearer ${secret}`) }, 'x')],
  ['a field of an error', (log) => log.error({ err: new DriverError('no') }, 'x')],
  ['the cause of an error', (log) => log.error({ err: new Error('outer', { cause: new DriverError('no') }) }, 'x')],
  ['a request', (log) => log.info({ req: { method: 'GET', url: `/live?token=${secret}`, headers: { cookie: secret } } }, 'x')],
  ['bytes', (log) => log.info({ bytes: Buffer.from(secret) }, 'x')],
])('%s leaves no trace in the line', (_what, write) => {
  const { log, lines } = capture();
  write(log);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).not.toContain(secret);
  expect(lines()[0]).not.toContain(Buffer.from(secret).toString('base64'));
  expect(() => JSON.parse(lines()[0] ?? '')).not.toThrow();
});

test('what is no secret stays readable: paths, codes, causes', () => {
  const { log, lines } = capture();
  const cause = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  log.error({ err: new Error('cannot append', { cause }), keyPath: '/pki/a-key.pem', url: 'mqtts://127.0.0.1:8883' }, 'failed');
  expect(JSON.parse(lines()[0] ?? '')).toMatchObject({
    err: { type: 'Error', message: 'cannot append', cause: { message: 'disk full', code: 'ENOSPC' } },
    keyPath: '/pki/a-key.pem',
    url: 'mqtts://127.0.0.1:8883',
  });
});

test('an object that contains itself, or is huge, becomes a line of bounded size', () => {
  const { log, lines } = capture();
  const self: Record<string, unknown> = { many: Array.from({ length: 100_000 }, (_item, index) => ({ index })) };
  self['self'] = self;
  log.info({ self }, 'x');
  expect(lines()[0]?.length).toBeLessThan(2_000_000);
  expect(lines()[0]).toContain('[too');
});

test('a failure that was foreseen is one sentence without a stack; a bug keeps its stack', () => {
  class DiskError extends defineErrors('disk', { FULL: { retry: 'yes', summary: 'the disk is full', next: 'wait' } }) {}
  const { log, lines } = capture();
  log.error({ err: new DiskError('FULL', '/data', { cause: new Error('ENOSPC') }) }, 'not written');
  log.error({ err: new TypeError('x is undefined') }, 'a bug');
  const [foreseen, bug] = lines().map((line) => JSON.parse(line));
  expect(foreseen.err).toEqual({ type: 'DiskError', message: 'the disk is full: /data', code: 'FULL', retry: true, name: 'DiskError' });
  expect(bug.err.stack).toContain('log.test');
});
