import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Pki, systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { buildProgram } from 'vitalwire/program';
import { ownCommand } from 'vitalwire/stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ended, RunningCommand, run } from './command.ts';

const AT_ONCE = 2;
const root = tempDir('vw-borders-');
const nothing = join(root, 'nothing'); // no data directory
const ward = join(root, 'ward'); // of the stack that runs
const SECRET = 'hunter2hunter2';

describe('help', async () => {
  const commands = await allCommands();

  test('there are verbs to look at', () => {
    expect(commands.length).toBeGreaterThan(18);
  });

  test.each(commands)('%s says what it does and shows an example of itself', async (path, help) => {
    const [description = ''] = help.split('\n\n').slice(1);
    expect(description.trim(), 'a description').not.toBe('');
    const examples = [...help.slice(help.search(/^Examples?:$/m)).matchAll(/^ +(.*\bvitalwire .*)$/gm)].map((match) => match[1] ?? '');
    expect(
      examples.some((line) => line.includes(path)),
      `an example of '${path}' in:\n${help}`,
    ).toBe(true);
  });

  test.each(commands)('%s describes each of its options', (_path, _help, undescribed) => {
    expect(undescribed).toEqual([]);
  });
});

/** A command line that cannot work, the exit code it ends with, and what its sentence has to hold. */
type Wrong = { readonly verb: string[]; readonly code: number; readonly says: RegExp; readonly env?: Record<string, string> };

const wrongArguments: Wrong[] = [
  { verb: ['nonsense'], code: 2, says: /unknown command 'nonsense'/ },
  { verb: ['up', '--nonsense'], code: 2, says: /unknown option '--nonsense'\n\(see 'vitalwire up --help'\)/ },
  { verb: ['up', '--data', ''], code: 2, says: /--data is empty: name a directory/ },
  { verb: ['up', '--database', `mysql://u:${SECRET}@127.0.0.1:99999/x`], code: 2, says: /--database: give sqlite:DIR or mysql:/ },
  { verb: ['demo', '--patients', '-1'], code: 2, says: /whole number from 1 to 500/ },
  { verb: ['demo', '--for', 'NaN'], code: 2, says: /Give a duration/ },
  { verb: ['demo', '--patients', '8', 'more'], code: 2, says: /too many arguments/ },
  { verb: ['replay', 'synth', '--speed', '1e9'], code: 2, says: /0\.1 to 1000/ },
  { verb: ['service', 'nobody'], code: 2, says: /Allowed choices are storage/ },
  { verb: ['edge', 'token', '../../etc/passwd'], code: 2, says: /not a device id/ },
  { verb: ['patients', 'put', 'a\ufffdb', '--data', nothing], code: 2, says: /not a patient id/ },
  { verb: ['ledger', '--data', nothing], code: 2, says: /exactly one of --patient, --device and --recording/ },
  { verb: ['gateways', '--url', 'nonsense', '--token-file', 'x'], code: 2, says: /Give an address such as https:/ },
  { verb: ['gateways', '--url', 'https://127.0.0.1:1'], code: 2, says: /--url needs --token-file/ },
];

