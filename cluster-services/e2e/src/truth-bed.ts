import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@vitalwire/client';
import { runPlain, takeSnapshot } from '@vitalwire/tui';
import { ownCommand, type ServiceName } from 'vitalwire/stack';
import { atEnd, type Bed } from './bed.ts';
import { RunningCommand } from './command.ts';
import { eegRequest, numericRequest, sendAs } from './devices.ts';
import { readStoredTruth } from './stored-truth.ts';
import { TruthWatch } from './truth-watch.ts';

export const services: readonly ServiceName[] = ['edge', 'ingest', 'storage', 'prediction', 'alarms', 'web'];
/** Who is not replayed, and fell silent before anybody watched. */
export const SILENT = 'silent';
const WIDTH = 160;
const HEIGHT = 50;
const LOOK_EVERY_MS = 350;
const SNAPSHOT_EVERY_MS = 2_000;
const ASK_STORAGE_EVERY_MS = 2_000;
const SECOND = 1_000_000;

/** Looks at every screen of a bed at least twice a second, until it is asked what it saw. */
export type Looking = {
  readonly watch: TruthWatch;
  /** Ends it, waits until everything is stored, and compares. */
  judge(): Promise<string[]>;
};

export async function lookAt(bed: Bed): Promise<Looking> {
  const watch = new TruthWatch((key) => key !== SILENT);
  const viewer = await bed.viewer();
  const ended = new AbortController();
  const { signal } = ended;
  atEnd(() => {
    ended.abort();
    return viewer.close();
  });
  viewer.live({ streams: [] }, { onState: ({ patients }) => watch.takePush({ patients, nowUs: viewer.nowUs() }, Date.now()) });
  const plain = runPlain({ client: viewer, signal, write: (line) => watch.takeLine(line, Date.now()) });
  const pane = openWall(bed);
  const loop = async (everyMs: number, look: () => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      const startedMs = Date.now();
      await look();
      await sleep(Math.max(0, startedMs + everyMs - Date.now()));
    }
  };
  const loops = [
    loop(LOOK_EVERY_MS, async () => {
      const askedMs = Date.now();
      const wall = await viewer.state().catch(() => null); // web may be dead: then nothing is shown but what open screens keep
      if (wall === null) watch.takeNoState(askedMs);
      else watch.takeState(wall, askedMs, Date.now());
    }),
    loop(LOOK_EVERY_MS, async () => {
      const fromMs = Date.now();
      watch.takeFrame(pane.capture(), fromMs, Date.now(), 'wall');
    }),
    loop(SNAPSHOT_EVERY_MS, async () => {
      const frame = await takeSnapshot({
        client: viewer,
        env: { LANG: 'C.UTF-8', NO_COLOR: '1' },
        signal,
        width: WIDTH,
        height: HEIGHT,
        waitMs: 500,
      });
      watch.takeFrame(frame, Date.now(), Date.now(), 'snapshot');
    }),
    loop(ASK_STORAGE_EVERY_MS, () => askStorage(viewer, watch).catch(() => {})), // it may be dead
  ];
  return {
    watch,
    async judge() {
      ended.abort();
      await Promise.all([...loops, plain]);
      await bed.untilDelivered();
      watch.compareWith(await readStoredTruth(bed.client));
      return watch.faults;
    },
  };
}

async function askStorage(viewer: Client, watch: TruthWatch): Promise<void> {
  const { patients } = await viewer.patients();
  for (const { id: patient } of patients) {
    const { devices } = await viewer.latest({ patient });
    watch.takeLatest(devices, await viewer.state(), Date.now());
  }
  const asked = patients[watch.counts.ledgers % patients.length];
  const ledger = asked === undefined ? null : await viewer.ledger({ patient: asked.id });
  const { recordings } = await viewer.recordings({ limit: 1_000 });
  watch.takeRecordings(recordings, Date.now());
  if (ledger !== null) watch.takeLedger(ledger, recordings, Date.now());
}

/** The wall as a person has it, in a real terminal. */
function openWall(bed: Bed): { capture(): string } {
  const server = `vw-truth-${process.pid}-${Date.now()}`;
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', server, '-f', '/dev/null', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const { command, args } = ownCommand('watch', '--data', bed.dirs.root, '--by', 'nurse-9');
  const line = ['env', 'TERM=tmux-256color', 'LANG=C.UTF-8', command, ...args].map((part) => `'${part}'`).join(' ');
  tmux('new-session', '-d', '-x', String(WIDTH), '-y', String(HEIGHT), `${line}; sleep 600`);
  atEnd(() => tmux('kill-server'));
  return { capture: () => tmux('capture-pane', '-p') };
}

/** Somebody who is not replayed, sent a little and fell silent without an end. */
export async function addSilentPatient(bed: Bed): Promise<void> {
  const { client } = bed;
  await client.putPatient(SILENT, { label: 'Silent' });
  for (const [device, kind] of [
    ['eeg-silent', 'eeg'],
    ['phone-silent', 'phone'],
  ] as const) {
    await client.putDevice(device, { kind });
    await client.putAssignment({ device, patient: SILENT, fromUs: 0, toUs: null });
  }
  await sendAs(bed, 'eeg-silent', '/v1/eeg', eegRequest((await client.time()) - SECOND, 1));
  await sendAs(bed, 'phone-silent', '/v1/numeric/heart-rate', numericRequest((await client.time()) - 90 * SECOND, [72], { kind: 'phone' }));
}

/** The demo's synthetic patients, as `vitalwire demo` plays them; `end` ends their recordings in order. */
export function replayDemo(bed: Bed, patients: number): { end(): Promise<void> } {
  const replay = new RunningCommand(['replay', 'demo', '--patients', String(patients), '--seed', '1', '--json', '--data', bed.dirs.root]);
  atEnd(() => replay.kill());
  return {
    async end() {
      const { code, stderr } = await replay.interrupt();
      if (code !== 0) throw new Error(`the replay ended with ${code}: ${stderr}`);
    },
  };
}
