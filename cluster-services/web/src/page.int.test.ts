import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildPage } from '../vite.config.ts';

const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
  '--disable-component-update',
  '--disable-sync',
];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let pageDir: string;
let browser: Browser;
let world: ScreenWorld;
let page: Page;
let close: (() => Promise<void>) | null = null;
const complaints: string[] = [];

beforeAll(async () => {
  pageDir = tempDir('vw-page-');
  await buildPage(pageDir);
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: chromiumArgs });
});

afterAll(async () => {
  await browser.close();
  removeTempDir(pageDir);
});

afterEach(async () => {
  await close?.();
  close = null;
});

async function open(fragment = `#token=${world.token}`): Promise<void> {
  complaints.length = 0;
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  close = async () => {
    await context.close();
    await world.stop();
  };
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`${world.url}/${fragment}`);
}

async function startWorld(): Promise<void> {
  world = await ScreenWorld.start({ pageDir, storageTimeoutMs: 300 });
  world.addPatient('p1', 'Bed 1', ['eeg-1', 'hr-1']);
  world.addPatient('p2', 'Bed 2', ['eeg-2']);
  await world.ready();
}

// Pixels of the strip that have the colour of a live trace.
function tracePixels(): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.querySelector('canvas');
    const data = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let count = 0;
    for (let at = 0; at < data.length; at += 4) if ((data[at + 1] ?? 0) > 180 && (data[at] ?? 0) < 160) count += 1;
    return count;
  });
}

test('the page type-checks', () => {
  const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));
  execFileSync(tsc, ['-p', fileURLToPath(new URL('./page/tsconfig.json', import.meta.url))], { stdio: 'inherit' });
}, 60_000);

test('it shows patients, state, heart rate, a live trace, ages, REPLAY and the label, with the database down and no policy broken', async () => {
  await startWorld();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1', { replay: { speed: 1, source: 'Bonn' } });
  const watch = gateway.device('hr-1');
  await device.announce();
  world.mood = 'hangs';
  await open();
  let sent = 0;
  const sending = setInterval(() => {
    const values = Array.from({ length: 44 }, (_, index) => 80 * Math.sin((sent * 44 + index) / 5));
    void device.sendEeg(values);
    if (sent % 4 === 0) void device.sendDetection(sent / 4, 'seizure', 0.97);
    if (sent % 8 === 0) void watch.sendHeartRate(142);
    sent += 1;
  }, 253);
  try {
    const tile = page.getByRole('button', { name: /Bed 1/ });
    await tile.getByText('seizure pattern').waitFor({ timeout: 15_000 });
    const text = (await tile.innerText()).replace(/\s+/g, ' ');
    expect(text).toMatch(/▲ seizure pattern Bed 1 REPLAY 97 % bonn-1 142 1\/min, (<1|1|2) s (<1|1) s EEG age/);
    expect(await page.getByRole('button', { name: /Bed 2/ }).innerText()).toMatch(/no data[\s\S]*--/);
    await until(async () => (await tracePixels()) > 500, 10_000);
    expect(await page.getByRole('status').innerText()).toBe('Seizure pattern: Bed 1');
    expect(await page.locator('figcaption').innerText()).toContain('EEG 1 · ±100 uV, negative up · 10 s');
    expect(await page.getByRole('contentinfo').innerText()).toContain('Research and education software. Not a medical device');
    await page.getByText('database down, live values go on').waitFor({ timeout: 15_000 });
    // The clock ticks, the token is out of the address, and it survives a reload of the tab.
    const clock = page.locator('time');
    const before = await clock.innerText();
    await until(async () => (await clock.innerText()) !== before, 3_000);
    expect(page.url()).toBe(`${world.url}/`);
    await page.reload();
    await page.getByText('seizure pattern').first().waitFor({ timeout: 15_000 });

    await page.evaluate(axe);
    const violations = await page.evaluate(() =>
      (window as unknown as { axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> } }).axe
        .run()
        .then((result) => result.violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]?.html}`)),
    );
    expect(violations).toEqual([]);
    expect(complaints).toEqual([]);
  } finally {
    clearInterval(sending);
  }
});

test('when data stops it turns grey and says so, and the trace gives way to an empty strip', async () => {
  await startWorld();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1');
  await open();
  for (let count = 0; count < 20; count++)
    await device.sendEeg(
      Array.from({ length: 44 }, (_, index) => 80 * Math.sin(index)),
      { agoMs: (19 - count) * 253 },
    );
  await page.getByText('<1 s').first().waitFor();
  await page
    .locator('.veil')
    .getByText(/no EEG for (3|4) s/)
    .waitFor({ timeout: 8_000 });
  expect(await page.getByRole('button', { name: /Bed 1/ }).locator('.age .value').getAttribute('class')).toContain('stale');
  expect(await tracePixels()).toBe(0);
});

test('data of a backlog is never shown as live, whatever the clock of the gateway says', async () => {
  await startWorld();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1', { clockErrorUs: 3_600_000_000 }); // an hour fast
  await open();
  await device.sendEeg([1, 2, 3], { agoMs: 30_000 });
  await page
    .getByRole('button', { name: /Bed 1/ })
    .getByText(/^3[0-9] s$/)
    .waitFor();
  await page.getByText('gateway clock 1 h off, corrected').waitFor();
});

test('it comes back by itself when web was restarted, and says meanwhile that the connection is lost', async () => {
  await startWorld();
  await open();
  await page.locator('.pill[data-link=live]').waitFor();
  await world.stopWeb();
  await page.getByText('connection lost, trying again').waitFor();
  await world.startWeb();
  await page.locator('.pill[data-link=live]').waitFor({ timeout: 20_000 });
});

test('without a token it says how to get one, and shows the label', async () => {
  await startWorld();
  await open('');
  await page.getByText('This page needs a token').waitFor();
  expect(await page.getByRole('contentinfo').innerText()).toContain('Not a medical device');
});
