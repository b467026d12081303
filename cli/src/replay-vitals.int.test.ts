import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodeMessage, encodeMessage } from '@vitalwire/contract';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { directory, endAll, start } from './test-command.ts';

afterEach(endAll);

const SECONDS = 30;
const RATE_HZ = 32;

test('every vital of a CSV file is replayed, stored and compared with the file, and one changed number is found', async () => {
  const data = directory();
  const file = path.join(data, 'night.csv');
  writeFileSync(file, csv());
  const up = start('up', '--data', data, '--json');
  await up.event((event) => event['type'] === 'ready');
  const replay = start('replay', file, '--data', data, '--speed', 'max', '--json');
  expect(await replay.exited, replay.stderr()).toBe(0);
  const end = replay.events.at(-1);
  expect(end).toMatchObject({ type: 'end', unfinished: [], samplesSent: SECONDS * RATE_HZ });

  const verify = start('verify', '--data', data, '--json');
  expect(await verify.exited, verify.stderr()).toBe(0);
  expect(verify.events[0]).toMatchObject({ same: true, lost: 0, duplicated: 0, different: 0, unsent: 0, open: 0 });

  const found = storedNumbers(data);
  expect(found.map(({ stream, values }) => [stream, values.length])).toEqual([
    ['body-temperature', 3],
    ['heart-rate', SECONDS],
    ['respiratory-rate', SECONDS / 2],
    ['spo2', SECONDS],
  ]);
  expect(found.find(({ stream }) => stream === 'spo2')?.values).toEqual(Array.from({ length: SECONDS }, (_, second) => 94 + (second % 5)));
  expect(found.find(({ stream }) => stream === 'body-temperature')?.values).toEqual([36.6, 36.6, 36.6]);
  const devices = start('devices', 'list', '--data', data, '--json');
  expect(await devices.exited, devices.stderr()).toBe(0);
  expect(devices.events[0]?.['devices']).toContainEqual(
    expect.objectContaining({ device: expect.stringMatching(/^file-.*-hr$/), kind: 'monitor' }),
  );

  raiseOneSaturation(data);
  const after = start('verify', '--data', data, '--json');
  expect(await after.exited).toBe(1);
  expect(after.events[0]).toMatchObject({ same: false, lost: 0, different: 1, firstDifferences: [{ stream: 'spo2' }] });
}, 120_000);

/** EEG, and in rows of the same time numbers that come once a second, every other second and every ten. */
function csv(): string {
  const rows = Array.from({ length: SECONDS * RATE_HZ }, (_, row) => {
    const second = row / RATE_HZ;
    const every = (seconds: number, value: number) => (second % seconds === 0 ? String(value) : '');
    return [second, row % 50, every(1, 94 + (second % 5)), every(1, 70 + (second % 3)), every(2, 14), every(10, 36.6)].join(',');
  });
  return `time,Cz (uV),spo2 (%),heart-rate,respiratory-rate,body-temperature\n${rows.join('\n')}\n`;
}

function storedNumbers(data: string): { stream: string; values: number[] }[] {
  const byStream = new Map<string, number[]>();
  for (const { message } of chunks(data)) {
    const decoded = decodeMessage(new Uint8Array(message));
    if (!decoded.ok || !('readings' in decoded.value) || typeof decoded.value.readings === 'number') continue; // a gap counts its readings
    const { stream, readings } = decoded.value;
    byStream.set(stream, [...(byStream.get(stream) ?? []), ...readings.map(({ value }) => value)]);
  }
  return [...byStream].map(([stream, values]) => ({ stream, values })).sort((a, b) => a.stream.localeCompare(b.stream));
}

/** Changes one stored number behind everybody's back, checksum and all. */
function raiseOneSaturation(data: string): void {
  for (const { row, message } of chunks(data)) {
    const decoded = decodeMessage(new Uint8Array(message));
    if (!decoded.ok || decoded.value.stream !== 'spo2') continue;
    const [first, ...rest] = decoded.value.readings;
    if (first === undefined) continue;
    const changed = encodeMessage({ ...decoded.value, readings: [{ ...first, value: 100 }, ...rest] });
    const database = new Database(path.join(data, 'readings.sqlite'));
    database.prepare('UPDATE chunk SET message = ? WHERE rowid = ?').run(changed, row);
    database.close();
    return;
  }
  throw new Error('no SpO2 is stored');
}

function chunks(data: string): { row: number; message: Uint8Array }[] {
  const database = new Database(path.join(data, 'readings.sqlite'), { readonly: true });
  try {
    return database.prepare('SELECT rowid AS row, message FROM chunk ORDER BY recording_id, seq').all() as {
      row: number;
      message: Uint8Array;
    }[];
  } finally {
    database.close();
  }
}