const nothingThere: Wrong[] = [
  { verb: ['watch', '--data', nothing], code: 3, says: /no stack is running here: .*nothing; start one with 'vitalwire up --data/ },
  { verb: ['verify', '--data', nothing], code: 3, says: /nothing to compare: .* holds no manifest; replay something first/ },
  { verb: ['edge', 'status', '--data', nothing], code: 3, says: /start it with 'vitalwire edge run'/ },
  {
    verb: ['up', '--data', '/proc/nowhere'],
    code: 3,
    says: /the data directory cannot be used: \/proc\/nowhere .*choose another with --data/,
  },
  {
    verb: ['up', '--data', '/dev/null/x'],
    code: 3,
    says: /the data directory cannot be used: \/dev\/null\/x .*choose another with --data/,
  },
  { verb: ['edge', 'install', '--write', join(nothing, 'x')], code: 3, says: /not found \(.*nothing\/x\): check the path/ },
];

describe('what cannot work', { timeout: 100_000 }, () => {
  test('wrong arguments, missing directories, bad configuration and certificates each end with one sentence and the right code', async () => {
    const list = [...wrongArguments, ...nothingThere, ...(await wrongServices())];
    const ended = await inTurns(list, ({ verb, env }) => run(verb, { env: env ?? {} }));
    for (const [index, { verb, code, says }] of list.entries()) expectSentence(verb, ended[index] as Ended, code, says);
  });
});

describe('around a running stack', { timeout: 100_000 }, () => {
  let up: RunningCommand;
  let web: string;

  beforeAll(async () => {
    up = new RunningCommand(['up', '--data', ward, '--json']);
    await until(() => up.events.some(({ type }) => type === 'ready'), { timeoutMs: 60_000, everyMs: 100, what: `ready: ${up.stderr}` });
    web = (JSON.parse(readFileSync(join(ward, 'stack.json'), 'utf8')) as { urls: { web: string } }).urls.web;
  }, 70_000);
  afterAll(async () => {
    up.kill();
    await up.ended;
  });

  test('wrong tokens, authorities, ids and a taken directory each end with one sentence and the right code', async () => {
    const token = join(ward, 'secrets', 'web.token');
    const ca = join(ward, 'pki', 'ca.pem');
    const others = (await Pki.open(join(root, 'other-pki'))).caPath;
    const wrongToken = file('wrong.token', `${SECRET}\n`);
    const at = ['--url', web, '--token-file', token];
    const list: Wrong[] = [
      { verb: ['up', '--data', ward], code: 3, says: /ward belongs to the stack of process \d+; stop that one, or choose another/ },
      {
        verb: ['gateways', '--url', web, '--token-file', wrongToken, '--ca', ca],
        code: 3,
        says: /does not know this token: .*--token-file/,
      },
      {
        verb: ['gateways', '--url', web, '--token-file', file('binary', '\u0000\u0001'), '--ca', ca],
        code: 3,
        says: /binary holds no token/,
      },
      { verb: ['gateways', '--url', web, '--token-file', join(root, 'none'), '--ca', ca], code: 3, says: /none cannot be read/ },
      { verb: ['gateways', ...at, '--ca', others], code: 3, says: /the certificate of https:.* is not trusted .*--ca/ },
      { verb: ['gateways', ...at, '--ca', token], code: 3, says: /web\.token holds no certificate/ },
      {
        verb: ['gateways', '--url', 'https://127.0.0.1:1', '--token-file', token, '--ca', ca],
        code: 3,
        says: /nothing usable answers at https:\/\/127\.0\.0\.1:1/,
      },
      {
        verb: ['ledger', '--patient', 'nobody', '--data', ward],
        code: 3,
        says: /no patient nobody is registered: 'vitalwire patients put nobody'/,
      },
      {
        verb: ['verify', '--data', ward, '--manifest', file('manifest.json', '{"manifest":')],
        code: 3,
        says: /is not the manifest of a replay/,
      },
    ];
    const ended = await inTurns(list, ({ verb }) => run(verb));
    for (const [index, { verb, code, says }] of list.entries()) expectSentence(verb, ended[index] as Ended, code, says);
  });

  test('a reader that goes away ends what only shows something, without a word', async () => {
    const verbs = [['gateways', '--watch', '--data', ward], ['watch', '--plain', '--data', ward], ['settings']];
    for (const [index, ended] of (await inTurns(verbs, firstLineOnly)).entries())
      expect(ended, verbs[index]?.join(' ')).toEqual({ code: 0, signal: null, stderr: '' });
  });

  test('a damaged stack.json is named, and what runs goes on', async () => {
    const path = join(ward, 'stack.json');
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, whole.slice(0, 40));
    const verb = ['status', '--data', ward];
    const ended = await run(verb);
    writeFileSync(path, whole);
    expectSentence(verb, ended, 3, /stack\.json is damaged or of another release; .*'vitalwire up --data/);
    expect((await run(verb)).stdout).toMatch(/^Vitalwire .*\n {2}storage +ready/);
  });

  test('Ctrl-C while a replay runs ends its captures, and then the stack in order: exit code 0 both times', async () => {
    const replay = new RunningCommand(['replay', 'synth', '--patients', '1', '--data', ward, '--json']);
    await until(() => replay.events.some(({ type }) => type === 'progress'), { timeoutMs: 30_000, everyMs: 50, what: 'the replay sends' });
    const ended = await replay.interrupt();
    expect(ended.code, ended.stderr).toBe(0);
    expect(replay.events.at(-1)).toMatchObject({ type: 'end', unfinished: [] });
    const stopped = await up.interrupt();
    expect({ code: stopped.code, stderr: stopped.stderr }).toEqual({ code: 0, stderr: '' });
    expect(up.events.at(-1)?.['type']).toBe('stopped');
  });
});

test('Ctrl-C while the stack is starting stops what has begun and is no failure', { timeout: 60_000 }, async () => {
  const up = new RunningCommand(['up', '--data', join(root, 'early'), '--json']);
  await until(() => up.events.some(({ name, state }) => name === 'ingest' && state === 'starting'), { timeoutMs: 40_000, what: up.stderr });
  const ended = await up.interrupt();
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  const left = up.events.map(({ pid }) => pid).filter((pid) => typeof pid === 'number' && isAlive(pid));
  expect(left).toEqual([]);
});

/** Every command of the program with its help, subcommands too: a new verb is looked at without a line here. */
async function allCommands(): Promise<[path: string, help: string, undescribed: string[]][]> {
  let written = '';
  const stdout = new Writable({
    write: (bytes: Buffer, _encoding, done) => {
      written += bytes.toString();
      done();
    },
  });
  const io = {
    env: {},
    stdout,
    stderr: stdout,
    isTerminal: false,
    clock: systemClock,
    signal: new AbortController().signal,
    exitCode: () => {},
  };
  const program = await buildProgram(io, ['--help']);
  type Command = typeof program;
  const found: [string, string, string[]][] = [];
  const visit = (command: Command, path: string): void => {
    written = '';
    command.outputHelp();
    found.push([path, written, command.options.filter(({ description }) => description === '').map(({ flags }) => flags)]);
    for (const child of command.commands) if (child.name() !== 'help') visit(child, `${path} ${child.name()}`);
  };
  visit(program, 'vitalwire');
  return found;
}

/** One clear sentence for a person, the documented exit code, and neither a stack nor a secret. */
function expectSentence(verb: readonly string[], { code, signal, stderr, stdout }: Ended, wanted: number, says: RegExp): void {
  const what = `vitalwire ${verb.join(' ')}\n${stderr}`;
  expect({ code, signal }, what).toEqual({ code: wanted, signal: null });
  expect(stderr, what).toMatch(says);
  expect(stderr, what).toMatch(/^(error|vitalwire): \S/m);
  expect(stderr, what).not.toMatch(/^\s+at |\bbug of ours\b|\[object|undefined|expected expected/m);
  expect(stderr + stdout, what).not.toContain(SECRET);
}

/** `vitalwire service …` with a setting, a file or a port that cannot work. */
async function wrongServices(): Promise<Wrong[]> {
  const pki = await Pki.open(join(root, 'pki'));
  const own = await pki.issue('ingest', { kind: 'service' });
  const other = await pki.issue('web', { kind: 'service' });
  const database = join(root, 'database');
  mkdirSync(database);
  mkdirSync(join(root, 'damaged'));
  writeFileSync(join(root, 'damaged', 'readings.sqlite'), Buffer.alloc(9_000, 7));
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  afterAll(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const settings = (service: string, changed: Record<string, string>): Record<string, string> => {
    const given: Record<string, string> = {
      CERT_PATH: own.certPath,
      KEY_PATH: own.keyPath,
      CA_PATH: own.caPath,
      PORT: '0',
      DATABASE: `sqlite:${database}`,
      ...(service === 'storage' ? { TOKEN: SECRET.repeat(2) } : {}),
      ...changed,
    };
    return Object.fromEntries(Object.entries(given).map(([key, value]) => [`VITALWIRE_${service.toUpperCase()}_${key}`, value]));
  };
  const ingest = (changed: Record<string, string>, code: number, says: RegExp, ...more: string[]): Wrong => ({
    verb: ['service', 'ingest', ...more],
    code,
    says,
    env: settings('ingest', changed),
  });
  const storage = (changed: Record<string, string>, code: number, says: RegExp): Wrong => ({
    verb: ['service', 'storage'],
    code,
    says,
    env: settings('storage', changed),
  });
  return [
    ingest({ PORT: port }, 3, new RegExp(`port is already in use: 127.0.0.1:${port}; stop the other program or choose another port`)),
    storage({ PORT: port }, 3, new RegExp(`port is already in use: 127.0.0.1:${port}; stop the other program`)),
    ingest({ PORT: '99999' }, 2, /port = 99999: expected .*65535 \(from: environment VITALWIRE_INGEST_PORT\)/),
    ingest({ PROT: '1' }, 2, /VITALWIRE_INGEST_PROT: expected a known variable; did you mean VITALWIRE_INGEST_PORT\?/),
    ingest({ DATABASE: `postgres://u:${SECRET}@h/d` }, 2, /the database setting is not sqlite:DIR or mysql:/),
    ingest({ CERT_PATH: join(root, 'none.pem') }, 3, /certificate or key cannot be used: .*none\.pem \(ENOENT\); check the path/),
    ingest({ CERT_PATH: file('bad.pem', 'nonsense') }, 3, /bad\.pem \(not what a PEM file should hold\)/),
    ingest({ CERT_PATH: other.certPath }, 3, /web\.pem does not belong to .*ingest-key\.pem/),
    ingest({}, 2, /expected a readable YAML file \(BAD_INDENT at line 2/, '--config', file('bad.yaml', '- : {\n')),
    ingest({}, 2, /expected a readable YAML file \(ENOENT\)/, '--config', join(root, 'none.yaml')),
    ingest({}, 2, /chunkMs: expected a known setting/, '--config', file('other.yaml', 'chunkMs: 5\n')),
    storage({ TOKEN: 'short' }, 2, /token: expected string to have >=16 characters/),
    storage({ DATABASE: `sqlite:${join(root, 'damaged')}` }, 3, /the database file is damaged: .*readings\.sqlite .*restore a backup/),
    { verb: ['edge', 'run'], code: 2, says: /certPath: expected a value: set VITALWIRE_EDGE_CERT_PATH/ },
  ];
}

/** Starts a verb, reads the beginning of what it prints and closes the pipe, as `| head -1` does. */
async function firstLineOnly(verb: readonly string[]): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const { command, args } = ownCommand(...verb);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const patience = setTimeout(() => child.kill('SIGKILL'), 25_000);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.once('exit', (...end) => resolve(end)));
  clearTimeout(patience);
  return { code, signal, stderr };
}

/** Does the work for every item, a few at a time: all at once would only make each of them late. */
async function inTurns<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const left = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

function file(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

afterAll(() => removeTempDir(root));
