import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { VirtualClock } from '@vitalwire/testkit';
import { afterEach, expect, test } from 'vitest';
import { resolveDataDir } from '../stack/data-dir.ts';
import { control } from './control.ts';
import { askReplay, ControlSocket, refuseSecondSender, runningReplays } from './control-socket.ts';
import { pressKey } from './keys.ts';
import { manifestPath, writeManifest } from './manifest.ts';
import { Replay } from './replay.ts';
import { TestIntake } from './test-intake.ts';
import { Transport } from './transport.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('whoever may read the data directory steers a replay: pause, seek, speed and status', async () => {
  const { dirs, replay, clock } = await bed();
  const stop = new AbortController();
  const done = replay.run(new Map(), stop.signal, new AbortController().signal);
  await clock.advance(2_000);
  const ask = (request: Parameters<typeof askReplay>[2]) => askReplay(dirs, replay.id, request);
  expect(await ask({ do: 'status' })).toMatchObject({ state: 'playing', speed: 1, sourceS: 2 });
  expect(await ask({ do: 'pause' })).toMatchObject({ state: 'paused', sourceS: 2 });
  expect(await ask({ do: 'seek', toUs: 30e6 })).toMatchObject({ state: 'paused', sourceS: 30 });
  expect(await ask({ do: 'speed', speed: 0 })).toMatchObject({ state: 'paused', speed: 0 });
  expect(await ask({ do: 'speed', speed: 10 })).toMatchObject({ state: 'paused', speed: 10 });
  expect(await ask({ do: 'resume' })).toMatchObject({ state: 'playing', speed: 10, sourceS: 30 });
  await clock.advance(1_000);
  expect(await askReplay(dirs, 'synth', { do: 'status' })).toMatchObject({ sourceS: 40 });
  stop.abort();
  await clock.advance(100);
  await done;
  expect(replay.manifest(true).takes.map(({ speed, fromUs }) => [speed, fromUs])).toEqual([
    [1, 0],
    [10, 30_000_000],
  ]);
});

test('what cannot be done is refused with the reason, and nothing changes', async () => {
  const { dirs, replay } = await bed();
  await expect(askReplay(dirs, replay.id, { do: 'seek', toUs: 61e6 })).rejects.toThrow(
    /lies between 0 s and 60 s of its source, not at 61 s/,
  );
  for (const text of [
    '',
    '{',
    '{"do":"dance"}',
    '{"do":"speed","speed":-1}',
    '{"do":"speed","speed":1e9}',
    '{"do":"seek","toUs":"soon"}',
    '{"do":"pause","now":1}',
  ])
    expect(control(replay, text)).toMatchObject({ ok: false, error: expect.stringMatching(/./) });
  expect(replay.transport.state).toEqual({ state: 'playing', speed: 1, lineUs: 0 });
});

test('the socket and the file that names it are for their owner only, and go with the replay', async () => {
  const { dirs, replay, socket } = await bed();
  for (const name of [`${replay.id}.control`, `${replay.id}.sock`])
    expect(statSync(path.join(dirs.replays, name)).mode & 0o777).toBe(0o600);
  await socket.close();
  expect(existsSync(path.join(dirs.replays, `${replay.id}.control`))).toBe(false);
  expect(existsSync(path.join(dirs.replays, `${replay.id}.sock`))).toBe(false);
  await expect(askReplay(dirs, replay.id, { do: 'status' })).rejects.toThrow(/no such replay is running: .*none is running here/);
});

test('a directory too deep for a socket has it elsewhere', async () => {
  const { dirs, replay } = await bed('d'.repeat(120));
  expect(await askReplay(dirs, replay.id, { do: 'status' })).toMatchObject({ state: 'playing' });
});

