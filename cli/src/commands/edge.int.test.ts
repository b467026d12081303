import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { ownCommand } from '../stack/spawn-service.ts';
import { statusLines } from './edge-view.ts';

const NOBODY = 65_534;

test.skipIf(process.getuid?.() !== 0)("another user's agent is not called absent: the command says whose directory it is", async () => {
  const dir = tempDir('vw-other-');
  try {
    mkdirSync(join(dir, 'agent'), { mode: 0o700 });
    const { command, args } = ownCommand('edge', 'status', '--data', join(dir, 'agent'));
    const child = spawn(command, args, { uid: NOBODY, gid: NOBODY, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    expect(await new Promise((resolve) => child.once('close', resolve)), said).toBe(3);
    expect(said).toMatch(/this user may not read it: .* belongs to another user: run this as that one/);
    expect(said).not.toContain('nothing runs');
  } finally {
    removeTempDir(dir);
  }
});

test('a drained agent, every problem and an outbox that is full now stand in its status', () => {
  const lines = statusLines(
    {
      gateway: 'gateway-1',
      session: '019aaaab-0000-7a0b-8c0d-0e0fe11eea07',
      online: true,
      version: '0.1.0',
      depthChunks: 3,
      depthBytes: 3_000,
      oldestAgeMs: 10,
      lastPubackUs: null,
      chunksPerSecondIn: 1,
      chunksPerSecondOut: 0,
      secondsUntilFull: 0,
      certificateDaysLeft: -1,
      problem: 'the first',
      problems: ['the first', 'the second'],
      clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
      measuredAtUs: 0,
      intake: { draining: true },
    },
    0,
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      '  PROBLEM      the first',
      '  PROBLEM      the second',
      expect.stringMatching(/^ {2}DRAINED .*edge drain --resume/),
      '  until full   full now',
      '  certificate  EXPIRED',
    ]),
  );
});
