import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeMessage, encodeMessage } from '@vitalwire/contract';
import { hasMariaDb, recordings, startMariaDb, until } from '@vitalwire/testkit';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import type { DemoSummary } from './compare/demo-summary.ts';
import { demoPatient } from './replay/demo-patients.ts';
import type { ScoreReport } from './score/report.ts';
import { directory, type Event, endAll, ends, start } from './test-command.ts';

// The command as a process, with every real service behind it.
afterEach(endAll);

test('up starts everything, says so, stops cleanly by itself, and leaves neither processes nor its file behind', async () => {
  const data = directory();
  const up = start('up', '--data', data, '--json', '--for', '1s');
  expect(await up.exited).toBe(0);
  const ready = up.events.find((event) => event['type'] === 'ready');
  expect(ready).toMatchObject({ dataDir: data, database: 'sqlite' });
  expect(ready?.['tookMs']).toBeLessThan(20_000); // 5 s on an idle machine
  expect(up.events.at(-1)?.['type']).toBe('stopped');
  expect(up.events.filter((event) => event['state'] === 'restarting')).toEqual([]);
  // Right to left: what was started last is stopped first.
  const stops = up.events.filter((event) => event['state'] === 'stopped').map((event) => event['name']);
  expect(stops.slice(-2)).toEqual(['ingest', 'storage']);
  for (const pid of pidsOf(up.events)) expect(isAlive(pid)).toBe(false);
  expect(existsSync(path.join(data, 'stack.json'))).toBe(false);
  expect(existsSync(path.join(data, 'stack.lock'))).toBe(false);
});

test('a second up on the same directory is refused in one sentence; status, doctor and a killed service see the first one', async () => {
  const data = directory();
  const up = start('up', '--data', data, '--json');
  await up.event((event) => event['type'] === 'ready');

  const second = start('up', '--data', data);
  expect(await second.exited).toBe(3);
  expect(second.stderr()).toContain(`${data} belongs to the stack of process ${up.child.pid}`);
  expect(second.stderr()).not.toMatch(/\n\s+at /);

  const status = start('status', '--data', data, '--json');
  expect(await status.exited).toBe(0);
  expect(status.events[0]).toMatchObject({ running: true, pid: up.child.pid });
  const doctor = start('doctor', '--data', data, '--json');
  expect(await doctor.exited).toBe(0);

  const web = up.events.findLast((event) => event['name'] === 'web' && event['state'] === 'ready');
  process.kill(Number(web?.['pid']), 'SIGKILL');
  const crash = await up.event((event) => event['name'] === 'web' && event['state'] === 'restarting');
  expect(crash['lastCrash']).toMatchObject({ reason: expect.stringContaining('SIGKILL') });
  await up.event((event) => event['name'] === 'web' && event['state'] === 'ready' && event['restarts'] === 1);

  up.child.kill('SIGTERM');
  expect(await up.exited).toBe(0);
});

test('a supervisor that is killed leaves no services behind, and the next start needs no help', async () => {
  const data = directory();
  const up = start('up', '--data', data, '--json');
  await up.event((event) => event['type'] === 'ready');
  const pids = pidsOf(up.events);
  expect(pids).toHaveLength(6);
  up.child.kill('SIGKILL');
  await until(() => pids.every((pid) => !isAlive(pid)), { timeoutMs: 15_000 });
  const again = start('up', '--data', data, '--json', '--for', '1s');
  expect(await again.exited).toBe(0);
});

