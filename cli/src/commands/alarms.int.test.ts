import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

let dir: string;
let world: ScreenWorld;

beforeAll(async () => {
  dir = tempDir();
  world = await ScreenWorld.start({ storageTimeoutMs: 1_000 });
  world.addPatient('p1', 'Bed 1', ['eeg-1', 'hr-1']);
  await world.ready();
  writeFileSync(path.join(dir, 'token'), world.token);
});

afterAll(async () => {
  await world.stop();
  removeTempDir(dir);
});

test('alarms are listed worst first, acknowledged one by one or all of a patient, and who did it is shown', async () => {
  expect(await vitalwire('alarms', 'list')).toMatchObject({ code: 0, out: 'No alarm.\n' });
  const heart = await world.alarms.raise('hr-1', 'heart-rate-high', { value: 134, limit: 120, text: 'above 120 for 6 s' });
  const seizure = await world.alarms.raise('eeg-1', 'seizure', { text: 'seizure pattern', replay: { speed: 1, source: 'Bonn' } });
  const seen = await until(async () => {
    const answer = await vitalwire('alarms', 'list');
    return answer.out.includes(seizure) && answer.out.includes(heart) ? answer : null;
  });
  expect(seen.out).toMatch(
    /^ALARM +WHAT +PRIORITY +STATE +PATIENT +DEVICE +SINCE +TEXT\n\w{16} +\*\*\* seizure +high +active +p1 +eeg-1 +.*REPLAY seizure pattern\n/,
  );
  expect(seen.out).toMatch(/\*\* heart-rate-high +medium +active +p1 +hr-1/);

  expect(await vitalwire('alarms', 'ack', seizure, '--by', 'nurse-7')).toMatchObject({
    code: 0,
    err: `${seizure} acknowledged by nurse-7\n`,
  });
  await until(async () => /seizure +high +acknowledged by nurse-7 at \d\d:\d\d:\d\dZ/.test((await vitalwire('alarms', 'list')).out));
  expect(await vitalwire('alarms', 'ack', '--all-of', 'p1', '--by', 'nurse-8')).toMatchObject({
    code: 0,
    err: `${heart} acknowledged by nurse-8\n`,
  });
  await until(async () => (await vitalwire('alarms', 'ack', '--all-of', 'p1')).err.includes('no alarm that asks'));
  const json = JSON.parse((await vitalwire('alarms', 'list', '--json')).out);
  expect(json).toMatchObject({
    path: 'ok',
    alarms: [
      { alarmId: seizure, acknowledgedBy: 'nurse-7' },
      { alarmId: heart, acknowledgedBy: 'nurse-8' },
    ],
  });
  expect(await vitalwire('alarms', 'ack', 'f'.repeat(16))).toMatchObject({
    code: 3,
    err: expect.stringMatching(/no alarm f{16} is open: it may have ended/),
  });
});

test('a pause of a patient is one of every device worn, by the VITALWIRE_USER unless --by says else, and ends with resume', async () => {
  const paused = await vitalwire('alarms', 'pause', 'p1', '--seconds', '60');
  expect(paused).toMatchObject({
    code: 0,
    err: expect.stringMatching(/^eeg-1: sound off for 60 s by user-of-test; a higher priority still sounds\nhr-1: /),
  });
  await until(async () =>
    /eeg-1: sound off for (5\d|60) s more, by user-of-test; what is above high still sounds/.test((await vitalwire('alarms', 'list')).out),
  );
  expect((await vitalwire('alarms', 'resume', 'hr-1', '--by', 'n')).err).toBe('hr-1: sound on again, by n\n');
  await vitalwire('alarms', 'resume', 'p1');
  await until(async () => !(await vitalwire('alarms', 'list')).out.includes('sound off'));
});

test('limits are shown, changed one at a time, and their history names who, when, old and new', async () => {
  expect((await vitalwire('alarms', 'limits')).out).toContain(
    'Nobody has limits of their own; the usual ones: heart rate low 50, high 120, extreme 20 beyond; oxygen saturation low 90, extreme 10 beyond.',
  );
  expect((await vitalwire('alarms', 'limits', 'p1')).out).toMatch(/p1 +heart-rate +50 +120 +20 +the default +--\n *p1 +spo2 +90 +none +10/);
  expect((await vitalwire('alarms', 'limits', 'p1', '--high', '130', '--by', 'doctor-2')).out).toMatch(
    /p1 +heart-rate +50 +130 +20 +doctor-2 +\d{4}-/,
  );
  const { out, err } = await vitalwire('alarms', 'limits', 'p1', '--low', 'none', '--by', 'doctor-3');
  expect(err).toBe('');
  expect(out).toMatch(
    /\n\d{4}-\d\d-\d\d [\d:.]+Z +p1 +heart-rate +doctor-3 +50 130 20 +none 130 20\n\d{4}-.* p1 +heart-rate +doctor-2 +the default +50 130 20\n$/,
  );
  const spo2 = (await vitalwire('alarms', 'limits', 'p1', '--vital', 'spo2', '--low', '86', '--by', 'doctor-4')).out;
  expect(spo2).toMatch(/p1 +spo2 +86 +none +10 +doctor-4/);
  expect(spo2).not.toContain('heart-rate'); // only what was asked for
});

