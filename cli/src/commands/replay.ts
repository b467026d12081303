import { InvalidArgumentError } from 'commander';
import { connect } from '../connect.ts';
import { parseDurationMs, parseWhole } from '../duration.ts';
import { type AddCommand, exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { chooseSources, parseSynth } from '../replay/choose-sources.ts';
import { readFaultScript } from '../replay/faults/read-script.ts';
import { IntakeClient } from '../replay/intake-client.ts';
import type { Play } from '../replay/manifest.ts';
import { devicesOf, registerPatients } from '../replay/register.ts';
import { Replay, type ReplayProgress } from '../replay/replay.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { requireStack } from '../stack/stack-file.ts';

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
  faults?: string;
  url?: string;
  data?: string;
  json?: boolean;
};

const PROGRESS_EVERY_MS = 1_000;
/** How long what is on its way may take after the wish to stop; then the rest counts as not answered. */
const LAST_ANSWERS_MS = 15_000;

/** `vitalwire replay`: recordings played as if devices were sending them. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('replay')
    .description('play recordings as if devices sent them; marked REPLAY wherever they are shown')
    .argument('<source...>', 'bonn (bundled), synth (made up), or EDF, BDF and other files, or folders of them')
    .option(
      '--patients <n>',
      'how many: made-up patients, or copies of the files (default: bonn 8, synth 1, one for each file)',
      parseWhole(1, 99),
    )
    .option('--speed <x>', 'against the wall clock: 0.1 to 1000, or max', parseSpeed, 1)
    .option('--start <time>', 'begin this far into the source, for example 90s', parseMomentMs)
    .option('--duration <time>', 'play no more than this of it', parseDurationMs)
    .option('--loop', 'begin again at the end, with a replay-loop event (bonn does so by itself, except at max)')
    .option('--channels <labels>', 'only these, for example Fp1-F7,T8-P8', parseLabels)
    .option('--stagger <time>', 'each patient begins this much later than the one before', parseMomentMs)
    .option(
      '--for <duration>',
      'stop after this long on the wall clock (at max: of data); otherwise Ctrl-C or the end of the source',
      parseDurationMs,
    )
    .option('--seed <n>', 'chooses segments and order (bonn) or the patients (synth)', parseWhole(0, 2 ** 31 - 1), 1)
    .option('--synth <settings>', 'of synth: channels=23,rate=256,bits=16|24,seizures=2 (an hour),artefacts=usual|none,mainsHz=50|60')
    .option('--faults <file>', 'a script of what goes wrong and when (YAML, examples in datasets/data/faults)')
    .option('--data <dir>', 'data directory of the stack (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--url <https-url>', "the agent's intake, if not the one of the stack")
    .option('--json', 'progress and result as one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire replay bonn --patients 8 --speed 1
  vitalwire replay chb01_03.edf --start 45m --speed 10
  vitalwire replay ./recordings --loop --stagger 20s
  vitalwire replay synth --patients 4 --duration 2h --speed 60
  vitalwire replay synth --synth channels=23,artefacts=none --faults datasets/data/faults/technical.yaml

Bonn patients are assembled from several people's segments (065-080, which no model of ours was trained on); synth is nobody.
A file's name is shown as the source of its readings: rename it if it names a person. What was sent is written to
<data>/replays/<id>.json, for 'vitalwire verify'. Above 1x it is no latency test.`,
    )
    .action((words: string[], options: Options) => replay(io, words, options));
};

async function replay(io: Io, words: readonly string[], options: Options): Promise<void> {
  const dirs = resolveDataDir(options.data, io.env);
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
  const intake = new IntakeClient({ url: options.url ?? stack.urls.intake, caPath: stack.caPath });
  const giveUp = new AbortController();
  const ended = new AbortController();
  try {
    const post = intake.post.bind(intake);
    const running = await Replay.open({ sources, play, speed: options.speed, forMs: options.for, dirs, post, clock: io.clock });
    const tokens = await registerPatients(running.patients, { web, edgeTokensDir: stack.edgeTokensDir, clock: io.clock });
    const patience = afterAbort(io, io.signal, LAST_ANSWERS_MS, () => giveUp.abort());
    const telling = tell(io, options, running, ended.signal);
    try {
      await running.run(tokens, io.signal, giveUp.signal);
    } finally {
      patience.cancel();
      ended.abort();
      await telling;
    }
    conclude(io, options, running);
  } finally {
    ended.abort();
    await Promise.all([intake.close(), web.close()]);
  }
}

function playOf(words: readonly string[], options: Options): Play {
  const us = (ms: number | undefined): number => Math.round((ms ?? 0) * 1_000);
  return {
    startUs: us(options.start),
    durationUs: options.duration === undefined ? null : us(options.duration),
    loop: options.loop ?? (words[0] === 'bonn' && Number.isFinite(options.speed)),
    channels: options.channels ?? null,
    staggerUs: us(options.stagger),
    faults: options.faults === undefined ? null : readFaultScript(options.faults),
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
      devices: devicesOf(patient),
    }));
    printJson(io, { type: 'start', id: running.id, manifest: running.manifestFile, patients });
  } else {
    const speed = Number.isFinite(options.speed) ? `${options.speed}x` : 'full speed';
    noteLine(io, `REPLAY ${running.id} of ${running.patients.length} patients at ${speed}; Ctrl-C stops`);
  }
  while (!until.aborted) {
    await io.clock.sleep(PROGRESS_EVERY_MS, until).catch(() => {});
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