test('a stack that is started again has the ports it had; a running replay goes on with it, even at an intake that was moved', async () => {
  const data = directory();
  const up = start('up', '--data', data, '--json');
  const first = await up.event((event) => event['type'] === 'ready');
  const replay = start('replay', 'synth', '--data', data, '--speed', '1', '--json');
  const samples = (event: Record<string, unknown>): number => Number(event['samplesSent'] ?? 0);
  await replay.event((event) => event['type'] === 'progress' && samples(event) > 0);
  up.child.kill('SIGTERM');
  expect(await up.exited).toBe(0);

  const again = start('up', '--data', data, '--json', '--port', 'intake=0');
  const second = await again.event((event) => event['type'] === 'ready');
  const [before, after] = [first['urls'], second['urls']] as Record<string, unknown>[];
  expect(after?.['intake']).not.toBe(before?.['intake']);
  expect({ ...after, intake: '' }).toEqual({ ...before, intake: '' });
  const answered = Math.max(...replay.events.map(samples));
  await replay.event((event) => event['type'] === 'progress' && samples(event) > answered + 256);
  replay.child.kill('SIGINT');
  expect(await replay.exited, replay.stderr()).toBe(0);
  expect(replay.events.at(-1)).toMatchObject({ type: 'end', unfinished: [] });
  again.child.kill('SIGTERM');
  expect(await again.exited).toBe(0);
});

test('a demo of 8 s loses, doubles and changes nothing; verify says the same, and sees one flipped sample', async () => {
  const data = directory();
  const demo = start('demo', '--for', '8s', '--json', '--patients', '4', '--recordings', 'none', '--keep', data);
  expect(await demo.exited, demo.stderr()).toBe(0);
  const summary = JSON.parse(demo.lastLine()) as DemoSummary;
  expect(summary).toMatchObject({
    lost: 0,
    duplicated: 0,
    different: 0,
    drained: true,
    backend: expect.any(String),
    played: { synthetic: 4, bonn: 0 },
  });
  expect(summary.samplesStored).toBeGreaterThan(4 * 256 * 7);
  expect(summary.samplesStored).toBe(summary.samplesSent);
  expect(summary.windows).toBeGreaterThan(4 * 3); // of 4 s, every second
  expect(summary.p50Ms).toBeGreaterThan(0);
  expect(summary.label).toContain('Not a medical device');

  const up = start('up', '--data', data, '--json');
  await up.event((event) => event['type'] === 'ready');
  const verify = start('verify', '--source', 'synth', '--data', data, '--json');
  expect(await verify.exited, verify.stderr()).toBe(0);
  expect(verify.events[0]).toMatchObject({
    same: true,
    lost: 0,
    duplicated: 0,
    different: 0,
    samplesStored: summary.samplesStored + summary.readingsStored,
  });

  const { device, seq } = flipOneSample(data);
  const after = start('verify', '--data', data, '--json');
  expect(await after.exited).toBe(1);
  expect(after.events[0]).toMatchObject({
    same: false,
    lost: 0,
    different: 1,
    firstDifferences: [expect.objectContaining({ device, stream: 'eeg', seq })],
  });
  up.child.kill('SIGINT');
  expect(await up.exited).toBe(0);
}, 120_000);

test('a replay of two minutes in three seconds is scored: its seizures are those of the source, and its tables score the same', async () => {
  const data = directory();
  const up = start('up', '--data', data, '--json');
  await up.event((event) => event['type'] === 'ready');
  const replay = start('replay', 'demo', '--data', data, '--patients', '2', '--speed', '40', '--for', '3s', '--seed', '5', '--json');
  expect(await replay.exited, replay.stderr()).toBe(0);
  const manifest = String(replay.events.at(-1)?.['manifest']);
  const tables = path.join(data, 'tables');
  const svg = path.join(data, 'score.svg');
  let report: ScoreReport | undefined;
  // The last windows are detected, and the last alarms stored, a moment after the last sample.
  await until(
    async () => {
      const score = start('score', '--data', data, '--manifest', manifest, '--json', '--svg', svg, '--tsv', tables);
      expect(await score.exited, score.stderr()).toBe(0);
      report = score.events[0] as unknown as ScoreReport;
      return report.recordings.every(({ windows, notes }) => (windows?.windows ?? 0) > 50 && notes.length === 0);
    },
    { timeoutMs: 45_000, everyMs: 500, what: 'every window has its detection, every alarm is stored' },
  );
  if (report === undefined) throw new Error('nothing was scored');
  expect(report).toMatchObject({ dataLabel: 'assembled data, not a clinical rate', timeLabel: 'data time; not a latency of the pipeline' });
  expectTrueReference(report);
  const engine = report.hypotheses.find(({ name }) => name === 'engine'); // alarms as the service stored them
  expect(engine?.events.tp).toBeGreaterThan(0);
  const raw = report.hypotheses.find(({ name }) => name === 'raw');
  expect(raw?.events.tp).toBeGreaterThan(0);
  expect(raw?.latency?.medianS).toBeLessThan(10);
  expect(readFileSync(svg, 'utf8')).toContain('seizure, detected');

  const again = start(
    'score',
    '--reference',
    path.join(tables, 'reference'),
    '--hypothesis',
    path.join(tables, 'hypothesis-raw'),
    '--json',
  );
  expect(await again.exited, again.stderr()).toBe(0);
  // A table does not say what was judged: there false alarms are per hour of the recording.
  expect((again.events[0] as unknown as ScoreReport).hypotheses[0]?.events).toEqual({ ...raw?.events, fpPerDay: expect.any(Number) });

  await expectSecondTakeScoresAlike(data, manifest, engine);

  const none = start('score', '--data', data, '--device', 'nobody');
  expect(await none.exited).toBe(3);
  expect(none.stderr()).toContain('no EEG of a second or more is stored there');
  const twice = start('score', '--data', data, '--manifest', manifest, '--reference', svg, '--hypothesis', svg);
  expect(await twice.exited).toBe(2);
  up.child.kill('SIGINT');
  expect(await up.exited).toBe(0);
}, 180_000);

