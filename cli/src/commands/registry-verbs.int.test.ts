import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { createLog, type Identity, systemClock } from '@vitalwire/runtime';
import { createStorage, StorageConfig } from '@vitalwire/storage';
import { removeTempDir, TestPki, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

// The verbs against a real storage service, which answers the same paths that web passes on.
const token = 'the-token-of-this-test';
let dir: string;
let pki: TestPki;
let identity: Identity;
let storage: ReturnType<typeof createStorage>;

beforeAll(async () => {
  dir = tempDir();
  pki = await TestPki.create();
  identity = await pki.service('storage');
  const { certPath, keyPath, caPath } = identity;
  const config = StorageConfig.parse({ database: `sqlite:${dir}`, port: 0, token, certPath, keyPath, caPath });
  storage = createStorage(config, { log: createLog({ name: 'test', level: 'silent' }), clock: systemClock });
  await storage.start(new AbortController().signal);
  writeFileSync(path.join(dir, 'token'), token);
});

afterAll(async () => {
  await storage.stop();
  pki.remove();
  removeTempDir(dir);
});

test('patients and devices are registered, assigned and listed', async () => {
  expect((await vitalwire('patients')).out).toBe('No patient is registered yet.\n');
  expect((await vitalwire('devices')).out).toContain('No device is registered');
  expect((await vitalwire('patients', 'put', 'p01', '--label', 'Bed 4')).code).toBe(0);
  expect((await vitalwire('devices', 'put', 'eeg-7', '--kind', 'eeg', '--gateway', 'gateway-1')).code).toBe(0);
  const assigned = await vitalwire('patients', 'assign', 'p01', '--device', 'eeg-7', '--from', '2026-01-01T00:00Z');
  expect(assigned).toMatchObject({ code: 0, err: 'p01 wears eeg-7 from 2026-01-01 00:00:00.000Z on\n' });
  expect((await vitalwire('patients')).out).toMatch(/PATIENT +LABEL +WEARS NOW\np01 +Bed 4 +eeg-7\n/);
  expect((await vitalwire('devices')).out).toMatch(/eeg-7 +eeg +-- +gateway-1 +p01 +never/);
  const json = JSON.parse((await vitalwire('devices', 'list', '--json')).out);
  expect(json).toEqual({
    devices: [
      { device: 'eeg-7', registered: true, kind: 'eeg', label: null, gateway: 'gateway-1', patient: 'p01', lastMeasuredAtUs: null },
    ],
  });
});

test('a label from outside moves no cursor and sets no title, in tables and in JSON', async () => {
  const evil = '\u001b]0;own\u0007\u001b[2J\u009b31mBed\n4\u202e';
  await vitalwire('patients', 'put', 'p66', '--label', evil);
  await vitalwire('devices', 'put', 'eeg-66', '--kind', 'eeg', '--label', evil);
  for (const verb of ['patients', 'devices']) {
    const { out } = await vitalwire(verb);
    expect(out).toContain(']0;own[2J31mBed 4');
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  }
  const { out } = await vitalwire('patients', 'list', '--json');
  expect(out).not.toMatch(/[\u007f-\u009f\u202e]/);
  expect(JSON.parse(out)).toMatchObject({ patients: expect.arrayContaining([expect.objectContaining({ label: evil })]) });
});

test('a device is moved to another gateway, on record, and not in passing', async () => {
  await vitalwire('devices', 'put', 'eeg-8', '--kind', 'eeg', '--gateway', 'gateway-1');
  const passing = await vitalwire('devices', 'put', 'eeg-8', '--kind', 'eeg', '--gateway', 'gateway-2');
  expect(passing).toMatchObject({ code: 3, err: expect.stringContaining('device eeg-8 belongs to gateway gateway-1') });
  const moved = await vitalwire('devices', 'move', 'eeg-8', '--gateway', 'gateway-2', '--from', '2026-01-01T00:00Z', '--by', 'keeper-1');
  expect(moved).toMatchObject({
    code: 0,
    err: 'eeg-8 belongs to gateway-2 from 2026-01-01 00:00:00.000Z on; before that to gateway-1, says keeper-1\n',
  });
  expect((await vitalwire('devices')).out).toMatch(/eeg-8 +eeg +-- +gateway-2 +unassigned +never/);
});

test('the ledger of a patient says that nothing is recorded, and for how long', async () => {
  const answer = await vitalwire('ledger', '--patient', 'p01', '--from', '2026-01-02', '--to', '2026-01-03');
  expect(answer.code).toBe(0);
  expect(answer.out).toMatch(/eeg-7 +eeg +2026-01-02 00:00:00.000Z +2026-01-03 00:00:00.000Z +not recorded/);
  const json = JSON.parse((await vitalwire('ledger', '--patient', 'p01', '--from', '2026-01-02', '--to', '2026-01-03', '--json')).out);
  expect(json).toMatchObject({ recordings: [], totals: { missing: 0 } });
});

test.each([
  [['ledger'], 2, 'exactly one of'],
  [['ledger', '--patient', 'a', '--device', 'b'], 2, 'exactly one of'],
  [['ledger', '--patient', 'a b'], 2, 'not an id'],
  [['ledger', '--recording', 'x'], 2, 'not a recording id'],
  [['ledger', '--patient', 'p01', '--from', 'now', '--to', '-1h'], 2, 'before'],
  [['ledger', '--patient', 'p01', '--from', 'noon'], 2, 'Give a time'],
  [['ledger', '--patient', 'nobody'], 3, 'no patient nobody is registered'],
  [['patients', 'put', '-x'], 2, ''],
  [['patients', 'put', 'a/b'], 2, 'not a patient id'],
  [['patients', 'put', 'p01', '--label', 'x'.repeat(41)], 2, 'longer than 40'],
  [['patients', 'assign', 'p01'], 2, '--device'],
  [['patients', 'assign', 'p01', '--device', 'none'], 3, 'no device none is registered'],
  [['patients', 'assign', 'p01', '--device', 'eeg-7', '--from', 'now', '--to', '-1h'], 2, 'before'],
  [['devices', 'put', 'd', '--kind', 'toaster'], 2, 'Allowed choices'],
  [['devices', 'put', 'd'], 2, '--kind'],
  [['devices', 'move', 'd'], 2, '--gateway'],
  [['devices', 'move', 'd', '--gateway', 'a/b'], 2, 'not a gateway id'],
  [['devices', 'move', 'nobodys', '--gateway', 'gateway-1', '--by', 'k'], 3, 'no device nobodys is registered'],
])('%j ends with exit code %i and one clear sentence', async (argv, code, sentence) => {
  const answer = await vitalwire(...argv);
  expect(answer.code).toBe(code);
  expect(answer.err).toContain(sentence);
  expect(answer.err).not.toMatch(/\n\s+at /);
});

test.each(['ledger', 'patients', 'devices'])('%s --help shows an example', async (verb) => {
  expect((await vitalwire(verb, '--help')).out).toContain(`vitalwire ${verb}`);
});

async function vitalwire(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const out = new Text();
  const err = new Text();
  let code = 0;
  const io: Io = {
    env: {},
    stdout: out,
    stderr: err,
    isTerminal: false,
    clock: systemClock,
    signal: new AbortController().signal,
    exitCode: (given) => {
      code = given;
    },
  };
  const where = ['--url', String(storage.addresses()['storageUrl']), '--token-file', path.join(dir, 'token'), '--ca', identity.caPath];
  try {
    // The group verbs take the address after their subcommand.
    const words = argv.length === 1 && argv[0] !== 'ledger' ? [...argv, 'list'] : argv;
    await (await buildProgram(io, words)).parseAsync(argv.includes('--help') ? argv : [...words, ...where], { from: 'user' });
  } catch (error) {
    const isHelp = error instanceof Error && 'exitCode' in error;
    code = isHelp ? (error.exitCode === 0 ? 0 : 2) : exitCodeOf(error);
    if (!isHelp) err.write(sentenceOf(error));
  }
  return { code, out: out.text, err: err.text };
}

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
