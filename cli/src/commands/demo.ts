import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, type LiveStream } from '@vitalwire/client';
import { labelLines, labelShort } from '@vitalwire/contract';
import { pause } from '@vitalwire/runtime';
import { windowShapeFor } from '@vitalwire/vitals';
import { Option } from 'commander';
import { actingUser } from '../acting-user.ts';
import { type DemoSummary, isKept, summarise } from '../compare/demo-summary.ts';
import { ReplayedPatients } from '../compare/expectation.ts';
import { countDetections, type DetectionCount } from '../compare/ictal.ts';
import { quantile } from '../compare/quantile.ts';
import { type CaptureReport, readDetections, readStoredCapture } from '../compare/stored-capture.ts';
import { parseDatabase } from '../database-option.ts';
import { parseDurationMs, parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, canShowWall, exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { bonnProblem, ensureBonn, hasBonn } from '../recordings.ts';
import { maxPatients } from '../replay/choose-sources.ts';
import { countOf, type Manifest, readManifest } from '../replay/manifest.ts';
import { askAgent } from '../stack/agent-status.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { askProbe, findText } from '../stack/probe.ts';
import { type ReplayLine, type ReplayProcess, startReplay } from '../stack/replay-process.ts';
import { Stack } from '../stack/stack.ts';
import { certificateLine, pageUrl, readToken } from '../stack/stack-file.ts';

type Options = {
  for?: number;
  json?: boolean;
  patients: number;
  seed: number;
  keep?: string;
  database?: string;
  web?: boolean;
  recordings?: 'bonn' | 'none';
};

const DRAIN_MS = 15_000;
const POLL_MS = 250;
const TELL_EVERY_MS = 2_000;
const FIRST_SAMPLE_WITHIN_MS = 30_000;
const KEPT_LATENCIES = 1_000_000;

/** `vitalwire demo`: everything, here and now, and the proof that nothing was lost. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('demo')
    .description('the whole system in a temporary directory, with replayed patients')
    .option('--for <duration>', 'stop after this long (from the first stored sample), compare, and tell; for example 30s', parseDurationMs)
    .option('--patients <n>', 'made-up patients', parseWhole(1, maxPatients), 8)
    .addOption(
      new Option(
        '--recordings <which>',
        'bonn: half of the patients replay the Bonn recordings, fetched if they are not here; none: synthetic patients alone (default: bonn if it is here)',
      ).choices(['bonn', 'none']),
    )
    .option('--seed <n>', 'chooses the patients', parseWhole(0, 2 ** 31 - 1), 1)
    .option('--keep <dir>', 'use this data directory and keep it, for verify')
    .option('--database <where>', 'sqlite:DIR or mysql://user:password@host:port/name (default: SQLite in the directory)', parseDatabase)
    .option('--web', 'no wall: only the page, whose address is printed')
    .option('--json', 'the result as one JSON object in the last line of stdout')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire demo                            on a terminal: the wall; Ctrl-C ends it
  vitalwire demo --for 30s --json           exit 0 only if nothing was lost, doubled or changed
  vitalwire demo --recordings bonn          four synthetic patients, four of the Bonn recordings
  vitalwire demo --for 1m --keep ./kept     then: vitalwire up --data ./kept, and: vitalwire verify --data ./kept

Patients are synthetic (generated, nobody's) and marked REPLAY. Where the Bonn recordings are on this machine, half of
the patients are assembled from several people's segments of them (065-080); the result says which were played.
Nothing is fetched unless --recordings bonn asks for it.`,
    )
    .action((options: Options) => demo(io, options));
};

async function demo(io: Io, options: Options): Promise<void> {
  for (const line of labelLines) noteLine(io, line);
  if (options.recordings === 'bonn') await ensureBonn(io, { isAskedFor: true });
  const sources = options.recordings !== 'none' && canPlayBonn(io) ? ['demo', 'bonn'] : ['demo'];
  noteLine(io, playedText(sources));
  const directory = options.keep ?? (await mkdtemp(path.join(tmpdir(), 'vitalwire-demo-')));
  try {
    await demoIn(io, options, directory, sources);
  } finally {
    if (options.keep === undefined) await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Recordings that are here and wrong are told and left out: nobody asked for them. */
function canPlayBonn(io: Io): boolean {
  if (!hasBonn(io)) return false;
  const problem = bonnProblem(io);
  if (problem !== null) noteLine(io, `the Bonn recordings are left out: ${problem.message}`);
  return problem === null;
}

/** One line: whose signals these are, and how to have others. */
function playedText(sources: readonly string[]): string {
  return sources.includes('bonn')
    ? 'playing SYNTHETIC patients (made by software) and REPLAY of the Bonn recordings, half of each'
    : 'playing SYNTHETIC patients, made by software; for real recordings: npm run demo -- --recordings bonn';
}

const LATENCY_NOTE = "last sample of an EEG chunk to its arrival at web, which follows the commit; one machine's clock, speed 1";

async function demoIn(io: Io, options: Options, directory: string, sources: readonly string[]): Promise<void> {
  const { clock } = io;
  const dirs = resolveDataDir(directory, io.env);
  const hasWall = canShowWall(io) && options.json !== true && options.web !== true;
  const startedMs = clock.monotonicMs();
  const stack = new Stack({
    dirs,
    database: options.database,
    env: io.env,
    clock,
    onChange: ({ name, state, lastCrash }) => {
      if (state === 'restarting' && !hasWall) noteLine(io, `${name} ended with ${lastCrash?.reason ?? 'no reason'}; starting it again`);
    },
  });
  let web: Client | null = null;
  let replay: ReplayProcess | null = null;
  const ended = new AbortController();
  const patience = new AbortController();
  try {
    await stack.start(io.signal);
    const stackReadyMs = clock.monotonicMs() - startedMs;
    noteLine(io, `ready after ${(stackReadyMs / 1000).toFixed(1)} s; the page: ${pageUrl(stack.info)}`);
    noteLine(io, certificateLine(stack.info));
    web = await Client.connect({ url: stack.info.urls.web, token: readToken(stack.info.tokenPath), caPath: stack.info.caPath, clock });
    const latency = new LatencyWatch(web);
    replay = startReplay({ sources, data: directory, patients: options.patients, seed: options.seed, env: io.env });
    await Promise.race([latency.first, replay.broken, tooLate(io, patience.signal), untilAborted(io.signal)]);
    patience.abort();
    io.signal.throwIfAborted();
    const firstSampleMs = clock.monotonicMs() - startedMs;
    const watched = hasWall ? wall(io, web, pageUrl(stack.info), ended.signal) : tell(io, ended.signal, stack, web, replay, latency);
    // On the wall q or Ctrl-C is enough; the lines end only with the demo.
    await Promise.race([waitFor(io, options.for), replay.broken, hasWall ? watched : new Promise(() => {})]);
    const runMs = clock.monotonicMs() - startedMs - firstSampleMs;
    ended.abort();
    await watched;
    if (hasWall) noteLine(io, 'ending the replay and comparing what was sent with what is stored');
    const last = await replay.stop();
    const manifest = readManifest(last.manifest ?? '');
    const drained = await drain(io, stack, web, manifest);
    latency.close();
    const { reports, counts, model } = await compare(web, manifest);
    const summary = summarise({
      reports,
      counts,
      latenciesMs: latency.valuesMs,
      latencyNote: LATENCY_NOTE,
      backend: findText((await askProbe(stack.info.urls.probes['prediction'] ?? ''))?.detail, 'backend'),
      model,
      patients: options.patients,
      played: playedOf(manifest),
      seizureAlarms: await countSeizureAlarms(web),
      seconds: Math.round(runMs / 100) / 10,
      stackReadyMs: Math.round(stackReadyMs),
      firstSampleMs: Math.round(firstSampleMs),
      drained,
      resends: last.resends,
      label: labelShort,
    });
    await web.close();
    await stack.stop();
    conclude(io, options, summary, reports, last);
  } finally {
    ended.abort();
    patience.abort();
    replay?.kill();
    await web?.close();
    await stack.stop();
  }
}

/** Alarms of seizures that were raised, as they are stored. */
async function countSeizureAlarms(web: Client): Promise<number> {
  let raised = 0;
  for await (const { condition, transition } of web.eachAlarmLine()) if (condition === 'seizure' && transition === 'raised') raised += 1;
  return raised;
}

/** How many patients were of which kind. */
function playedOf({ patients }: Manifest): DemoSummary['played'] {
  const bonn = patients.filter(({ source }) => source.kind === 'bonn').length;
  return { synthetic: patients.length - bonn, bonn };
}

function conclude(io: Io, options: Options, summary: DemoSummary, reports: readonly CaptureReport[], last: ReplayLine): void {
  for (const report of reports) {
    for (const { from, to } of report.coverage.missing.slice(0, 3))
      noteLine(io, `lost: ${report.device} ${report.stream}, readings ${from} to ${to - 1}`);
    for (const one of report.firstDifferences.slice(0, 3))
      noteLine(io, `different: ${report.device} ${report.stream}, reading ${one.position}: found ${one.found}, expected ${one.expected}`);
  }
  for (const line of last.unfinished) noteLine(io, `not finished: ${line}`);
  if (options.json === true) printJson(io, summary);
  else {
    printLine(
      io,
      `${summary.samplesStored} of ${summary.samplesSent} EEG samples stored, ${summary.lost} lost, ${summary.duplicated} duplicated, ${summary.different} different`,
    );
    printLine(
      io,
      `${summary.detections} windows detected as seizure, ${summary.detectionsInsideIctal} of them inside known seizures (${summary.windows} windows, ${summary.backend ?? 'unknown'} backend), ${summary.seizureAlarms} seizure alarms raised`,
    );
    printLine(
      io,
      `from the last sample of a chunk to its commit: median ${summary.p50Ms ?? '--'} ms, 95 % within ${summary.p95Ms ?? '--'} ms (chunks of ${summary.chunkMs ?? '--'} ms)`,
    );
    printLine(io, `played: ${summary.played.synthetic} synthetic patients, ${summary.played.bonn} of the Bonn recordings`);
    printLine(io, labelShort);
  }
  if (!isKept(summary)) io.exitCode(exitCodes.answerIsNo);
}

/** Listens to the live stream as a screen would, and measures how old each chunk is when it has been committed. */
class LatencyWatch {
  readonly first: Promise<void>;
  readonly valuesMs: number[] = [];
  readonly #stream: LiveStream;
  #seizures = 0;

  constructor(web: Client) {
    let onFirst: () => void = () => {};
    this.first = new Promise((resolve) => {
      onFirst = resolve;
    });
    this.#stream = web.live(
      { streams: ['eeg', 'detection'] },
      {
        onMessage: (message, { topic, receivedAtUs }) => {
          if (topic.live) return; // not committed yet
          if (message.stream === 'detection' && message.verdict === 'seizure') this.#seizures += 1;
          if (message.stream !== 'eeg') return;
          onFirst();
          const spanUs = (message.samplesPerChannel * message.rate.den * 1_000_000) / message.rate.num;
          if (this.valuesMs.length < KEPT_LATENCIES) this.valuesMs.push((receivedAtUs - message.measuredAtUs - spanUs) / 1000);
        },
      },
      { credit: 4_096 },
    );
  }

  get seizures(): number {
    return this.#seizures;
  }

  close(): void {
    this.#stream.close();
  }
}