/** The seizures of the first patient, as far as they were replayed. */
function expectTrueReference(report: ScoreReport): void {
  const first = report.recordings.find(({ subject }) => subject === 'synth-01');
  const durationS = first?.durationS ?? 0;
  expect(durationS).toBeGreaterThan(110);
  const { seizures } = demoPatient(5, 0);
  const truth = (Array.isArray(seizures) ? seizures : []).filter(({ onsetS }) => onsetS < durationS);
  expect(truth.length).toBeGreaterThan(0);
  expect(first?.reference).toHaveLength(truth.length);
  for (const [index, { onsetS, durationS: lasts }] of truth.entries()) {
    expect(first?.reference[index]?.startS).toBeCloseTo(onsetS, 4);
    expect(first?.reference[index]?.endS).toBeCloseTo(Math.min(durationS, onsetS + lasts), 4);
  }
}

/** The same again, on the same devices and over data time that overlaps the first: another take, with alarms of its own. */
async function expectSecondTakeScoresAlike(
  data: string,
  manifest: string,
  engine: ScoreReport['hypotheses'][number] | undefined,
): Promise<void> {
  const second = start('replay', 'demo', '--data', data, '--patients', '2', '--speed', '40', '--for', '3s', '--seed', '5', '--json');
  expect(await second.exited, second.stderr()).toBe(0);
  const manifests = [manifest, String(second.events.at(-1)?.['manifest'])];
  const engineOf = async (file: string) => {
    const score = start('score', '--data', data, '--manifest', file, '--json');
    expect(await score.exited, score.stderr()).toBe(0);
    return (score.events[0] as unknown as ScoreReport).hypotheses.find(({ name }) => name === 'engine');
  };
  await until(async () => (await engineOf(manifests[1] ?? ''))?.events.tp === engine?.events.tp, {
    timeoutMs: 45_000,
    everyMs: 500,
    what: 'the second replay raises what the first did',
  });
  expect((await engineOf(manifests[0] ?? ''))?.alarms).toBe(engine?.alarms);
  expect((await engineOf(manifests[1] ?? ''))?.alarms).toBe(engine?.alarms);
}

test.skipIf(!recordings('bonn').here)(
  'where the Bonn recordings are here, half of the patients are of them, and all of it is stored as it was',
  async () => {
    const data = directory();
    const demo = start('demo', '--for', '5s', '--json', '--patients', '2', '--keep', data);
    expect(await demo.exited, demo.stderr()).toBe(0);
    expect(demo.stderr()).toContain('REPLAY of the Bonn recordings');
    expect(JSON.parse(demo.lastLine())).toMatchObject({ lost: 0, duplicated: 0, different: 0, played: { synthetic: 1, bonn: 1 } });
    const up = start('up', '--data', data, '--json');
    await up.event((event) => event['type'] === 'ready');
    const verify = start('verify', '--data', data, '--json');
    expect(await verify.exited, verify.stderr()).toBe(0);
    up.child.kill('SIGTERM');
    expect(await up.exited).toBe(0);
  },
  120_000,
);

