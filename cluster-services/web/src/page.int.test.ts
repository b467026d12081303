import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { axeViolations, complaints, open, page, startWorld, tones, world } from './test-page.ts';

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
    expect(text).toMatch(/▲ seizure pattern Bed 1 REPLAY 97 % probability 142 HR \/min, (<1|1|2) s (<1|1) s EEG age/);
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

    expect(await axeViolations()).toEqual([]);
    expect(complaints).toEqual([]);
  } finally {
    clearInterval(sending);
  }
});

test('an alarm leads the page with mark, word and colour, is spoken at once if it is high, sounds once it may, and is answered by somebody', async () => {
  await startWorld();
  await open();
  await page.locator('.pill').getByText('nothing arrives').waitFor(); // connected, and nobody sends
  expect(await page.getByRole('alert').innerText()).toBe('');
  await world.alarms.raise('hr-1', 'heart-rate-high', { value: 134, limit: 120, text: 'above 120 for 6 s' });
  const id = await world.alarms.raise('eeg-2', 'seizure', {
    text: 'seizure pattern in 3 of 5 windows',
    replay: { speed: 1, source: 'Bonn' },
  });

  const first = page
    .getByRole('listitem')
    .filter({ has: page.getByRole('button', { name: /Bed/ }) })
    .first();
  await first.getByText('SEIZURE').waitFor({ timeout: 3_000 });
  expect((await first.innerText()).replace(/\s+/g, ' ')).toMatch(/^\*\*\* high priority: SEIZURE not acknowledged .* Bed 2/);
  expect(await page.getByRole('button', { name: /Bed 1/ }).innerText()).toMatch(
    /\*\*[\s\S]*HR HIGH[\s\S]*134 > 120 \/min, not acknowledged/,
  );
  expect(await page.getByRole('alert').innerText()).toBe('SEIZURE: Bed 2'); // and not the medium one
  await until(async () => /Alarms: Bed 1/.test(await page.getByRole('status').innerText()), 8_000);
  const badge = first.locator('.badge');
  expect(await badge.evaluate((node) => getComputedStyle(node).animationDuration)).toBe('0.5s'); // 2 Hz

  // No gesture, no sound, and the page says so; with one there is a burst for what goes on.
  expect(await page.locator('.audio').innerText()).toBe('AUDIO OFF: switch on');
  expect(await tones()).toBe(0);
  await page.getByRole('button', { name: /AUDIO OFF/ }).click();
  await page.getByRole('button', { name: 'AUDIO ON' }).waitFor();
  await until(async () => (await tones()) >= 4 + 10 * 4, 3_000); // the test tone and ten pulses of four harmonics each

  // Nothing is answered by nobody.
  await page.getByRole('button', { name: /Bed 2/ }).click();
  await page.getByRole('button', { name: 'Acknowledge SEIZURE' }).click();
  await page.getByText('Not done: write your id at the top first').waitFor();
  await page.getByLabel('Your id').fill('nurse-9');
  await page.getByRole('button', { name: 'Acknowledge SEIZURE' }).click();
  await page
    .getByText(/^acknowledged by nurse-9 \d\d:\d\d:\d\d$/)
    .first()
    .waitFor();
  expect(await badge.evaluate((node) => getComputedStyle(node).animationName)).toBe('none');
  await until(async () => (await page.getByRole('alert').innerText()) === '', 3_000);

  await page.getByRole('button', { name: /Bed 1/ }).click();
  await page.getByRole('button', { name: 'Sound off for 120 s' }).click();
  const countdown = page.getByText(/^Sound off for 1:5\d, by nurse-9/);
  await countdown.waitFor();
  const before = await countdown.innerText();
  await until(async () => (await countdown.innerText()) !== before, 3_000);
  expect(await axeViolations()).toEqual([]);
  await page.getByRole('button', { name: 'Sound on' }).click();
  await countdown.waitFor({ state: 'detached' });

  await world.alarms.say(id, 'ended', { state: 'ended' });
  await page.getByRole('button', { name: /Bed 2/ }).click();
  await until(async () => !/SEIZURE/.test(await page.locator('main').innerText()), 3_000);
  await world.alarms.stopHttp();
  await page.getByRole('button', { name: /Bed 1/ }).click();
  await page.getByRole('button', { name: 'Acknowledge HR HIGH' }).click();
  await page.getByText(/^Not done: the alarms service did not answer/).waitFor();
  expect(complaints).toEqual([]);
}, 60_000);

