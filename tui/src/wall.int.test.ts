import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { Client } from '@vitalwire/client';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runWall, takeSnapshot } from './index.ts';

let servers = 0; // a server of its own for every test: one that is going away takes no new session
const node = process.execPath;
let world: ScreenWorld;
let dir: string;
let sending: NodeJS.Timeout;

beforeAll(async () => {
  dir = tempDir('vw-wall-');
  world = await ScreenWorld.start();
  for (let bed = 1; bed <= 4; bed++) world.addPatient(`p${bed}`, `Bed ${bed}`, [`eeg-${bed}`, `hr-${bed}`]);
  await world.ready();
  const gateway = await world.gateway();
  const devices = [1, 2, 3].map((bed) => gateway.device(`eeg-${bed}`, { replay: { speed: 1, source: 'Bonn' }, channels: 23 }));
  const watches = [1, 2, 3].map((bed) => gateway.device(`hr-${bed}`));
  for (const device of devices) await device.announce();
  const old = gateway.device('eeg-4'); // what comes of it was measured 20 s ago
  let count = 0;
  sending = setInterval(() => {
    for (const [index, device] of devices.entries()) {
      void device
        .sendEeg(
          Array.from({ length: 44 }, (_, sample) => 90 * Math.sin((count * 44 + sample) / 9) + 20 * Math.sin((count * 44 + sample) * 1.7)),
        )
        .catch(() => {});
      if (count % 4 === 0)
        void device.sendDetection(count / 4, index === 1 ? 'seizure' : 'quiet', index === 1 ? 0.97 : 0.03).catch(() => {});
    }
    if (count % 4 === 0) {
      void old.sendEeg([1, 2, 3], { agoMs: 20_000 }).catch(() => {});
      void old.sendDetection(count / 4, 'quiet', 0.03, { agoMs: 20_000 }).catch(() => {});
    }
    if (count % 8 === 0) for (const watch of watches) void watch.sendHeartRate(72).catch(() => {});
    count += 1;
  }, 253);
  // A program as a person starts it: signals stop it cleanly, and on request it crashes.
  writeFileSync(
    join(dir, 'watch.mjs'),
    `import { Client } from ${JSON.stringify(fileURLToPath(import.meta.resolve('@vitalwire/client')))};
import { runWall } from ${JSON.stringify(fileURLToPath(new URL('./index.ts', import.meta.url)))};
const client = await Client.connect(${JSON.stringify({ url: world.url, token: world.token, caPath: world.caPath })});
const abort = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => abort.abort());
process.on('SIGUSR2', () => { throw new Error('crashed on purpose'); });
await runWall({ client, env: process.env, signal: abort.signal, by: 'nurse-9' });
await client.close();
`,
  );
});

afterAll(async () => {
  clearInterval(sending);
  await world.stop();
  removeTempDir(dir);
});

afterEach(() => {
  try {
    tmux('kill-server');
  } catch {
    // it was not started
  }
  servers += 1;
});

