import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

// The command as a person starts it, launcher and all, at a real terminal with a shell that has jobs. From source: `dist` is not needed.
let world: ScreenWorld;
let dir: string;
let sending: NodeJS.Timeout;
let servers = 0;

beforeAll(async () => {
  dir = tempDir('vw-terminal-');
  world = await ScreenWorld.start();
  world.addPatient('p1', 'Bed 1', ['eeg-1']);
  await world.ready();
  const device = (await world.gateway()).device('eeg-1');
  await device.announce();
  let count = 0;
  sending = setInterval(() => {
    void device.sendEeg(Array.from({ length: 44 }, (_, sample) => 90 * Math.sin((count * 44 + sample) / 9))).catch(() => {});
    if (count % 4 === 0) void device.sendDetection(count / 4, 'quiet', 0.03).catch(() => {});
    count += 1;
  }, 253);
  writeFileSync(path.join(dir, 'token'), world.token);
  const launcher = fileURLToPath(new URL('../bin/launch.js', import.meta.url));
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  writeFileSync(
    path.join(dir, 'vitalwire.mjs'),
    `import { launch } from ${JSON.stringify(launcher)};
launch(process.execPath, ['--conditions=source', ${JSON.stringify(main)}, ...process.argv.slice(2)], process.env);
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
  return execFileSync('tmux', ['-L', `vw-cli-${process.pid}-${servers}`, '-f', '/dev/null', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function screen(): string {
  return tmux('capture-pane', '-p');
}

async function seen(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
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

function type(text: string): void {
  tmux('send-keys', '-l', text);
  tmux('send-keys', 'Enter');
}

const command = 'watch --url "$URL" --token-file token --ca "$CA" --by nurse-9';

async function openShell(): Promise<void> {
  const env = `cd ${dir}; export PS1='ready> ' URL=${world.url} CA=${world.caPath} LANG=C.UTF-8 HISTFILE=`;
  tmux('new-session', '-d', '-x', '100', '-y', '30', `${env}; exec bash --norc --noprofile -i`);
  await seen(/ready>/);
}

function start(verb: string, env = ''): void {
  type(`${env} ${process.execPath} vitalwire.mjs ${verb}`);
}

/** Process ids below the shell: the launcher, then the wall. */
function pids(): { launcher: number; wall: number } {
  const childOf = (pid: string | number) =>
    Number(
      execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
        .trim()
        .split('\n')[0],
    );
  const launcher = childOf(tmux('list-panes', '-F', '#{pane_pid}').trim());
  return { launcher, wall: childOf(launcher) };
}

// The main screen, a cursor that is seen, and a terminal that echoes and takes lines.
async function expectTerminalBack(): Promise<void> {
  await until(() => tmux('display-message', '-p', '#{cursor_flag} #{alternate_on} #{mouse_any_flag}').trim() === '1 0 0', 5_000);
  type("stty -a | tr ' ;' '\\n\\n' | grep -cE '^(icanon|echo|isig|opost)$'; echo asked");
  await seen(/^4\nasked/m);
  expect(screen()).not.toContain('VITALWIRE');
}

const waysToStop: readonly (readonly [string, () => void])[] = [
  ['Ctrl-Z', () => tmux('send-keys', 'C-z')],
  ['SIGTSTP to the launcher', () => process.kill(pids().launcher, 'SIGTSTP')],
  ['SIGTSTP to the wall and its launcher', () => process.kill(-pids().launcher, 'SIGTSTP')],
];

test.each(waysToStop)(
  '%s leaves the screen and stops launcher and wall; fg brings them back with what is true then',
  async (_way, stop) => {
    await openShell();
    start(command);
    await seen(/● live[\s\S]*● quiet +3 % +Bed 1/);
    const { launcher, wall } = pids();
    stop();
    await seen(/Stopped/);
    await expectTerminalBack();
    for (const pid of [launcher, wall]) expect(execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })).toMatch(/^T/);
    type('clear');
    world.addPatient(`late-${servers}`, `Late ${servers}`, []);
    tmux('resize-window', '-x', '90', '-y', '26');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    type('fg');
    const back = await seen(new RegExp(`● live[\\s\\S]*● quiet +3 % +Bed 1[\\s\\S]*Late ${servers}`));
    expect(back.split('\n')[25]).toContain('Research and education software.');
    expect(back).not.toContain('connection lost');
    stop(); // and once more
    await seen(/Stopped/);
    type('fg');
    await seen(/● live[\s\S]*● quiet +3 % +Bed 1/);
    tmux('send-keys', 'q');
    await expectTerminalBack();
  },
  90_000,
);

test('where no shell could continue it, Ctrl-Z changes nothing', async () => {
  const env = `cd ${dir}; export URL=${world.url} CA=${world.caPath} LANG=C.UTF-8`;
  tmux('new-session', '-d', '-x', '100', '-y', '30', `${env}; exec ${process.execPath} vitalwire.mjs ${command}`);
  await seen(/● live[\s\S]*Bed 1/);
  tmux('send-keys', 'C-z');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const clock = (text: string) => /\d\d:\d\d:\d\d/.exec(text)?.[0];
  const before = clock(await seen(/● live[\s\S]*● quiet +3 % +Bed 1/));
  await until(() => clock(screen()) !== before, 3_000);
}, 60_000);

test.each(['SIGKILL', 'SIGSEGV'] as const)(
  'after %s of the wall the launcher gives the terminal back',
  async (signal) => {
    await openShell();
    type('echo before');
    start(command);
    await seen(/● live[\s\S]*Bed 1/);
    process.kill(pids().wall, signal);
    await expectTerminalBack();
    expect(screen()).toContain('before');
  },
  60_000,
);

test('a terminal that can only print gets lines, not a screen', async () => {
  await openShell();
  start(command, 'TERM=dumb');
  await seen(/Research and education software[\s\S]*connection: live[\s\S]*Bed 1 \[p1\]: quiet/);
  expect(tmux('display-message', '-p', '#{alternate_on}').trim()).toBe('0');
  tmux('send-keys', 'C-c');
  await expectTerminalBack();
}, 60_000);