test('with reduced motion nothing flashes, and a silent alarm path is said on every page within 12 s', async () => {
  await startWorld();
  await open(undefined, 'reduce');
  await world.alarms.raise('eeg-1', 'seizure', { text: 'x' });
  const badge = page.locator('.badge').first();
  await badge.waitFor();
  expect(await badge.evaluate((node) => getComputedStyle(node).animationName)).toBe('none');
  expect(await page.getByText('ALARMS NOT WATCHED').count()).toBe(0);
  world.alarms.stopBeating();
  await page.getByText(/the alarms service is silent: alarms may be missing/).waitFor({ timeout: 15_000 });
  expect(await page.getByRole('region', { name: 'Alarms of the system' }).innerText()).toMatch(/!!![\s\S]*ALARMS NOT WATCHED/);
  expect(await page.getByRole('alert').innerText()).toContain('ALARMS NOT WATCHED');
  expect(await axeViolations()).toEqual([]);
}, 60_000);

test('a patient’s channels, baseline and pulse component are shown, as less certain where they are', async () => {
  await startWorld();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1', { channels: 3 });
  await device.announce();
  await open();
  await device.sendEeg([1, 2, 3]);
  await gateway.device('hr-1').sendHeartRate(134);
  await device.sendDetection(0, 'unsure', 0.55, {
    windowSamples: 694,
    hopSamples: 174,
    baseline: 'population',
    channelProbabilities: [0.1, 0.93, null],
  });
  await page.getByText('Baseline: population. What is usual in this recording is not known yet').waitFor();
  await page.getByText('Highest channels: EEG 2 93 %, EEG 1 10 %').waitFor();
  expect(await page.locator('.facts').innerText()).toMatch(/NEWS2 pulse component\s+3/);
  for (const width of [1_440, 1_280, 1_050, 390, 320]) {
    await page.setViewportSize({ width, height: 900 });
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll('.facts dd > *')]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ textContent }) => textContent),
    );
    expect(cut, `${width} px`).toEqual([]);
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
  await page.locator('.pill').getByText('nothing arrives').waitFor(); // connected, and nobody sends
  await world.stopWeb();
  await page.getByText('connection lost, trying again').waitFor();
  await world.startWeb();
  await page.locator('.pill').getByText('nothing arrives').waitFor({ timeout: 20_000 });
});

test('an old state stands in brackets with its age, and EEG that is not judged says so', async () => {
  await startWorld();
  const gateway = await world.gateway();
  const device = gateway.device('eeg-1');
  const unjudged = gateway.device('eeg-2');
  await open();
  const sending = setInterval(() => void unjudged.sendEeg([1, 2, 3]).catch(() => {}), 500);
  try {
    await device.sendEeg([1, 2, 3], { agoMs: 19_000 });
    for (let window = 0; window < 3; window++) await device.sendDetection(window, 'quiet', 0.02, { agoMs: 21_000 - window * 1_000 });
    const tile = page.getByRole('button', { name: /Bed 1/ });
    await tile.getByText(/^\[quiet\] (19|2\d) s$/).waitFor();
    expect(await tile.innerText()).toContain('[2 %]');
    await page.getByRole('button', { name: /Bed 2/ }).getByText('not judged').waitFor();
  } finally {
    clearInterval(sending);
  }
});

test('connected to silence is not live, and a pause is seen for as long as it lasts', async () => {
  await startWorld();
  await open();
  await page.locator('.pill[data-link=lost]').getByText('nothing arrives').waitFor();
  await page.getByLabel('Your id').fill('nurse-9');
  await world.alarms.raise('eeg-1', 'seizure', { text: 'x' });
  await world.alarms.raise('eeg-1', 'no-data', { text: 'no EEG' });
  await page.getByRole('button', { name: /Bed 1/ }).click();
  const tile = page.getByRole('button', { name: /Bed 1/ });
  await tile.locator('.badge').getByText('NO DATA').waitFor();
  await page.getByRole('button', { name: 'Sound off for 120 s' }).click();
  await tile.getByText(/sound off 1:5\d by nurse-9/).waitFor();
  await page.getByRole('button', { name: 'Acknowledge all 2' }).click();
  await until(async () => /acknowledged by nurse-9 .*sound off 1:5\d by nurse-9/s.test(await tile.innerText()), 5_000);
});

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
