import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { axeViolations, open, page, startWorld, world } from './test-page.ts';

test('on a phone no text lies on another, the ward stands above patient and label, and a tap on a tile brings its patient into sight', async () => {
  await startWorld();
  world.addPatient('p3', 'Somebody whose name is long', ['eeg-3']);
  for (let bed = 4; bed < 9; bed++) world.addPatient(`p${bed}`, `Bed ${bed}`, []);
  await world.ready();
  const device = (await world.gateway()).device('eeg-1', { replay: { speed: 1, source: 'Bonn' } });
  await device.announce();
  await open();
  await device.sendEeg([1, 2, 3]);
  for (let window = 0; window < 3; window++) await device.sendDetection(window, 'seizure', 0.97);
  await world.alarms.raise('eeg-1', 'heart-rate-extreme-high', { value: 190, limit: 150, text: 'x' });
  await world.alarms.raise('eeg-1', 'no-data', { text: 'x' });
  for (const width of [320, 390, 600]) {
    await page.setViewportSize({ width, height: 800 });
    await page.getByRole('button', { name: /Bed 1/ }).locator('.badge').getByText('NO DATA').waitFor();
    const found = await page.evaluate(() => {
      // Leaves with text inside the tiles: none may reach into another, or out of its tile.
      const overlaps: string[] = [];
      for (const tile of document.querySelectorAll('.tile')) {
        const leaves = [...tile.querySelectorAll('span')].filter(
          (node) => node.childElementCount === 0 && node.textContent !== '' && getComputedStyle(node).position !== 'absolute',
        );
        const boxes = leaves.map((node) => {
          const range = document.createRange();
          range.selectNodeContents(node);
          return { text: node.textContent, box: range.getBoundingClientRect() };
        });
        const outside = tile.getBoundingClientRect();
        for (const [index, { text, box }] of boxes.entries()) {
          if (box.right > outside.right + 1) overlaps.push(`${text} leaves its tile`);
          for (const other of boxes.slice(index + 1)) {
            const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
            const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
            if (across > 1 && down > 3) overlaps.push(`${text} on ${other.text}`);
          }
        }
      }
      const top = (selector: string) => document.querySelector(selector)?.getBoundingClientRect().top ?? 0;
      return {
        overlaps,
        order: [top('.patients'), top('.patient'), top('.label')],
        isWide: document.documentElement.scrollWidth > innerWidth,
      };
    });
    expect(found.overlaps, `${width} px`).toEqual([]);
    expect(found.order).toEqual(found.order.toSorted((a, b) => a - b));
    expect(found.isWide, `${width} px`).toBe(false);
  }
  await page.getByRole('button', { name: /Somebody/ }).click();
  const section = page.getByRole('region', { name: 'Patient Somebody whose name is long' });
  await until(async () => {
    const box = await section.boundingBox();
    return box !== null && box.y > -20 && box.y < 200;
  }, 3_000);
  await page.getByRole('button', { name: 'All patients' }).click();
  await until(() => page.evaluate(() => scrollY === 0), 3_000);
  expect(await axeViolations()).toEqual([]);
});

test('a wrong token is called one, and the right one of the next address is taken', async () => {
  await startWorld();
  await open('#token=not-the-one');
  await page.getByText('This token is not, or no longer, valid here.').waitFor();
  await page.getByText('token refused').waitFor();
  expect(await page.getByText('connection lost').count()).toBe(0);
  await page.goto(`${world.url}/#token=${world.token}`);
  await page.reload();
  await page.getByRole('button', { name: /Bed 1/ }).waitFor();
});

test('without a token it says how to get one, and shows the label', async () => {
  await startWorld();
  await open('');
  await page.getByText('This page needs a token').waitFor();
  expect(await page.getByRole('contentinfo').innerText()).toContain('Not a medical device');
});
