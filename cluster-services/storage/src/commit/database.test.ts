import { expect, test } from 'vitest';
import { StorageError } from '../errors.ts';
import { parseDatabase } from './database.ts';
import { writerGrants } from './writer-grants.ts';

test('sqlite:DIR names a directory with two files', () => {
  expect(parseDatabase('sqlite:/data/x')).toEqual({
    kind: 'sqlite',
    dir: '/data/x',
    readingsPath: '/data/x/readings.sqlite',
    registryPath: '/data/x/registry.sqlite',
  });
});

test('mysql:// names server, account and database', () => {
  expect(parseDatabase('mysql://writer:p%40ss@db.local/vital?ca=/etc/ca.pem')).toEqual({
    kind: 'mysql',
    host: 'db.local',
    port: 3306,
    user: 'writer',
    password: 'p@ss',
    database: 'vital',
    socketPath: null,
    caPath: '/etc/ca.pem',
  });
});

test.each([
  '',
  'sqlite:',
  'postgres://a:secret-word@b/c',
  'mysql://a:secret-word@b',
  'mysql://a:secret-word@b/x/y',
  'mysql://a:secret-word@b/x;drop',
  'readings.db',
])('%j is refused, without repeating a password', (text) => {
  try {
    parseDatabase(text);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_DATABASE_URL', retry: false });
    expect(StorageError.is(error) && error.message).not.toContain('secret-word');
  }
});

test('the grants of the writer hold nothing that changes or removes a reading', () => {
  const grants = writerGrants('writer@10.0.0.%', 'vital');
  expect(grants[0]).toContain("ON `vital`.chunk TO 'writer'@'10.0.0.%'");
  for (const grant of grants) expect(grant).not.toMatch(/DELETE|DROP|ALTER|CREATE|ALL|SELECT (ON|\*)|, message[,)]/);
  expect(() => writerGrants("writer'@%", 'vital')).toThrow('not a database account');
});
