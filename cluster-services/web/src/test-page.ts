import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
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
export let world: ScreenWorld;
export let page: Page;
let close: (() => Promise<void>) | null = null;
export const complaints: string[] = [];

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

export async function open(fragment = `#token=${world.token}`, reducedMotion: 'reduce' | 'no-preference' = 'no-preference'): Promise<void> {
  complaints.length = 0;
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, reducedMotion });
  page = await context.newPage();
  await countTones();
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

export async function startWorld(): Promise<void> {
  world = await ScreenWorld.start({ pageDir, storageTimeoutMs: 300 });
  world.addPatient('p1', 'Bed 1', ['eeg-1', 'hr-1']);
  world.addPatient('p2', 'Bed 2', ['eeg-2']);
  await world.ready();
}

export async function axeViolations(): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(() =>
    (window as unknown as { axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> } }).axe
      .run()
      .then((result) => result.violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]?.html}`)),
  );
}

// Tones the page has begun to play.
export function tones(): Promise<number> {
  return page.evaluate(() => (window as unknown as { tones?: number }).tones ?? 0);
}

async function countTones(): Promise<void> {
  await page.addInitScript(() => {
    const counted = window as unknown as { tones: number };
    counted.tones = 0;
    const start = Reflect.get(OscillatorNode.prototype, 'start') as (when?: number) => void;
    OscillatorNode.prototype.start = function (this: OscillatorNode, when?: number) {
      counted.tones += 1;
      Reflect.apply(start, this, [when]);
    };
  });
}
