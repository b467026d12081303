import { appendFileSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeMessage, isOwnedBy } from '@vitalwire/contract';
import { createLog, systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { AlarmEngine, type AlarmRecord } from '@vitalwire/vitals';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlarmLog } from './alarm-log.ts';

const log = createLog({ name: 'test', level: 'silent' });
const clockState = () => ({ offsetUs: 1, uncertaintyUs: 2, source: 'ntp' as const });
let dir = '';
beforeEach(() => {
  dir = tempDir('vw-alarm-log-');
});
afterEach(() => removeTempDir(dir));

const path = () => join(dir, 'alarm-log.jsonl');
async function opened(): Promise<AlarmLog> {
  const alarms = new AlarmLog({ path: path(), gateway: 'gateway-1', clock: systemClock, clockState, log });
  await alarms.load();
  return alarms;
}

let onsets = 0;
function raised(condition: 'seizure' | 'lead-off' | 'heart-rate-high' = 'lead-off'): AlarmRecord[] {
  const statement = {
    condition,
    aspect: 'eeg',
    holds: true,
    priority: 'medium',
    sinceUs: ++onsets,
    value: null,
    limit: null,
    channel: null,
    replay: null,
    text: 'x',
  } as const;
  return [...new AlarmEngine({ sender: 'gateway-1' }).statement('eeg-1', statement, 1_000_000 + onsets)];
}

test('numbers go on over a restart, under the same log, which carries the tag of the gateway', async () => {
  const first = await opened();
  const before = await first.append([...raised(), ...raised()]);
  const after = await (await opened()).append(raised());
  expect([...before, ...after].map(({ seq }) => seq)).toEqual([0, 1, 2]);
  expect(new Set([...before, ...after].map(({ subject }) => subject)).size).toBe(1);
  expect(isOwnedBy(before[0]?.subject ?? '', 'gateway-1')).toBe(true);
});

test('what is not known to be in the outbox is sent again after a restart, as the same bytes', async () => {
  const first = await opened();
  const lines = await first.append([...raised(), ...raised(), ...raised()]);
  await first.sent(1);
  const { unsent } = await opened();
  expect(unsent.map((alarm) => Buffer.from(encodeMessage(alarm)).toString('hex'))).toEqual(
    lines.slice(1).map((alarm) => Buffer.from(encodeMessage(alarm)).toString('hex')),
  );
});

test('heart-rate alarms, whose limits are of this gateway alone, stay here and take no number', async () => {
  const first = await opened();
  const sent = await first.append([...raised(), ...raised('heart-rate-high'), ...raised()]);
  expect(sent.map(({ condition, seq }) => [condition, seq])).toEqual([
    ['lead-off', 0],
    ['lead-off', 1],
  ]);
  expect((await opened()).records.map(({ condition }) => condition)).toEqual(['lead-off', 'heart-rate-high', 'lead-off']);
});

test('a line cut by a power failure is no damage; a damaged line sets the log aside and begins a new one', async () => {
  const first = await opened();
  const [line] = await first.append(raised());
  appendFileSync(path(), '{"alarm":{"seq":1,');
  const again = await opened();
  expect(again.records).toHaveLength(1);
  expect((await again.append(raised()))[0]).toMatchObject({ seq: 1, subject: line?.subject });
  writeFileSync(path(), `{"log":"no id","next":0}\n${readFileSync(path(), 'utf8')}`);
  const anew = await opened();
  expect(anew.records).toEqual([]);
  const [other] = await anew.append(raised());
  expect(other?.seq).toBe(0);
  expect(other?.subject).not.toBe(line?.subject); // numbers of one log are never given twice
});

test('a disk that refuses keeps no alarm from being shown and sent', async () => {
  const first = await opened();
  removeTempDir(dir);
  expect(await first.append(raised())).toHaveLength(1);
  expect(first.records).toHaveLength(1);
});

test('a long log is shortened at a start: alarms that have not ended keep all their lines, numbers go on', async () => {
  const first = await opened();
  const open = raised('seizure');
  const ended = Array.from(
    { length: 5_200 },
    (): AlarmRecord => ({ ...(raised()[0] as AlarmRecord), state: 'ended', transition: 'ended' }),
  );
  await first.append([...open, ...ended]);
  await first.sent(5_201);
  const again = await opened();
  expect(again.records.length).toBeLessThan(1_100);
  expect(again.records[0]).toMatchObject({ condition: 'seizure', state: 'active' });
  expect((await again.append(raised()))[0]?.seq).toBe(5_201);
});

test('a log that cannot be read is no first start: it is left as it is, and goes on when it can be read again', async () => {
  const first = await opened();
  const lines = await first.append(raised());
  renameSync(path(), `${path()}.away`);
  mkdirSync(path()); // reading a directory fails for every user, as a sick disk does
  await expect(opened()).rejects.toMatchObject({ code: 'KEPT_UNREADABLE' });
  rmdirSync(path());
  renameSync(`${path()}.away`, path());
  const { unsent } = await opened();
  expect(unsent.map(({ alarmId, seq }) => [alarmId, seq])).toEqual(lines.map(({ alarmId, seq }) => [alarmId, seq]));
});

test('a log that could not be written for a while is written whole when it can be', async () => {
  const alarms = await opened();
  await alarms.append(raised());
  rmSync(path());
  mkdirSync(path());
  const meanwhile = await alarms.append(raised());
  await alarms.sent(1);
  rmdirSync(path());
  const after = await alarms.append(raised());
  const again = await opened();
  expect(again.records).toHaveLength(3);
  expect(again.unsent.map(({ seq }) => seq)).toEqual([...meanwhile, ...after].map(({ seq }) => seq));
});
