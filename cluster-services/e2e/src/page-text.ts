import { readFileSync } from 'node:fs';
import { chromium, type Locator, type Page } from 'playwright-core';
import type { Bed } from './bed.ts';

/** What a browser shows of the bed's page, once that is there which is awaited. */
export async function pageText(bed: Bed, awaited: (page: Page) => Locator): Promise<string> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    const { info } = bed.stack;
    await page.goto(`${info.urls.web}/#token=${readFileSync(info.tokenPath, 'utf8').trim()}`);
    await awaited(page).first().waitFor();
    return await page.locator('body').innerText();
  } finally {
    await browser.close();
  }
}
