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

test('the defaults of services started by hand agree: no two listen at one port, and each looks for the others where they listen', async () => {
  const lists = await listSettings();
  const defaultOf = (service: string, key: string): unknown =>
    lists.find((one) => one.service === service)?.settings.find((setting) => setting.key === key)?.default;
  const owners: Record<string, string> = { storageUrl: 'storage', alarmsUrl: 'alarms', frontDoorUrl: 'ingest' };
  const listening = lists.flatMap(({ settings }) =>
    settings.flatMap(({ key, default: port }) => (/^(port|intakePort)$/.test(key) ? [port] : [])),
  );
  expect(listening).toHaveLength(5);
  expect(new Set(listening).size).toBe(5);
  let compared = 0;
  for (const { service, settings } of lists) {
    for (const { key, default: url } of settings) {
      const owner = owners[key];
      if (owner === undefined || url === '') continue;
      expect(new URL(String(url)).port, `${service} ${key}`).toBe(String(defaultOf(owner, 'port')));
      compared += 1;
    }
  }
  expect(compared).toBeGreaterThan(5);
});
