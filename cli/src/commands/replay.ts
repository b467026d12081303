import { Argument, InvalidArgumentError } from 'commander';
import { connect } from '../connect.ts';
import { parseDurationMs, parseWhole } from '../duration.ts';
import { type AddCommand, exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { BonnReplay, type ReplayProgress } from '../replay/bonn-replay.ts';
import { IntakeClient } from '../replay/intake-client.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { requireStack } from '../stack/stack-file.ts';

type Options = { patients: number; speed: number; for?: number; seed: number; url?: string; data?: string; json?: boolean };

const PROGRESS_EVERY_MS = 1_000;
/** How long what is on its way may take after the wish to stop; then the rest counts as not answered. */
const LAST_ANSWERS_MS = 15_000;

/** `vitalwire replay bonn`: recorded EEG played as if devices were sending it. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('replay')
    .description('play recorded EEG as if devices sent it; marked REPLAY wherever it is shown')
    .addArgument(new Argument('<source>', 'what to play').choices(['bonn']))
    .option('--patients <n>', 'made-up patients, each an EEG and a heart-rate device', parseWhole(1, 99), 8)
    .option('--speed <x>', 'against the wall clock: 0.1 to 1000, or max', parseSpeed, 1)
    .option('--for <duration>', 'stop after this long, for example 60s; otherwise Ctrl-C stops it', parseDurationMs)
    .option('--seed <n>', 'chooses the segments and their order', parseWhole(0, 2 ** 31 - 1), 1)
    .option('--data <dir>', 'data directory of the stack (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--url <https-url>', "the agent's intake, if not the one of the stack")
    .option('--json', 'progress and result as one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire replay bonn --patients 8 --speed 1
  vitalwire replay bonn --patients 2 --speed max --for 10m --json

Bonn patients are assembled from several people's segments (065-080, which no model of ours was trained on).
What was sent is written to <data>/replays/<id>.json, for 'vitalwire verify'. Above 1x it is no latency test.`,
    )
    .action((_source: string, options: Options) => replay(io, options));
};

async function replay(io: Io, options: Options): Promise<void> {
  const dirs = resolveDataDir(options.data, io.env);
  const stack = requireStack(dirs);
  const web = await connect(io, options.data === undefined ? {} : { data: options.data });
  const intake = new IntakeClient({ url: options.url ?? stack.urls.intake, caPath: stack.caPath });
  const giveUp = new AbortController();
  const ended = new AbortController();
  try {
    const bonn = new BonnReplay({
      patients: options.patients,
      seed: options.seed,
      speed: options.speed,
      forMs: options.for,
      dirs,
      intake,
      web,
      edgeTokensDir: stack.edgeTokensDir,
      clock: io.clock,
    });
    const tokens = await bonn.register();
    const patience = afterAbort(io, io.signal, LAST_ANSWERS_MS, () => giveUp.abort());
    const telling = tell(io, options, bonn, ended.signal);
    await bonn.run(tokens, io.signal, giveUp.signal);
    patience.cancel();
    ended.abort();
    await telling;
    const unfinished = bonn.unfinished();
    const result = { ...bonn.progress(), manifest: bonn.manifestFile, unfinished };
    if (options.json === true) printJson(io, { type: 'end', ...result });
    else {
      printLine(
        io,
        `${result.samplesSent} EEG samples and ${result.readingsSent} other readings answered; what was sent: ${bonn.manifestFile}`,
      );
      for (const line of unfinished) noteLine(io, `not finished: ${line}`);
    }
    if (unfinished.length > 0) io.exitCode(exitCodes.answerIsNo);
  } finally {
    ended.abort();
    await Promise.all([intake.close(), web.close()]);
  }
}

async function tell(io: Io, options: Options, bonn: BonnReplay, until: AbortSignal): Promise<void> {
  if (options.json === true) printJson(io, { type: 'start', id: bonn.id, manifest: bonn.manifestFile });
  else
    noteLine(
      io,
      `REPLAY of ${options.patients} made-up patients at ${Number.isFinite(options.speed) ? `${options.speed}x` : 'full speed'}; Ctrl-C stops`,
    );
  while (!until.aborted) {
    await io.clock.sleep(PROGRESS_EVERY_MS, until).catch(() => {});
    const progress = bonn.progress();
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
