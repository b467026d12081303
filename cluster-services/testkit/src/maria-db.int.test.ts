import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasMariaDb, type MariaDb, startMariaDb } from './maria-db.ts';

describe.skipIf(!hasMariaDb())('a private MariaDB', () => {
  let db: MariaDb;
  beforeAll(async () => {
    db = await startMariaDb();
    await db.query('CREATE TABLE note (id INT PRIMARY KEY, text VARCHAR(20)) ENGINE=InnoDB');
  });
  afterAll(() => db?.stop());

  test('what was committed before kill -9 is there after the restart, at the same address', async () => {
    await db.query("INSERT INTO note VALUES (1, 'kept')");
    const before = db.pid;
    await db.kill9();
    await expect(db.query('SELECT 1')).rejects.toThrow();
    await db.restart();
    expect(db.pid).not.toBe(before);
    expect(await db.query('SELECT text FROM note WHERE id = 1')).toEqual([{ text: 'kept' }]);
  });

  test('a user has exactly the rights it was given', async () => {
    const url = await db.createUser('writer', [`GRANT INSERT, SELECT (id), UPDATE (id) ON ${db.database}.note TO $USER`]);
    const writer = await createConnection(url);
    try {
      await writer.query("INSERT INTO note VALUES (2, 'x') ON DUPLICATE KEY UPDATE id = id");
      await expect(writer.query('SELECT text FROM note')).rejects.toMatchObject({ errno: 1143 });
      await expect(writer.query('DELETE FROM note')).rejects.toMatchObject({ errno: 1142 });
    } finally {
      await writer.end();
    }
  });

  test('its temporary tables lie where no other server clears them', async () => {
    const [{ place } = { place: '' }] = (await db.query('SELECT @@tmpdir AS place')) as { place: string }[];
    expect(place).toContain(db.socketPath.slice(0, -'/s.sock'.length));
  });

  test('a paused server holds a query until it is resumed', async () => {
    db.pause();
    let answered = false;
    const query = db.query('SELECT 1 AS one').then((rows) => {
      answered = true;
      return rows;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(answered).toBe(false);
    db.resume();
    expect(await query).toEqual([{ one: 1 }]);
  });
});