async function wall(io: Io, client: Client, page: string, signal: AbortSignal): Promise<void> {
  const { runWall } = await import('@vitalwire/tui');
  await runWall({ client, env: io.env, signal, by: userOfDemo(io), pageUrl: page });
}

// A demo runs also where the user has no name that is an id; who set one is told if it is wrong.
function userOfDemo(io: Io): string {
  try {
    return actingUser(io, undefined);
  } catch (error) {
    if (io.env['VITALWIRE_USER'] !== undefined) throw error;
    return 'demo';
  }
}

async function tooLate(io: Io, cancelled: AbortSignal): Promise<never> {
  await io.clock.sleep(FIRST_SAMPLE_WITHIN_MS, cancelled);
  throw new CliError(
    'UNREACHABLE',
    `no sample was stored within ${FIRST_SAMPLE_WITHIN_MS / 1000} s; run it with --keep DIR and see DIR/logs`,
  );
}

async function tell(io: Io, until: AbortSignal, stack: Stack, web: Client, replay: ReplayProcess, latency: LatencyWatch): Promise<void> {
  while (!until.aborted) {
    await pause(io.clock, TELL_EVERY_MS, until);
    if (until.aborted) return;
    const [stats, agent] = await Promise.all([web.stats().catch(() => null), askAgent(stack.info)]);
    const recent = latency.valuesMs.slice(-200);
    noteLine(
      io,
      `${replay.latest()?.samplesSent ?? 0} samples answered, ${stats?.samples ?? '--'} stored, outbox ${agent?.depthChunks ?? '--'} chunks, ` +
        `${latency.seizures} windows detected as seizure, median latency ${quantile(recent, 0.5)?.toFixed(0) ?? '--'} ms`,
    );
  }
}