test('without them the demo is synthetic and says how to have them; replay bonn says how to fetch', async () => {
  const none = { VITALWIRE_DATASETS: directory(), VITALWIRE_DATASETS_MIRROR: 'none' };
  const demo = start('demo', '--for', '1s', '--json', '--patients', '1', none);
  expect(await demo.exited, demo.stderr()).toBe(0);
  expect(demo.stderr()).toContain('for real recordings: npm run demo -- --recordings bonn');
  const replay = start('replay', 'bonn', none);
  expect(await replay.exited).toBe(3);
  expect(replay.stderr()).toMatch(/bonn is not on this machine .*'vitalwire datasets fetch bonn' fetches it \(about 3 MB, CC BY 4\.0\)/);
  for (const verb of ['train', 'evaluate']) {
    const model = start('model', verb, '--out', directory(), none);
    expect(await model.exited).toBe(3);
    expect(model.stderr()).toContain('datasets fetch bonn');
  }
}, 60_000);

test.skipIf(!hasMariaDb())(
  'on MariaDB the same: nothing lost, doubled or changed, and verify agrees',
  async () => {
    const database = await startMariaDb();
    ends.push(() => database.stop());
    const data = directory();
    const demo = start('demo', '--for', '5s', '--json', '--patients', '2', '--keep', data, '--database', database.adminUrl);
    expect(await demo.exited, demo.stderr()).toBe(0);
    const summary = JSON.parse(demo.lastLine()) as DemoSummary;
    expect(summary).toMatchObject({ lost: 0, duplicated: 0, different: 0, drained: true });
    expect(existsSync(path.join(data, 'readings.sqlite'))).toBe(false);

    const up = start('up', '--data', data, '--database', database.adminUrl, '--json');
    await up.event((event) => event['type'] === 'ready');
    const verify = start('verify', '--data', data, '--json');
    expect(await verify.exited, verify.stderr()).toBe(0);
    expect(verify.events[0]).toMatchObject({ same: true, compared: summary.samplesStored + summary.readingsStored });
    up.child.kill('SIGTERM');
    expect(await up.exited).toBe(0);
  },
  180_000,
);

test('a demo leaves no temporary directory behind', async () => {
  const data = directory();
  const demo = start('demo', '--for', '1s', '--patients', '1', { TMPDIR: data });
  await demo.exited;
  expect(readdirSync(data)).toEqual([]);
});

/** Changes one stored sample behind everybody's back, checksum and all. */
function flipOneSample(data: string): { device: string; seq: number } {
  const database = new Database(path.join(data, 'readings.sqlite'));
  try {
    const rows = database.prepare('SELECT rowid AS row, recording_id AS recording, message FROM chunk').all() as {
      row: number;
      recording: Uint8Array;
      message: Uint8Array;
    }[];
    for (const { row, recording, message } of rows) {
      const decoded = decodeMessage(new Uint8Array(message));
      if (!decoded.ok || decoded.value.stream !== 'eeg' || decoded.value.seq !== 3) continue;
      const samples = decoded.value.samples.slice();
      samples[7] = (samples[7] ?? 0) ^ 1;
      database.prepare('UPDATE chunk SET message = ? WHERE rowid = ?').run(encodeMessage({ ...decoded.value, samples }), row);
      const { device } = database.prepare('SELECT device FROM stream_index WHERE recording_id = ?').get(recording) as { device: string };
      return { device, seq: 3 };
    }
  } finally {
    database.close();
  }
  throw new Error('no EEG chunk is stored');
}

function pidsOf(events: readonly Event[]): number[] {
  return [...new Set(events.flatMap((event) => (event['type'] === 'service' && typeof event['pid'] === 'number' ? [event['pid']] : [])))];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
