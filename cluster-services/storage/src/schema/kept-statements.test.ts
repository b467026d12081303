import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { expect, test } from 'vitest';
import { keepingStatements } from './kept-statements.ts';

type Tables = { reading: { id: number; value: string } };

/** How often statements were prepared. */
function open() {
  const sqlite = new Sqlite(':memory:');
  const prepared: string[] = [];
  const prepare = sqlite.prepare.bind(sqlite);
  sqlite.prepare = ((text: string) => {
    prepared.push(text);
    return prepare(text);
  }) as typeof sqlite.prepare;
  const database = keepingStatements(sqlite);
  return { database, prepared, db: new Kysely<Tables>({ dialect: new SqliteDialect({ database }) }) };
}

test('a query that is asked again is not prepared again, and answers what is true then', async () => {
  const { db, prepared } = open();
  await sql`create table reading (id integer primary key, value text)`.execute(db);
  const ask = () => db.selectFrom('reading').selectAll().where('id', '<', 10).execute();
  for (let id = 0; id < 5; id++) {
    await db.insertInto('reading').values({ id, value: 'a' }).execute();
    expect(await ask()).toHaveLength(id + 1);
  }
  expect(prepared.filter((text) => text.startsWith('select'))).toHaveLength(1);
  expect(prepared.filter((text) => text.startsWith('insert'))).toHaveLength(1);
  await db.destroy();
});

test('after a change of the schema a query sees the new columns', async () => {
  const { db } = open();
  await sql`create table reading (id integer primary key, value text)`.execute(db);
  await db.insertInto('reading').values({ id: 1, value: 'a' }).execute();
  const ask = () => db.selectFrom('reading').selectAll().execute();
  expect(await ask()).toEqual([{ id: 1, value: 'a' }]);
  await sql`alter table reading add column more integer default 7`.execute(db);
  expect(await ask()).toEqual([{ id: 1, value: 'a', more: 7 }]);
  await db.destroy();
});

test('a statement whose rows are being read is not disturbed by the same query', () => {
  const { database } = open();
  database.prepare('create table reading (id integer)').run([]);
  for (let id = 0; id < 3; id++) database.prepare('insert into reading values (?)').run([id]);
  const text = 'select id from reading order by id';
  const seen: unknown[] = [];
  for (const row of database.prepare(text).iterate([])) seen.push(row, database.prepare(text).all([]).length);
  expect(seen).toEqual([{ id: 0 }, 3, { id: 1 }, 3, { id: 2 }, 3]);
});

test('however many kinds of queries are asked, a bounded number is kept', () => {
  const { database, prepared } = open();
  for (let round = 0; round < 2; round++) for (let number = 0; number < 300; number++) database.prepare(`select ${number}`).all([]);
  expect(prepared.length).toBe(600); // the oldest were forgotten before they came again
  database.prepare('select 299').all([]);
  expect(prepared.length).toBe(600);
});
