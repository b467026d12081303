import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';

test('DATA.md names every table and column that this release writes', async () => {
  const bed = await Bed.start();
  await bed.stop();
  const document = readFileSync(fileURLToPath(new URL('../../../DATA.md', import.meta.url)), 'utf8');
  const named = new Set([...document.matchAll(/`([\w.]+)`/g)].map(([, name]) => name));
  for (const file of ['readings.sqlite', 'registry.sqlite', 'edge/outbox.sqlite']) {
    const names = namesIn(join(bed.dirs.root, file));
    expect(names.length, file).toBeGreaterThan(20);
    expect(
      names.filter((name) => !named.has(name)),
      file,
    ).toEqual([]);
  }
});

/** Its tables and their columns. */
function namesIn(file: string): string[] {
  const db = new Sqlite(file, { readonly: true });
  try {
    const tables = db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    return tables.flatMap(({ name }) => [
      name,
      ...db
        .prepare<[string], { name: string }>('SELECT name FROM pragma_table_info(?)')
        .all(name)
        .map((column) => column.name),
    ]);
  } finally {
    db.close();
  }
}