test('a replay that was killed is told as ended, and its file cleared away', async () => {
  const { dirs } = await bed();
  writeFileSync(path.join(dirs.replays, 'bonn-1.control'), path.join(dirs.replays, 'gone.sock'));
  await expect(askReplay(dirs, 'bonn-1', { do: 'status' })).rejects.toThrow(/bonn-1 does not answer: it has ended/);
  expect(runningReplays(dirs)).not.toContain('bonn-1');
  writeFileSync(path.join(dirs.replays, 'synth-2.control'), 'x');
  await expect(askReplay(dirs, 'synth-', { do: 'status' })).rejects.toThrow(/fits synth-.* and synth-/);
});

test('a patient that a running replay sends is refused to a second one, and free once that has ended or was killed', async () => {
  const { dirs, replay, socket } = await bed();
  const [sent = ''] = replay.patients.map(({ id }) => id);
  await refuseSecondSender(dirs, [sent]); // it has sent nothing yet
  await writeManifest(manifestPath(dirs, replay.id), replay.manifest(false));
  await refuseSecondSender(dirs, ['somebody else']);
  await expect(refuseSecondSender(dirs, [sent, 'somebody else'])).rejects.toThrow(
    `another replay is sending as these patients: ${sent}, by the replay ${replay.id}; end it`,
  );
  await socket.close();
  writeFileSync(path.join(dirs.replays, `${replay.id}.control`), path.join(dirs.replays, 'gone.sock'));
  await refuseSecondSender(dirs, [sent]);
});

test('nonsense from the other side is an error, not a crash', async () => {
  const { dirs } = await bed();
  const file = path.join(dirs.replays, 'odd.sock');
  const odd = createServer((client) => client.end('{"ok":"maybe"}\n')).listen(file);
  cleanups.push(() => odd.close());
  await new Promise((resolve) => odd.once('listening', resolve));
  writeFileSync(path.join(dirs.replays, 'odd.control'), file);
  await expect(askReplay(dirs, 'odd', { do: 'status' })).rejects.toThrow(/answers in another way/);
});

test('keys: space, plus, minus and arrows within what there is to play; q and Ctrl-C end it, others do nothing', async () => {
  const transport = new Transport(new VirtualClock(), 1);
  const press = (key: string): boolean => pressKey(key, transport, 60e6);
  press('+');
  press('+');
  press('-');
  expect(transport.state.speed).toBe(2);
  for (let times = 0; times < 20; times += 1) press('-');
  expect(transport.state.speed).toBe(0.1);
  for (let times = 0; times < 20; times += 1) press('+');
  expect(transport.state.speed).toBe(1_000);
  press('\x1b[C');
  expect(transport.state.lineUs).toBe(10e6);
  press('\x1b[A');
  expect(transport.state.lineUs).toBe(59e6);
  press('\x1b[B');
  press('\x1b[D');
  expect(transport.state.lineUs).toBe(0);
  press(' ');
  expect(transport.state.state).toBe('paused');
  press(' ');
  expect(['x', '\x1b[Z'].map(press)).toEqual([false, false]);
  expect(transport.state.state).toBe('playing');
  expect(['q', '\x03'].map(press)).toEqual([true, true]);
});

async function bed(below = '') {
  const root = mkdtempSync(path.join(tmpdir(), 'vw-control-'));
  cleanups.push(() => rmSync(root, { recursive: true, force: true }));
  const dirs = resolveDataDir(path.join(root, below), {});
  mkdirSync(dirs.replays, { recursive: true });
  const clock = new VirtualClock();
  const replay = await Replay.open({
    sources: [{ kind: 'synth', settings: { seed: 1, durationS: 60, channels: 1, artefacts: 'none' } }],
    play: { startUs: 0, durationUs: null, loop: false, channels: null, staggerUs: 0, faults: null },
    speed: 1,
    dirs,
    clock,
    post: new TestIntake().post,
  });
  const socket = await ControlSocket.listen(dirs, replay.id, (text) => control(replay, text));
  cleanups.push(() => socket.close());
  return { dirs, replay, clock, socket };
}