function tmux(...args: string[]): string {
  return execFileSync('tmux', ['-L', `vw-wall-${process.pid}-${servers}`, '-f', '/dev/null', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function screen(...options: string[]): string {
  return tmux('capture-pane', '-p', ...options);
}

function open(width: number, height: number, env = ''): void {
  const command = `echo before; unset NO_COLOR COLORTERM; export TERM=tmux-256color; env LANG=C.UTF-8 ${env} ${node} --conditions=source ${join(dir, 'watch.mjs')}; echo "exit=$?"; stty -a | tr ' ;' '\\n\\n' | grep -E '^-?(icanon|echo)$' | tr '\\n' ' '; sleep 60`;
  tmux('new-session', '-d', '-x', String(width), '-y', String(height), command);
}

async function seen(pattern: RegExp, timeoutMs = 15_000): Promise<string> {
  let last = '';
  return until(
    () => {
      last = screen();
      return pattern.test(last) ? last : null;
    },
    { timeoutMs, everyMs: 100, what: `${pattern} on the screen` },
  ).catch((cause: unknown) => {
    throw new Error(`the screen was:\n${last}`, { cause });
  });
}

// The node process of the wall.
function wallPid(): number {
  const shell = tmux('list-panes', '-F', '#{pane_pid}').trim();
  return Number(execFileSync('pgrep', ['-P', shell], { encoding: 'utf8' }).trim().split('\n')[0]);
}

// The terminal is given back: the main screen with what stood there, a cursor, and a shell that echoes.
async function expectGivenBack(exit: RegExp): Promise<string> {
  const after = await seen(/icanon echo|echo icanon/);
  expect(after).toMatch(/^before/);
  expect(after).toMatch(exit);
  expect(after).not.toContain('VITALWIRE');
  expect(tmux('display-message', '-p', '#{cursor_flag} #{alternate_on} #{mouse_any_flag}').trim()).toBe('1 0 0');
  return after;
}

test('in a real terminal: patients led by their state, a trace that moves, a ticking clock, keys, and a clean end', async () => {
  open(100, 30);
  const first = await seen(/▲ seizure pattern +97 % +Bed 2[\s\S]*[\u2801-\u28ff]{3}/);
  expect(first).toMatch(/^ VITALWIRE {2}4 patients · 1 seizure pattern .*● live {3}\d\d:\d\d:\d\d/);
  expect(first).toMatch(/● quiet +3 % +Bed 1 +(<1|1) s +72 +(<1|[123]) s {2}REPLAY/);
  await seen(/±\d+ uV, negative up/); // counts, until the scale is known
  expect(first).toContain('Research and education software. Not a medical device.');
  expect(first.split('\n').findIndex((line) => line.includes('Bed 2'))).toBe(3); // first row: the seizure pattern
  const clock = (text: string) => /\d\d:\d\d:\d\d/.exec(text)?.[0];
  await until(() => clock(screen()) !== clock(first), 3_000);
  await until(() => screen() !== first, 3_000);

  tmux('send-keys', 'g');
  await seen(/▸ +▲ seizure pattern .*Bed 2/);
  tmux('send-keys', 'j');
  await seen(/▸ +● quiet .*Bed 1/);
  await seen(/─ Bed 1 · EEG 1 \(1\/23\)/);
  tmux('send-keys', 'l');
  await seen(/─ Bed 1 · EEG 2 \(2\/23\)/);
  tmux('send-keys', 'Enter');
  const detail = await seen(/seizure probability, latest/);
  expect(detail).not.toContain('Bed 2');
  expect(detail).toMatch(/heart rate, \/min/);
  tmux('send-keys', '?');
  await seen(/select a patient[\s\S]*Alarms may be late, false or missing/);
  tmux('send-keys', 'x');
  await seen(/─ Bed 1 · EEG 2 \(2\/23\)/);
  expect(screen()).not.toMatch(/[│┌┐└┘]/);
  tmux('send-keys', 'Escape');
  await seen(/Bed 2/);
  tmux('send-keys', 'q');
  await expectGivenBack(/exit=0/);
});

test.each([
  ['SIGTERM', /exit=0/],
  ['SIGHUP', /exit=0/],
  ['SIGINT', /exit=0/],
  ['SIGUSR2', /crashed on purpose[\s\S]*exit=1/],
] as const)('after %s the terminal is as it was', async (signal, exit) => {
  open(90, 28);
  await seen(/Bed 1/);
  process.kill(wallPid(), signal);
  await expectGivenBack(exit);
});

test('NO_COLOR means no colour at all; words, symbols and inverse carry the meaning', async () => {
  open(100, 30, 'NO_COLOR=1');
  await seen(/seizure pattern +97 %/);
  const escaped = screen('-e');
  const colours = [...escaped.replaceAll('\u001b', '<esc>').matchAll(/<esc>\[([\d;:]*)m/g)]
    .flatMap(([, codes]) => (codes ?? '').split(';'))
    .filter((code) => /^(3[0-8]|4[0-8]|9[0-7]|10[0-7])$/.test(code) && code !== '39' && code !== '49');
  expect(colours.filter((code) => code !== '37')).toEqual([]);
  expect(escaped.replaceAll('\u001b', '<esc>')).toMatch(/<esc>\[[\d;]*7[\d;]*m▲ seizure pattern/);
});

// The row of a bed with its colours as tmux was told them.
function escapedRow(name: string): string {
  const row = screen('-e')
    .split('\n')
    .find((line) => line.includes(name));
  return (row ?? '').replaceAll('\u001b', '<esc>');
}

test.each([
  ['tmux-256color', /<esc>\[38;5;245m/],
  ['xterm-kitty', /<esc>\[38;5;245m/],
  ['foot', /<esc>\[38;5;245m/],
  ['alacritty', /<esc>\[38;5;245m/],
  ['xterm', null],
  ['screen', null],
  ['never-heard-of', null],
] as const)(
  'under TERM=%s an old state is legible and says its age, and nothing is ever drawn black on black',
  async (term, grey) => {
    open(100, 30, `TERM=${term}`);
    await seen(/\[● quiet\] \d\d? s +\[3\]/);
    const row = escapedRow('Bed 4');
    if (grey !== null) expect(row).toMatch(grey);
    let isBlack = false;
    let hasGround = false;
    for (const [, codes] of screen('-e')
      .replaceAll('\u001b', '<esc>')
      .matchAll(/<esc>\[([\d;]*)m/g)) {
      for (const code of (codes ?? '').split(/;(?!5;|\d+(?:;|$))/)) {
        if (code === '' || code === '0') [isBlack, hasGround] = [false, false];
        else if (/^(30|90|38;5;(0|8|16|23[2-9]))$/.test(code)) isBlack = true;
        else if (/^(3\d|9\d|38;5;\d+)$/.test(code)) isBlack = false;
        else if (/^(4[1-8]|10\d)/.test(code)) hasGround = true;
        else if (code === '49') hasGround = false;
      }
      expect(isBlack && !hasGround, codes).toBe(false);
    }
  },
  30_000,
);

test('a storm of sizes leaves nothing behind, and the label is always on the screen', async () => {
  open(100, 30);
  await seen(/Bed 1/);
  for (let step = 0; step < 30; step++) tmux('resize-window', '-x', String(60 + ((step * 37) % 100)), '-y', String(14 + ((step * 7) % 30)));
  for (const [width, height] of [
    [80, 24],
    [160, 44],
    [60, 16],
  ] as const) {
    tmux('resize-window', '-x', String(width), '-y', String(height));
    await new Promise((resolve) => setTimeout(resolve, 900));
    const lines = screen().split('\n');
    expect(lines.filter((line) => line.includes('VITALWIRE'))).toHaveLength(1);
    expect(lines[height - 1]).toContain('Research and education software.');
    expect(lines.filter((line) => line.includes('Bed 3')).length).toBe(1); // not the one whose strip is shown
  }
});

/** A terminal that counts what it is sent and can stop taking it. */
class CountingTerminal extends PassThrough {
  readonly isTTY = true;
  readonly columns = 190;
  readonly rows = 50;
  bytes = 0;
  writes = 0;
  isStuck = false;
  bells = 0;

  override write(text: string | Uint8Array): boolean {
    if (text === '\u0007') this.bells += 1;
    this.bytes += text.length;
    this.writes += 1;
    return !this.isStuck;
  }

  setRawMode(): this {
    return this;
  }
}

test('23 channels cost at most 20 KB/s and 15 frames/s, and a terminal that is stuck gets nothing until it takes again', async () => {
  const client = await Client.connect({ url: world.url, token: world.token, caPath: world.caPath });
  const output = new CountingTerminal();
  const abort = new AbortController();
  const terminal = { input: new CountingTerminal() as unknown as ReadStream, output: output as unknown as WriteStream };
  const wall = runWall({
    client,
    env: { TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    signal: abort.signal,
    by: 'nurse-1',
    terminal,
    unicode: true,
  });
  try {
    await until(() => output.bytes > 4_000, 10_000);
    const seconds = 4;
    output.bytes = 0;
    output.writes = 0;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    expect(output.bytes / seconds).toBeLessThan(20_000);
    expect(output.bytes).toBeGreaterThan(500);
    expect(output.writes / seconds).toBeLessThan(15);

    output.isStuck = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stuckAt = output.writes;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(output.writes).toBe(stuckAt);
    output.isStuck = false;
    output.emit('drain');
    await until(() => output.writes > stuckAt, 3_000);
  } finally {
    abort.abort();
    await wall;
    await client.close();
  }
});

test('alarms on the wall: they lead, the bell sounds for a new high one, keys acknowledge and pause, and who did it is shown', async () => {
  const client = await Client.connect({ url: world.url, token: world.token, caPath: world.caPath });
  const output = new CountingTerminal();
  const abort = new AbortController();
  const terminal = { input: new CountingTerminal() as unknown as ReadStream, output: output as unknown as WriteStream };
  const wall = runWall({
    client,
    env: { TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    signal: abort.signal,
    by: 'nurse-1',
    terminal,
    unicode: true,
  });
  const ended: string[] = [];
  try {
    await until(() => output.bytes > 4_000, 10_000);
    open(100, 30);
    await seen(/BELL ON +● live/);
    expect(output.bells).toBe(0);
    const id = await world.alarms.raise('eeg-3', 'seizure', {
      text: 'seizure pattern in 3 of 5 windows',
      replay: { speed: 1, source: 'Bonn' },
    });
    await until(() => output.bells === 3, 5_000); // high
    const heart = await world.alarms.raise('hr-1', 'heart-rate-high', { value: 134, limit: 120, text: 'above for 6 s' });
    ended.push(id, heart);
    await until(() => output.bells === 3 + 2, 5_000); // and medium, in its own pattern
    const first = await seen(/\*\*\* SEIZURE +● quiet +3 % +Bed 3/);
    expect(first.split('\n').findIndex((line) => line.includes('Bed 3'))).toBe(3); // above the seizure pattern without an alarm
    expect(first).toMatch(/1 \*\*\* not acknowledged/);
    await seen(/\*\* {2}HR HIGH +● quiet +3 % +Bed 1/);

    tmux('send-keys', 'g');
    await seen(/▸ +\*\*\* SEIZURE/);
    await seen(/not acknowledged · since \d\d:\d\d:\d\d \(\d+ s\) · REPLAY/);
    tmux('send-keys', 'a');
    await seen(/SEIZURE of eeg-3 acknowledged by nurse-9/);
    await seen(/\*\*\* SEIZURE +acknowledged by nurse-9 \d\d:\d\d:\d\d/);
    tmux('send-keys', 'a');
    await seen(/Nothing to acknowledge here/);

    const silences: string[] = [];
    for (let count = 0; count < 5; count++) silences.push(await world.alarms.raise('eeg-3', 'no-data', { text: `number ${count}` }));
    ended.push(...silences);
    await seen(/number 4/);
    tmux('send-keys', 'A');
    await seen(/5 alarms of Bed 3 acknowledged by nurse-9/);
    await until(() => !/not acknowledged · since/.test(screen()), 3_000);

    await expectSoundGoesOffAndOn();

    await world.alarms.stopHttp();
    tmux('send-keys', 'a');
    await seen(/NOT DONE: the alarms service did not answer/);
    await world.alarms.startHttp();
  } finally {
    abort.abort();
    await wall;
    await client.close();
    for (const id of ended) await world.alarms.say(id, 'ended', { state: 'ended' });
  }
}, 90_000);

/** Pause and its end, of the patient two rows below. */
async function expectSoundGoesOffAndOn(): Promise<void> {
  tmux('send-keys', 'j', 'j');
  await seen(/▸ +\*\* {2}HR HIGH/);
  tmux('send-keys', 'p');
  await seen(/Sound of Bed 1 off for 120 s by nurse-9/);
  await seen(/\*\* {2}HR HIGH +134 > 120 \/min · not acknowledged · sound off 1:5\d by nurse-9/);
  tmux('send-keys', 'P');
  await seen(/Sound of Bed 1 is on again/);
  await until(() => !/sound off/.test(screen()), 3_000);
  tmux('send-keys', 'm');
  await seen(/BELL OFF/);
}

test('when the alarm path is silent the wall says so within 12 s and rings, and takes it back with the next pulse', async () => {
  open(100, 30);
  await seen(/● live/);
  expect(screen()).not.toContain('NOT WATCHED');
  world.alarms.stopBeating();
  await seen(/!!! ALARMS NOT WATCHED +the alarms service is silent: alarms may be missing/, 14_000);
  world.alarms.beat();
  await until(() => !screen().includes('NOT WATCHED'), 5_000);
}, 60_000);

test('a snapshot is one frame as text, with something on the strip', async () => {
  const client = await Client.connect({ url: world.url, token: world.token, caPath: world.caPath });
  const text = await takeSnapshot({
    client,
    env: { LANG: 'C.UTF-8' },
    signal: new AbortController().signal,
    width: 100,
    height: 30,
    waitMs: 1_500,
  });
  await client.close();
  expect(text.split('\n')).toHaveLength(31);
  expect(text).toMatch(/▲ seizure pattern +97 % +Bed 2/);
  expect(text).toMatch(/[\u2801-\u28ff]{5}/);
  expect(text).not.toContain('\u001b');
});
