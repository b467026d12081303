import { chownSync, mkdirSync, readFileSync, renameSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '@vitalwire/runtime';
import { removeTempDir, tempDir, VirtualClock } from '@vitalwire/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DeviceTokens, ensureDeviceToken, ensureOperatorToken, revokeDeviceToken } from './device-tokens.ts';

let dir: string;
let clock: VirtualClock;
let lines: string[];
let tokens: DeviceTokens;

beforeEach(async () => {
  dir = tempDir('vw-tokens-');
  clock = new VirtualClock();
  lines = [];
  tokens = new DeviceTokens(dir, clock, createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } }));
  await tokens.start();
});
afterEach(() => removeTempDir(dir));

test('a token belongs to its device at once, and a changed or removed file counts within a second', async () => {
  const { token, made } = await ensureDeviceToken(dir, 'eeg-1');
  expect(made).toBe(true);
  expect(await tokens.deviceOf(token)).toBe('eeg-1'); // although the directory was read a moment ago
  const rotated = await ensureDeviceToken(dir, 'eeg-1', true);
  await clock.advance(1_001);
  expect(await tokens.deviceOf(token)).toBeNull();
  expect(await tokens.deviceOf(rotated.token)).toBe('eeg-1');
  expect(await revokeDeviceToken(dir, 'eeg-1')).toBe(true);
  await clock.advance(1_001);
  expect(await tokens.deviceOf(rotated.token)).toBeNull();
  expect(await revokeDeviceToken(dir, 'eeg-1')).toBe(false);
});

test('asking again gives the same token, readable by its owner alone', async () => {
  const first = await ensureDeviceToken(dir, 'eeg-1');
  expect(await ensureDeviceToken(dir, 'eeg-1')).toEqual({ token: first.token, made: false });
  expect(statSync(join(dir, 'eeg-1')).mode & 0o777).toBe(0o600);
});

test('a token that two devices share is valid for neither, and the log says so without telling it', async () => {
  writeFileSync(join(dir, 'a'), 'the-same-long-token-1');
  writeFileSync(join(dir, 'b'), 'the-same-long-token-1');
  await clock.advance(1_001);
  expect(await tokens.deviceOf('the-same-long-token-1')).toBeNull();
  expect(lines.join('')).toMatch(/a and b share one token/);
  expect(lines.join('')).not.toMatch(/the-same-long-token/);
});

test.each(['', 'short', 'with a space in it'])('a file with %j in it is no token', async (text) => {
  writeFileSync(join(dir, 'eeg-1'), text);
  await clock.advance(1_001);
  expect(await tokens.deviceOf(text)).toBeNull();
  expect(tokens.size).toBe(0);
});

test('a name that is no device id is refused', async () => {
  await expect(ensureDeviceToken(dir, '../etc/passwd')).rejects.toMatchObject({ code: 'TOKEN_UNUSABLE' });
  await expect(revokeDeviceToken(dir, 'a/b')).rejects.toMatchObject({ code: 'TOKEN_UNUSABLE' });
});

test("the operator's token is made once, and replaced by one that is set", async () => {
  const path = join(dir, 'agent.token');
  const made = await ensureOperatorToken(path, undefined);
  expect(await ensureOperatorToken(path, undefined)).toBe(made);
  expect(await ensureOperatorToken(path, 'one-that-is-set-by-hand')).toBe('one-that-is-set-by-hand');
  expect(readFileSync(path, 'utf8')).toBe('one-that-is-set-by-hand\n');
});

test('a token file that cannot be read is neither made anew nor forgotten', async () => {
  const { token } = await ensureDeviceToken(dir, 'eeg-1');
  expect(await tokens.deviceOf(token)).toBe('eeg-1');
  renameSync(join(dir, 'eeg-1'), join(dir, 'away~'));
  mkdirSync(join(dir, 'eeg-1')); // reading a directory fails for every user, as a sick disk does
  await expect(ensureDeviceToken(dir, 'eeg-1')).rejects.toMatchObject({ code: 'KEPT_UNREADABLE' });
  await clock.advance(1_001);
  expect(await tokens.deviceOf(token)).toBe('eeg-1');
  expect(lines.join('')).toMatch(/EISDIR/);
  rmdirSync(join(dir, 'eeg-1'));
  renameSync(join(dir, 'away~'), join(dir, 'eeg-1'));
  expect(await ensureDeviceToken(dir, 'eeg-1')).toEqual({ token, made: false });
  const operator = join(dir, 'operator~');
  mkdirSync(operator);
  await expect(ensureOperatorToken(operator, undefined)).rejects.toMatchObject({ code: 'KEPT_UNREADABLE' });
});

test('root makes a token for whoever owns the data directory', async () => {
  const isRoot = process.getuid?.() === 0;
  const data = join(dir, 'data~');
  mkdirSync(data);
  const theirs = isRoot ? 12_345 : statSync(data).uid;
  if (isRoot) chownSync(data, theirs, theirs);
  await ensureDeviceToken(join(data, 'tokens'), 'eeg-1');
  expect(statSync(join(data, 'tokens')).uid).toBe(theirs);
  expect(statSync(join(data, 'tokens', 'eeg-1')).uid).toBe(theirs);
  expect(statSync(join(data, 'tokens', 'eeg-1')).mode & 0o777).toBe(0o600);
});
