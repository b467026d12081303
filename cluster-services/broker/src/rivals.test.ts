import { encodeLiveStatus, type LiveStatus, newRecordingId } from '@vitalwire/contract';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Rivals } from './rivals.ts';

const sessions = [1, 2, 3].map((number) => newRecordingId('gw-1', 1_764_000_000_000, new Uint8Array(6).fill(number)));

test('an agent that is started again is no rival; two that speak in turn are, for two minutes after the last turn', async () => {
  const clock = new VirtualClock();
  const rivals = new Rivals(clock);
  const heard = (index: number): boolean => rivals.heard('gw-1', statusOf(sessions[index] ?? ''));
  expect([heard(0), heard(0), heard(1), heard(1), heard(2)]).toEqual([false, false, false, false, false]);
  expect(rivals.has('gw-1')).toBe(false);
  expect(heard(1)).toBe(true);
  expect(rivals.has('gw-1')).toBe(true);
  expect(rivals.has('gw-2')).toBe(false);
  await clock.advance(119_000);
  expect(rivals.has('gw-1')).toBe(true);
  await clock.advance(1_000);
  expect(rivals.has('gw-1')).toBe(false);
});

test('the farewell of the session before is not a rival speaking', () => {
  const rivals = new Rivals(new VirtualClock());
  rivals.heard('gw-1', statusOf(sessions[0] ?? ''));
  rivals.heard('gw-1', statusOf(sessions[1] ?? ''));
  expect(rivals.heard('gw-1', statusOf(sessions[0] ?? '', { online: false }))).toBe(false);
  expect(rivals.heard('gw-1', Uint8Array.of(1))).toBe(false);
  expect(rivals.has('gw-1')).toBe(false);
});

function statusOf(session: string, part: Partial<LiveStatus> = {}): Uint8Array {
  return encodeLiveStatus({
    stream: 'live-status',
    gateway: 'gw-1',
    session,
    online: true,
    version: '1',
    depthChunks: 0,
    depthBytes: 0,
    oldestAgeMs: null,
    lastPubackUs: null,
    chunksPerSecondIn: 0,
    chunksPerSecondOut: 0,
    secondsUntilFull: null,
    certificateDaysLeft: null,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    measuredAtUs: 1_764_000_000_000_000,
    ...part,
  });
}