/** Waits until the outbox is empty, every recording has its end and every window its detection, as long as that may take. */
async function drain(io: Io, stack: Stack, web: Client, manifest: Manifest): Promise<boolean> {
  const deadline = io.clock.monotonicMs() + DRAIN_MS;
  while (io.clock.monotonicMs() < deadline) {
    if (await isDrained(stack, web, manifest).catch(() => false)) return true;
    await io.clock.sleep(POLL_MS);
  }
  return false;
}

async function isDrained(stack: Stack, web: Client, manifest: Manifest): Promise<boolean> {
  const agent = await askAgent(stack.info);
  if (agent === null || agent.depthChunks > 0) return false;
  for (const capture of manifest.captures) {
    if (countOf(capture.answered) === 0) continue;
    let found = 0;
    for await (const recording of web.eachRecording({ device: capture.device, stream: capture.stream })) {
      if (recording.captureId !== capture.captureId) continue;
      found += 1;
      if (recording.open) return false;
      if (capture.stream !== 'eeg') continue;
      const model = (await web.detections(recording.recordingId, { limit: 1 })).detections[0]?.modelHash;
      if (model === undefined) return false;
      const { windowSamples: window, hopSamples: hop } = windowShapeFor(recording.rate ?? { num: 1, den: 1 });
      const { ranges } = await web.unscored(recording.recordingId, { model, window, hop, limit: 1 });
      if (ranges.length > 0) return false;
    }
    if (found === 0) return false;
  }
  return true;
}

async function compare(
  web: Client,
  manifest: Manifest,
): Promise<{ reports: CaptureReport[]; counts: DetectionCount[]; model: string | null }> {
  const reports: CaptureReport[] = [];
  const counts: DetectionCount[] = [];
  let model: string | null = null;
  const patients = new ReplayedPatients(manifest);
  try {
    for (const capture of manifest.captures) {
      const expectation = await patients.expectationOf(capture);
      const report = await readStoredCapture(web, capture, expectation);
      reports.push(report);
      if (capture.stream !== 'eeg') continue;
      for (const recording of report.recordings) {
        const detections = await readDetections(web, recording.recordingId);
        model ??= detections[0]?.modelVersion ?? null;
        counts.push(countDetections(detections, recording.captureFirstSample ?? 0, (sample) => expectation.isIctal(sample)));
      }
    }
  } finally {
    await patients.close();
  }
  return { reports, counts, model };
}

/** Until the time is over or a person has enough; both are ordinary ends. */
async function waitFor(io: Io, forMs: number | undefined): Promise<void> {
  if (forMs === undefined) await untilAborted(io.signal);
  else await pause(io.clock, forMs, io.signal);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
