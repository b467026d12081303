import { pause } from '@vitalwire/runtime';
import { type Command, InvalidArgumentError } from 'commander';
import { connect } from '../connect.ts';
import { parseDurationMs, parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { ensureBonn } from '../recordings.ts';
import { chooseSources, maxPatients, parseSynth } from '../replay/choose-sources.ts';
import { type ControlRequest, control } from '../replay/control.ts';
import { askReplay, ControlSocket, refuseSecondSender } from '../replay/control-socket.ts';
import { readFaultScript } from '../replay/faults/read-script.ts';
import { IntakeClient } from '../replay/intake-client.ts';
import { keysHelp, pressKey } from '../replay/keys.ts';
import type { Play } from '../replay/manifest.ts';
import { devicesOf, registerPatients } from '../replay/register.ts';
import { Replay, type ReplayProgress } from '../replay/replay.ts';
import { type DataDir, resolveDataDir } from '../stack/data-dir.ts';
import { findStack, requireStack, type StackFile } from '../stack/stack-file.ts';

type Options = {
  patients?: number;
  speed: number;
  start?: number;
  duration?: number;
  loop?: boolean;
  channels?: string[];
  stagger?: number;
  for?: number;
  seed: number;
  synth?: string;
  name?: string;
  faults?: string;
  url?: string;
  data?: string;
  json?: boolean;
};

/** A replay of so many devices still sends each block in its time on two cores (overload is measured with 250); beyond it, start several. */
const PROGRESS_EVERY_MS = 1_000;
const ADDRESS_EVERY_MS = 1_000;
const SHOWN_PROBLEMS = 3;
/** How long what is on its way may take after the wish to stop; then the rest counts as not answered. */
const LAST_ANSWERS_MS = 15_000;

/** `vitalwire replay`: recordings played as if devices were sending them. */
export const addCommand: AddCommand = (program, io) => {
  const command = program
    .command('replay')
    .description('play recordings as if devices sent them; marked REPLAY wherever they are shown')
    .argument(
      '<source...>',
      'synth (made up), demo (the made-up patients of the demo), bonn (fetched), or EDF, BDF and other files, or folders of them',
    )
    .option(
      '--patients <n>',
      'how many: made-up patients, or copies of the files (default: bonn 8, demo 8, synth 1, one for each file)',
      parseWhole(1, maxPatients),
    )
    .option('--speed <x>', 'against the wall clock: 0.1 to 1000, or max', parseSpeed, 1)
    .option('--start <time>', 'begin this far into the source, for example 90s', parseMomentMs)
    .option('--duration <time>', 'play no more than this of it', parseDurationMs)
    .option('--loop', 'begin again at the end, with a replay-loop event (bonn and demo do so by themselves, except at max)')
    .option('--channels <labels>', 'only these, for example Fp1-F7,T8-P8', parseLabels)
    .option('--stagger <time>', 'each patient begins this much later than the one before', parseMomentMs)
    .option(
      '--for <duration>',
      'stop after this long on the wall clock (at max: of data); otherwise Ctrl-C or the end of the source',
      parseDurationMs,
    )
    .option('--seed <n>', 'chooses segments and order (bonn) or the patients (synth)', parseWhole(0, 2 ** 31 - 1), 1)
    .option('--synth <settings>', 'of synth: channels=23,rate=256,bits=16|24,seizures=2 (an hour),artefacts=usual|none,mainsHz=50|60')
    .option('--faults <file>', 'a script of what goes wrong and when (YAML, examples in datasets/faults)')
    .option('--name <text>', "what the readings say they come from, instead of the file's name (at most 64 bytes)")
    .option('--data <dir>', 'data directory of the stack (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--url <https-url>', "the agent's intake, if not the one of the stack")
    .option('--json', 'progress and result as one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire replay synth --patients 4 --speed 1
  vitalwire replay bonn --patients 8                after 'vitalwire datasets fetch bonn'
  vitalwire replay synth bonn --patients 8          four of each
  vitalwire replay chb01_03.edf --start 45m --speed 10
  vitalwire replay ./recordings --loop --stagger 20s
  vitalwire replay synth --patients 4 --duration 2h --speed 60
  vitalwire replay control bonn speed 10            while it runs; see 'vitalwire replay control --help'
  vitalwire replay synth --synth channels=23,artefacts=none --faults datasets/faults/technical.yaml

Bonn patients are assembled from several people's segments (065-080, which no model of ours was trained on);
synth patients are generated and belong to nobody.
A file's name is shown as the source of its readings: say --name if it names a person. What was sent is written to
<data>/replays/<id>.json, for 'vitalwire verify'. Latency figures are only meaningful at speed 1.`,
    )
    .action((words: string[], options: Options) => replay(io, words, options));
  addControl(command, io);
};

function addControl(command: Command, io: Io): void {
  command
    .command('control')
    .description('steer a running replay')
    .argument('<id>', "the replay's id or the beginning of it; it says so when it starts")
    .argument('<what>', 'pause, resume, seek <time in the source>, speed <x>, status')
    .argument('[value]', 'where to, or how fast')
    .option('--data <dir>', 'data directory of the stack (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--json', 'the answer as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire replay control bonn-20261122T120000000Z pause
  vitalwire replay control bonn seek 2m
  vitalwire replay control bonn speed 10

A seek, another speed and a pause end the captures that run and begin others; an event says so.`,
    )
    .action((id: string, what: string, value: string | undefined, _options: unknown, self: { optsWithGlobals(): Options }) =>
      steer(io, id, requestOf(what, value), self.optsWithGlobals()),
    );
}

async function steer(io: Io, id: string, request: ControlRequest, options: Options): Promise<void> {
  const answer = await askReplay(resolveDataDir(options.data, io.env), id, request);
  if (options.json === true) printJson(io, answer);
  else {
    const speed = answer.speed === 0 ? 'full speed' : `${answer.speed}x`;
    printLine(
      io,
      `${answer.id}: ${answer.state} at ${speed}, ${answer.sourceS.toFixed(1)} s into the source, ${answer.samplesSent} samples answered`,
    );
  }
}

function requestOf(what: string, value: string | undefined): ControlRequest {
  try {
    if (what === 'seek' && value !== undefined) return { do: 'seek', toUs: parseMomentMs(value) * 1_000 };
    if (what === 'speed' && value !== undefined) {
      const speed = parseSpeed(value);
      return { do: 'speed', speed: Number.isFinite(speed) ? speed : 0 };
    }
  } catch (error) {
    throw new CliError('WRONG_ARGUMENT', `${what} ${value}: ${error instanceof Error ? error.message : ''}`);
  }
  if (what === 'seek' || what === 'speed')
    throw new CliError('WRONG_ARGUMENT', `${what} needs to be told ${what === 'seek' ? 'where to: seek 2m' : 'how fast: speed 10'}`);
  if (what !== 'pause' && what !== 'resume' && what !== 'status')
    throw new CliError('WRONG_ARGUMENT', `'${what}' is not understood; say pause, resume, seek <time>, speed <x> or status`);
  if (value !== undefined) throw new CliError('WRONG_ARGUMENT', `${what} takes nothing after it, not '${value}'`);
  return { do: what };
}

async function replay(io: Io, words: readonly string[], options: Options): Promise<void> {
  const dirs = resolveDataDir(options.data, io.env);
  if (words.includes('bonn')) await ensureBonn(io);
  const sources = await chooseSources({
    words,
    patients: options.patients,
    seed: options.seed,
    synth: options.synth === undefined ? {} : parseSynth(options.synth),
    endS: options.duration === undefined ? undefined : ((options.start ?? 0) + options.duration) / 1_000,
  });
  const play = playOf(words, options);
  const stack = requireStack(dirs);
  const web = await connect(io, options.data === undefined ? {} : { data: options.data });
  const intake = new IntakeClient({ url: intakeOf(io, options.url, dirs, stack), caPath: stack.caPath });
  const giveUp = new AbortController();
  const ended = new AbortController();
  try {
    const post = intake.post.bind(intake);
    const running = await Replay.open({ sources, play, speed: options.speed, forMs: options.for, dirs, post, clock: io.clock });
    await refuseSecondSender(
      dirs,
      running.patients.map(({ id }) => id),
    );
    const tokens = await registerPatients(running.patients, { web, edgeTokensDir: stack.edgeTokensDir, clock: io.clock });
    const stop = new AbortController();
    const wish = AbortSignal.any([io.signal, stop.signal]);
    const patience = afterAbort(io, wish, LAST_ANSWERS_MS, () => giveUp.abort());
    const controls = await ControlSocket.listen(dirs, running.id, (text) => control(running, text));
    const forgetKeys =
      options.json === true ? () => {} : watchKeys(io, running, play.loop, () => (stop.signal.aborted ? giveUp : stop).abort());
    const telling = tell(io, options, running, ended.signal);
    try {
      await running.run(tokens, wish, giveUp.signal);
    } finally {
      patience.cancel();
      ended.abort();
      forgetKeys();
      await controls.close();
      await telling;
    }
    conclude(io, options, running);
  } finally {
    ended.abort();
    await Promise.all([intake.close(), web.close()]);
  }
}

/** Where the intake is now: a stack that was started again can have other ports, and says them in its file. */
function intakeOf(io: Io, told: string | undefined, dirs: DataDir, stack: StackFile): () => string {
  if (told !== undefined) return () => told;
  let url = stack.urls.intake;
  let readAtMs = io.clock.monotonicMs();
  return () => {
    const nowMs = io.clock.monotonicMs();
    if (nowMs - readAtMs < ADDRESS_EVERY_MS) return url;
    readAtMs = nowMs;
    try {
      url = findStack(dirs)?.urls.intake ?? url;
    } catch {
      // Half a file of another release: the address that was known is the best there is.
    }
    return url;
  };
}

/** Keys of the terminal, as they are pressed. In this mode Ctrl-C is a key as well. */
function watchKeys(io: Io, running: Replay, isLoop: boolean, onEnd: () => void): () => void {
  const { keyboard } = io;
  if (!io.isTerminal || keyboard === undefined) return () => {};
  const onKey = (bytes: Buffer): void => {
    if (pressKey(bytes.toString('utf8'), running.transport, isLoop ? Number.POSITIVE_INFINITY : running.playsUs)) onEnd();
  };
  keyboard.setRawMode(true);
  keyboard.on('data', onKey);
  noteLine(io, keysHelp);
  return () => {
    keyboard.off('data', onKey);
    keyboard.setRawMode(false);
    keyboard.pause();
  };
}

function playOf(words: readonly string[], options: Options): Play {
  const us = (ms: number | undefined): number => Math.round((ms ?? 0) * 1_000);
  return {
    startUs: us(options.start),
    durationUs: options.duration === undefined ? null : us(options.duration),
    loop: options.loop ?? (words.some((word) => word === 'bonn' || word === 'demo') && Number.isFinite(options.speed)),
    channels: options.channels ?? null,
    staggerUs: us(options.stagger),
    faults: options.faults === undefined ? null : readFaultScript(options.faults),
    ...(options.name === undefined ? {} : { name: options.name }),
  };
}

function conclude(io: Io, options: Options, running: Replay): void {
  const unfinished = running.unfinished();
  const result = { ...running.progress(), manifest: running.manifestFile, unfinished };
  if (options.json === true) printJson(io, { type: 'end', ...result });
  else {
    printLine(
      io,
      `${result.samplesSent} EEG samples and ${result.readingsSent} other readings answered; what was sent: ${running.manifestFile}`,
    );
    for (const line of unfinished) noteLine(io, `not finished: ${line}`);
  }
  if (unfinished.length > 0) io.exitCode(exitCodes.answerIsNo);
}

async function tell(io: Io, options: Options, running: Replay, until: AbortSignal): Promise<void> {
  if (options.json === true) {
    const patients = running.patients.map((patient) => ({
      patient: patient.id,
      source: patient.sourceName,
      synthetic: patient.synthetic,
      problems: patient.problems.length,
      devices: devicesOf(patient),
    }));
    printJson(io, { type: 'start', id: running.id, manifest: running.manifestFile, patients });
  } else {
    for (const { sourceName, problems } of running.patients) {
      for (const { field, found, expected } of problems.slice(0, SHOWN_PROBLEMS))
        noteLine(io, `${sourceName}: ${field}: ${found}, expected ${expected}`);
      if (problems.length > SHOWN_PROBLEMS)
        noteLine(io, `${sourceName}: and ${problems.length - SHOWN_PROBLEMS} more; see 'vitalwire datasets validate'`);
    }
    const speed = Number.isFinite(options.speed) ? `${options.speed}x` : 'full speed';
    noteLine(io, `REPLAY ${running.id} of ${running.patients.length} patients at ${speed}; Ctrl-C stops`);
  }
  while (!until.aborted) {
    await pause(io.clock, PROGRESS_EVERY_MS, until);
    const progress = running.progress();
    if (options.json === true) printJson(io, { type: 'progress', ...progress });
    else noteLine(io, progressLine(progress));
  }
}

function progressLine({ dataS, samplesSent, readingsSent, resends, lateMs, failure }: ReplayProgress): string {
  const trouble = failure === null || resends === 0 ? '' : `, ${resends} sent again (last: ${failure})`;
  return `${dataS.toFixed(1)} s of data, ${samplesSent} samples and ${readingsSent} readings answered, ${lateMs} ms late${trouble}`;
}

function afterAbort(io: Io, signal: AbortSignal, ms: number, fn: () => void): { cancel(): void } {
  let timer: { cancel(): void } | null = null;
  const begin = (): void => {
    timer = io.clock.setTimer(ms, fn);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return {
    cancel: () => {
      signal.removeEventListener('abort', begin);
      timer?.cancel();
    },
  };
}

function parseSpeed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (!(speed >= 0.1 && speed <= 1000)) throw new InvalidArgumentError('Give a number from 0.1 to 1000, or max.');
  return speed;
}

/** A duration that may be nothing. */
function parseMomentMs(text: string): number {
  return /^0(\.0*)?(ms|s|m|h)?$/.test(text.trim()) ? 0 : parseDurationMs(text);
}

function parseLabels(text: string): string[] {
  const labels = text.split(',').map((label) => label.trim());
  if (labels.some((label) => label === '')) throw new InvalidArgumentError('Give labels with commas between them, for example Fp1,Fp2.');
  return labels;
}
