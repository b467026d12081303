import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { ownCommand } from 'vitalwire/stack';
import { RunningCommand } from './command.ts';
import { terminalPage } from './terminal-picture.ts';

/** The pictures of the README, made from a real run of the demo: `npm run screenshots`. Needs tmux and Chromium. */
const folder = fileURLToPath(new URL('../../../.github/pictures', import.meta.url));
const COLUMNS = 132;
const ROWS = 36;
/** By then the synthetic patients have had their first seizures. */
const RUN_MS = Number(process.env['SCREENSHOT_AFTER_S'] ?? 58) * 1000;

const data = mkdtempSync(join(tmpdir(), 'vw-pictures-'));
const tmuxServer = `vw-pictures-${process.pid}`;
const demo = new RunningCommand(['demo', '--web', '--recordings', 'none', '--keep', data]);
let browser: Browser | null = null;
try {
  const address = await pageAddress();
  const { command, args } = ownCommand('watch', '--data', data, '--by', 'nurse-7', '--no-flash');
  const line = ['env', 'TERM=xterm-256color', 'COLORTERM=truecolor', 'LANG=C.UTF-8', command, ...args].map((part) => `'${part}'`).join(' ');
  tmux('new-session', '-d', '-x', String(COLUMNS), '-y', String(ROWS), line);
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(address);
  process.stderr.write(`the demo runs; the pictures are taken in ${RUN_MS / 1000} s\n`);
  await sleep(RUN_MS);
  mkdirSync(folder, { recursive: true });
  const captured = tmux('capture-pane', '-e', '-p');
  await page.screenshot({ path: join(folder, 'page.png') });
  const terminal = await context.newPage();
  await terminal.setContent(terminalPage(captured, 'vitalwire watch'));
  await terminal.locator('pre').screenshot({ path: join(folder, 'wall.png') });
  process.stderr.write(`wrote ${folder}/wall.png and page.png\n`);
} finally {
  await browser?.close();
  try {
    tmux('kill-server');
  } catch {
    // the wall never came up
  }
  await demo.interrupt();
  rmSync(data, { recursive: true, force: true });
}

function tmux(...args: string[]): string {
  return execFileSync('tmux', ['-L', tmuxServer, '-f', '/dev/null', ...args], { encoding: 'utf8' });
}

async function pageAddress(): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const found = /the page: (https:\S+)/.exec(demo.stderr)?.[1];
    if (found !== undefined) return found;
    if (demo.child.exitCode !== null) throw new Error(`the demo ended: ${demo.stderr}`);
    await sleep(100);
  }
  throw new Error(`the demo did not come up in a minute: ${demo.stderr}`);
}
