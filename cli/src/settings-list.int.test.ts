import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { listSettings, settingsMarkdown } from './settings-list.ts';

test('SETTINGS.md at the root is the list that the schemas give', async () => {
  const committed = readFileSync(new URL('../../SETTINGS.md', import.meta.url), 'utf8');
  expect(committed, "run 'vitalwire settings --markdown > SETTINGS.md'").toBe(settingsMarkdown(await listSettings()));
});

test('every setting says what it is for', async () => {
  for (const { service, settings } of await listSettings()) {
    for (const setting of settings) expect(setting.description, `${service} ${setting.key}`).not.toBe('');
  }
});