test('the log is one line per transition, with who asked and what was merged', async () => {
  expect((await vitalwire('alarms', 'log')).out).toBe('No alarm is stored there.\n');
  world.alarmLog = [
    {
      logId: '01900000-0000-7000-8000-0123456789ab',
      seq: 1,
      sender: 'gateway-1',
      device: 'eeg-1',
      alarmId: 'a'.repeat(16),
      condition: 'seizure',
      priority: 'high',
      state: 'acknowledged',
      transition: 'merged',
      atUs: Date.UTC(2026, 10, 28) * 1000,
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: 'nurse-7',
      mergedInto: 'b'.repeat(16),
      replay: null,
      text: 'x',
    },
  ];
  expect((await vitalwire('alarms', 'log', '--patient', 'p1', '--from', '2026-11-27')).out).toMatch(
    /\n2026-11-28 00:00:00.000Z +eeg-1 +a{16} seizure high +merged +acknowledged +nurse-7 +gateway-1 +merged into b{16} x\n$/,
  );
  expect(world.alarmLogQueries.at(-1)).toMatchObject({ patient: 'p1', open: 'false' });
  expect(JSON.parse((await vitalwire('alarms', 'log', '--open', '--json')).out)).toMatchObject({ seq: 1, mergedInto: 'b'.repeat(16) });
  expect(world.alarmLogQueries.at(-1)).toMatchObject({ open: 'true' });
});

test('--watch prints a line per transition until it is stopped', async () => {
  const stop = new AbortController();
  const out = new Text();
  const watching = vitalwireInto(out, stop.signal, 'alarms', 'list', '--watch');
  await until(() => out.text.includes('alarms: watched'), 5_000);
  const id = await world.alarms.raise('eeg-1', 'lead-off', { text: 'Fp1 is off' });
  await until(() => /Bed 1 \[p1\]: !! LEAD OFF raised, active, Fp1 is off/.test(out.text), 5_000);
  await world.alarms.say(id, 'ended', { state: 'ended' });
  await until(() => /!! LEAD OFF ended, Fp1 is off/.test(out.text), 5_000);
  expect(out.text).not.toMatch(/no data/); // nothing but alarms
  stop.abort();
  expect((await watching).code).toBe(0);
});

test.each([
  [['alarms', 'ack'], 2, "give an alarm's id, or --all-of"],
  [['alarms', 'ack', 'a'.repeat(16), '--all-of', 'p1'], 2, "give an alarm's id, or --all-of"],
  [['alarms', 'ack', 'nonsense'], 2, "is not an alarm's id"],
  [['alarms', 'ack', 'a'.repeat(16), '--by', 'Nurse Ann'], 2, 'is not an id'],
  [['alarms', 'ack', '--all-of', 'nobody'], 2, 'no patient nobody is known'],
  [['alarms', 'pause'], 2, 'missing required argument'],
  [['alarms', 'pause', 'p1', '--seconds', '121'], 2, 'from 1 to 120'],
  [['alarms', 'pause', 'p1', '--seconds', '0'], 2, 'from 1 to 120'],
  [['alarms', 'pause', 'a/b'], 2, 'is not a patient or device id'],
  [['alarms', 'resume', 'nobody'], 2, 'neither a patient nor a device'],
  [['alarms', 'limits', '--high', '130'], 2, 'say whose limits'],
  [['alarms', 'limits', 'p1', '--high', 'tall'], 2, 'Give a number, or none.'],
  [['alarms', 'limits', 'p1', '--high', '400'], 2, 'heart rate: --high must be from 40 to 300 /min, or none'],
  [['alarms', 'limits', 'p1', '--vital', 'spo2', '--high', '120'], 2, 'oxygen saturation: --high must be from 80 to 100 %, or none'],
  [['alarms', 'limits', 'p1', '--vital', 'mood', '--high', '120'], 2, 'Give one of heart-rate, spo2,'],
  [['alarms', 'limits', 'p1', '--low', '150'], 2, 'low (150) must be below high (130)'],
  [['alarms', 'log', '--patient', 'a', '--device', 'b'], 2, 'not both'],
  [['alarms', 'log', '--device', 'a b'], 2, 'is not an id'],
  [['alarms', 'log', '--from', 'now', '--to', '-1h'], 2, '--from must be before --to'],
  [['alarms', 'log', '--from', 'noon'], 2, 'Give a time'],
])('%j ends with exit code %i and one clear sentence', async (argv, code, sentence) => {
  const answer = await vitalwire(...argv);
  expect(answer.err).toContain(sentence);
  expect(answer.code).toBe(code);
  expect(answer.err).not.toMatch(/\n\s+at /);
});

test('without the alarms service an acknowledgement says so, and the list says that alarms are not watched', async () => {
  await world.alarms.stopHttp();
  expect(await vitalwire('alarms', 'ack', 'a'.repeat(16))).toMatchObject({
    code: 3,
    err: expect.stringContaining('the alarms service did not answer'),
  });
  world.alarms.stopBeating();
  const answer = await until(
    async () => {
      const now = await vitalwire('alarms', 'list');
      return now.code === 1 ? now : null;
    },
    { timeoutMs: 15_000, everyMs: 500 },
  );
  expect(answer.out).toContain('!!! ALARMS NOT WATCHED (alarm path: down)');
  expect(answer.out).toMatch(/!!! alarm-path +high +active/);
}, 30_000);

function vitalwire(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return vitalwireInto(new Text(), new AbortController().signal, ...argv);
}

async function vitalwireInto(out: Text, signal: AbortSignal, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const err = new Text();
  let code = 0;
  const io: Io = {
    env: { VITALWIRE_USER: 'user-of-test' },
    stdout: out,
    stderr: err,
    isTerminal: false,
    clock: systemClock,
    signal,
    exitCode: (given) => {
      code = given;
    },
  };
  const where = ['--url', world.url, '--token-file', path.join(dir, 'token'), '--ca', world.caPath];
  try {
    await (await buildProgram(io, argv)).parseAsync([...argv, ...where], { from: 'user' });
  } catch (error) {
    const isUsage = error instanceof Error && 'exitCode' in error;
    code = isUsage ? (error.exitCode === 0 ? 0 : 2) : exitCodeOf(error);
    if (!isUsage) err.write(sentenceOf(error));
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
