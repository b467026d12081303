import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, type ConfigSources, describeSettings, printConfig, readConfig, secret } from './config.ts';

const dir = tempDir('vw-config-');
const prefix = 'VITALWIRE_EDGE_';

const EdgeConfig = z.strictObject({
  frontDoorUrl: z.url({ protocol: /^mqtts$/ }).default('mqtts://127.0.0.1:8883'),
  chunkMs: z.coerce.number().int().min(100).max(10_000).default(250).describe('Length of a chunk'),
  gatewayId: z.string().min(1),
  token: secret(z.string()).min(8).optional(),
  detect: z.boolean().default(false),
  hosts: z.array(z.string()).default([]),
  limits: z.strictObject({ maxConnections: z.number().int().min(1).default(4), perSecond: z.number().default(50) }),
});

function read(sources: Partial<ConfigSources>): z.output<typeof EdgeConfig> {
  return readConfig(EdgeConfig, { prefix, configName: 'edge', env: {}, ...sources });
}

function problemsOf(sources: Partial<ConfigSources>): ConfigError {
  try {
    read(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

function yaml(text: string): string {
  const path = join(dir, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(path, text);
  return path;
}

test('a flag wins over the environment, that over the file, that over the default', () => {
  const file = yaml('gatewayId: from-file\nchunkMs: 300\nlimits:\n  maxConnections: 7\n');
  const env = { [`${prefix}CHUNK_MS`]: '400', [`${prefix}LIMITS_PER_SECOND`]: '60', PATH: '/bin' };
  expect(read({ file })).toMatchObject({ gatewayId: 'from-file', chunkMs: 300, limits: { maxConnections: 7, perSecond: 50 } });
  expect(read({ file, env })).toMatchObject({ chunkMs: 400, limits: { maxConnections: 7, perSecond: 60 } });
  expect(read({ file, env, flags: { chunkMs: '500', gatewayId: undefined } })).toMatchObject({ chunkMs: 500, gatewayId: 'from-file' });
  expect(read({ file }).frontDoorUrl).toBe('mqtts://127.0.0.1:8883');
});

test('every problem is told at once, with setting, value, expectation and origin', () => {
  const file = yaml('chunkMs: 5\nchunkMillis: 300\n');
  const error = problemsOf({
    file,
    env: { [`${prefix}DETECT`]: 'perhaps', [`${prefix}CHUNKMS`]: '1' },
    flags: { frontDoorUrl: 'http://x' },
  });
  expect(error.problems).toEqual(
    expect.arrayContaining([
      { setting: 'chunkMs', value: '5', expected: expect.stringContaining('100'), origin: `file ${file}` },
      { setting: 'chunkMillis', expected: expect.stringContaining('a known setting'), origin: `file ${file}` },
      { setting: 'detect', value: '"perhaps"', expected: 'true or false', origin: `environment ${prefix}DETECT` },
      { setting: `${prefix}CHUNKMS`, expected: `a known variable; did you mean ${prefix}CHUNK_MS?`, origin: 'environment' },
      { setting: 'frontDoorUrl', value: '"http://x"', expected: expect.stringMatching(/url/i), origin: 'flag --front-door-url' },
      { setting: 'gatewayId', expected: expect.stringContaining(`${prefix}GATEWAY_ID`), origin: 'given nowhere' },
    ]),
  );
  expect(error.problems).toHaveLength(6);
  for (const problem of error.problems) expect(error.message).toContain(problem.setting);
});

test('the value of a secret is in no message, wherever it came from', () => {
  const short = 'hunter2';
  const file = yaml(`gatewayId: g\ntoken: ${short}\n`);
  for (const sources of [
    { file },
    { env: { [`${prefix}TOKEN`]: short } },
    { flags: { token: short } },
    { env: { [`${prefix}TOKN`]: short } },
  ]) {
    expect(problemsOf(sources).message).not.toContain(short);
  }
  expect(problemsOf({ file: yaml(`gatewayId: g\ntoken: "${short}\n`) }).message).not.toContain(short); // the YAML is broken in its line
});

test('a password inside an address is in no message, even where the setting was not marked as secret', () => {
  const error = problemsOf({ flags: { gatewayId: 'g', frontDoorUrl: 'https://user:hunter2@127.0.0.1' } });
  expect(error.message).not.toContain('hunter2');
  expect(error.message).toContain('127.0.0.1');
});

test('a secret stays one under every further check, description and default', () => {
  const schema = z.strictObject({
    checked: secret(z.string()).min(3).describe('x'),
    optional: secret(z.string()).optional(),
    inside: z.string().default('y'),
    outside: secret(z.string().min(1).default('z')),
  });
  expect(describeSettings(schema, '').map((setting) => [setting.key, setting.secret])).toEqual([
    ['checked', true],
    ['optional', true],
    ['inside', false],
    ['outside', true],
  ]);
});

test('a secret is read from the file that <KEY>_FILE names, without the line break at its end', () => {
  const path = join(dir, 'token');
  writeFileSync(path, 'long-enough-secret\n');
  expect(read({ env: { [`${prefix}TOKEN_FILE`]: path, [`${prefix}GATEWAY_ID`]: 'g' } }).token).toBe('long-enough-secret');
  expect(read({ file: yaml(`gatewayId: g\ntokenFile: ${path}\n`) }).token).toBe('long-enough-secret');
});

test.each<[string, Partial<ConfigSources>, string]>([
  ['a secret file that is not there', { env: { [`${prefix}TOKEN_FILE`]: '/nowhere/token' } }, 'ENOENT'],
  ['an empty secret file', { env: { [`${prefix}TOKEN_FILE`]: yaml('\n') } }, 'empty'],
  ['a secret given twice', { env: { [`${prefix}TOKEN_FILE`]: yaml('x'), [`${prefix}TOKEN`]: 'long-enough' } }, 'not both'],
  ['a _FILE variable of a setting that is no secret', { env: { [`${prefix}GATEWAY_ID_FILE`]: '/x' } }, 'a known variable'],
  ['a file that is not there', { file: '/nowhere/edge.yaml' }, 'ENOENT'],
  ['a file that is no YAML', { file: yaml('a: [1\nb') }, 'line'],
  ['a file with a key twice', { file: yaml('chunkMs: 200\nchunkMs: 300\n') }, 'DUPLICATE_KEY'],
  ['a file that is a list', { file: yaml('- 1\n') }, 'mapping'],
  ['a number that is none', { env: { [`${prefix}CHUNK_MS`]: 'fast' } }, 'a number'],
  ['true for a number, which would be read as 1', { file: yaml('chunkMs: true\n') }, 'a number'],
  ['an id that YAML reads as a number', { file: yaml('gatewayId: 0123\n') }, 'in quotes'],
  ['a group that is no mapping', { file: yaml('limits: 4\n') }, 'a mapping of settings'],
  ['an unknown setting in a group', { file: yaml('limits:\n  maxConections: 4\n') }, 'did you mean limits.maxConnections?'],
  ['a wrong setting in a group', { env: { [`${prefix}LIMITS_MAX_CONNECTIONS`]: '0' } }, 'limits.maxConnections = 0'],
  ['an unknown flag', { flags: { verbose: true } }, 'a known setting'],
])('%s is refused in words', (_what, sources, words) => {
  expect(problemsOf(sources).message).toContain(words);
});

test('the words of the environment become what the schema asks for; an empty variable counts as not set', () => {
  const env = (name: string, value: string): Record<string, string> => ({ [`${prefix}GATEWAY_ID`]: 'g', [prefix + name]: value });
  expect(read({ env: env('DETECT', 'false') }).detect).toBe(false);
  expect(read({ env: env('DETECT', 'On') }).detect).toBe(true);
  expect(read({ env: env('HOSTS', 'a.example, b.example') }).hosts).toEqual(['a.example', 'b.example']);
  expect(read({ env: env('CHUNK_MS', '') }).chunkMs).toBe(250);
  expect(read({ file: yaml('gatewayId: g\nchunkMs:\n') }).chunkMs).toBe(250);
});

test('the configuration is frozen through and through', () => {
  const config = read({ flags: { gatewayId: 'g' } });
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.limits)).toBe(true);
});

test('the list of settings names key, variable, default, description and whether it is a secret', () => {
  const settings = describeSettings(EdgeConfig, prefix);
  expect(settings.map(({ key }) => key)).toEqual([
    'frontDoorUrl',
    'chunkMs',
    'gatewayId',
    'token',
    'detect',
    'hosts',
    'limits.maxConnections',
    'limits.perSecond',
  ]);
  expect(settings.find(({ key }) => key === 'chunkMs')).toEqual({
    key: 'chunkMs',
    env: `${prefix}CHUNK_MS`,
    default: 250,
    required: false,
    description: 'Length of a chunk',
    secret: false,
  });
  expect(settings.find(({ key }) => key === 'gatewayId')).toMatchObject({ required: true });
  expect(settings.find(({ key }) => key === 'token')).toMatchObject({ secret: true, required: false });
  expect(settings.find(({ key }) => key === 'limits.maxConnections')).toMatchObject({ env: `${prefix}LIMITS_MAX_CONNECTIONS`, default: 4 });
});

test('a printed configuration shows every setting in force and masks secrets', () => {
  const config = read({ flags: { gatewayId: 'g', token: 'long-enough-secret' } });
  const text = printConfig(EdgeConfig, config);
  expect(text).toContain('gatewayId: g');
  expect(text).toContain('maxConnections: 4');
  expect(text).toContain('token: "***"');
  expect(text).not.toContain('long-enough-secret');
});

test('what was expected is said once', () => {
  const error = problemsOf({ env: { [`${prefix}GATEWAY_ID`]: 'g', [`${prefix}CHUNK_MS`]: '99999' } });
  expect(error.message).not.toContain('expected expected');
  expect(error.message).toContain('chunkMs = 99999: expected ');
});
