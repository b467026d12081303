import { fileURLToPath } from 'node:url';
import { decodeMessage } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { atEnd, Bed } from './bed.ts';
import { RunningCommand } from './command.ts';
import { replayAtFullSpeed } from './full-speed.ts';

const everything = fileURLToPath(new URL('../../../datasets/faults/everything.yaml', import.meta.url));

// One bed for all of it: what is measured here is the replay, not how a stack starts.
test('a replay of a file at full speed, of every fault, and one that is steered: all are stored as they were sent', async (context) => {
  const bed = await Bed.start();
  const full = await replayAtFullSpeed(bed, 120);
  void context.annotate(JSON.stringify(full), 'notice');
  expect(full.verified).toMatchObject({ lost: 0, duplicated: 0, different: 0, ledgerMissing: 0 });
  expect(full.peakMb).toBeLessThanOrEqual(200);

  const faults = new RunningCommand([
    'replay',
    'synth',
    '--duration',
    '66s',
    '--speed',
    '6',
    '--faults',
    everything,
    '--data',
    bed.dirs.root,
    '--json',
  ]);
  atEnd(() => faults.kill());
  const ended = await faults.ended;
  expect(ended.code, ended.stderr).toBe(0);
  const end = faults.events.at(-1) as { id: string; copies: number; unfinished: string[] };
  expect(end.copies).toBeGreaterThan(0);
  expect(end.unfinished).toEqual([]);
  await expectSame(bed);
  const captures = await capturesOf(bed, 'synth-01-eeg');
  expect(captures.filter((id) => id.includes('-late-')).length).toBeGreaterThan(0);
  expect(new Set(captures.filter((id) => !id.includes('-late-'))).size).toBe(2); // the device started again once
  const { spans } = await bed.client.ledger({ device: 'synth-01-eeg' });
  const holesS = spans
    .filter(({ stream, state, reason }) => stream === 'eeg' && state === 'not-recorded' && reason === 'device-off')
    .map(({ fromUs, toUs }) => Math.round((toUs - fromUs) / 1e6));
  expect(holesS).toEqual([2, 2, 3]); // gap, restart, and the link cut whose device keeps nothing

  const steered = new RunningCommand(['replay', 'demo', '--patients', '2', '--data', bed.dirs.root, '--json']);
  atEnd(() => steered.kill());
  await until(() => steered.events.some((event) => event['type'] === 'start'), { timeoutMs: 30_000, what: 'the replay has started' });
  const id = String(steered.events[0]?.['id']);
  const ask = async (...words: string[]) => {
    const { code, stdout } = await bed.cli('replay', 'control', id, ...words, '--json');
    expect(code, stdout).toBe(0);
    return JSON.parse(stdout) as { state: string; speed: number; sourceS: number };
  };
  expect(await ask('speed', '20')).toMatchObject({ state: 'playing', speed: 20 });
  expect(await ask('pause')).toMatchObject({ state: 'paused' });
  expect(await ask('seek', '60s')).toMatchObject({ state: 'paused', sourceS: 60 });
  expect(await ask('resume')).toMatchObject({ state: 'playing', speed: 20 });
  await until(async () => (await ask('status')).sourceS > 80, { timeoutMs: 30_000, everyMs: 500, what: 'it has played on' });
  expect((await bed.cli('replay', 'control', id, 'seek', '10h')).code).toBe(2);
  const stopped = await steered.interrupt();
  expect(stopped.code, stopped.stderr).toBe(0);
  await expectSame(bed);
  const events = await eventTypes(bed, 'synth-02-eeg');
  expect(events).toContain('replay-speed');
  expect(events).toContain('replay-seek');
  expect((await bed.cli('replay', 'control', id, 'status')).code).toBe(3);
}, 240_000);

async function expectSame(bed: Bed): Promise<void> {
  await bed.untilDelivered();
  const { code, stdout } = await bed.cli('verify', '--json');
  expect(code, stdout).toBe(0);
}

async function capturesOf(bed: Bed, device: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { captureId } of bed.client.eachRecording({ device, stream: 'eeg' })) found.push(captureId ?? '');
  return [...new Set(found)];
}

async function eventTypes(bed: Bed, device: string): Promise<string[]> {
  const types: string[] = [];
  for await (const { recordingId } of bed.client.eachRecording({ device, stream: 'event' })) {
    for await (const bytes of bed.client.eachChunk(recordingId)) {
      const message = decodeMessage(bytes);
      if (message.ok && message.value.stream === 'event') types.push(...message.value.events.map(({ type }) => type));
    }
  }
  return types;
}
