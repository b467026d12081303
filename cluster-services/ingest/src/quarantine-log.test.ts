import { createLog } from '@vitalwire/runtime';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { QuarantineLog } from './quarantine-log.ts';

test('a broken device is told of at once, and then once a minute with a count, each reason by itself', async () => {
  const clock = new VirtualClock();
  const lines: { reason: string; messages: number }[] = [];
  const log = createLog({ name: 'test', destination: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const quarantined = new QuarantineLog(clock, log);
  for (let index = 0; index < 1_000; index += 1) quarantined.add('gw-1', 'vw/1/00/gw-1/d/eeg', 'truncated');
  quarantined.add('gw-1', 'vw/1/00/gw-1/d/eeg', 'damaged');
  await clock.advance(60_000);
  quarantined.add('gw-1', 'vw/1/00/gw-1/d/eeg', 'truncated');
  expect(lines.map(({ reason, messages }) => [reason, messages])).toEqual([
    ['truncated', 1],
    ['damaged', 1],
    ['truncated', 1_000],
  ]);
});
