import { writeFile } from 'node:fs/promises';
import { isId } from '@vitalwire/contract';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { parseDurationMs } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, type Io, noteLine, printJson, printLine } from '../io.ts';
import { parseMoment } from '../moment.ts';
import { listManifests, readManifest } from '../replay/manifest.ts';
import { readFileRecordings } from '../score/file-recordings.ts';
import { scoreReport } from '../score/report.ts';
import { reportLines } from '../score/report-text.ts';
import type { ScoredRecording } from '../score/scored-recording.ts';
import { readStoredRecordings } from '../score/stored-recordings.ts';
import { timelineSvg } from '../score/timeline-svg.ts';
import { writeTables } from '../score/write-tables.ts';
import { resolveDataDir } from '../stack/data-dir.ts';

type Options = ConnectOptions & {
  manifest?: string[];
  device?: string[];
  patient?: string[];
  from?: number;
  to?: number;
  model?: string;
  whole?: boolean;
  reference?: string;
  hypothesis?: string;
  duration?: number;
  json?: boolean;
  svg?: string;
  tsv?: string;
};

/** `vitalwire score`: how well seizures were found, by the rules of SzCORE. */
export const addCommand: AddCommand = (program, io) => {
  const moment = parseMoment(() => io.clock.nowMs());
  const command = program
    .command('score')
    .description('score a stored replay against its own annotations, or tables of events against each other (SzCORE)')
    .option('--manifest <file...>', 'what a replay has sent (default: all of <data>/replays)')
    .option('--device <id...>', 'instead: everything that is stored of these devices')
    .option('--patient <id...>', 'and of these patients')
    .option('--from <time>', 'from this time on, on the device clock: 2026-11-22T10:00Z, 2026-11-22 or -2h', moment)
    .option('--to <time>', 'up to this time', moment)
    .option('--model <hash>', 'detections of this model (default: the one that scored last)')
    .option('--whole', 'score also what lies behind the last detection (default: up to it; more may still come)')
    .option('--reference <tsv>', 'instead of a stored replay: a table of events, or a folder of them')
    .option('--hypothesis <tsv>', 'detections to score against --reference: one table, or a folder with the same file names')
    .option('--duration <duration>', 'with --reference: length of the recordings where the tables do not say it', parseDurationMs)
    .option('--json', 'the report as one JSON object')
    .option('--svg <file>', 'also draw time lines of seizures and alarms')
    .option('--tsv <dir>', 'also write reference and hypotheses as tables of events (SzCORE, BIDS)')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire score --data ./ward --svg score.svg
  vitalwire score --patient bonn-01 --from -2h --json
  vitalwire score --reference ref.tsv --hypothesis hyp.tsv --duration 1h
  vitalwire score --reference ./annotated --hypothesis ./detected

For each recording: event and sample scores as timescoring 0.0.7 computes them, alarms raised, and the delay from each
annotated onset to its first alarm on the data's own time. False alarms per 24 h count only the hours that a detector
judged; -- stands where nothing was judged. Figures on synthetic data say so. In folders the subject is sub-… in the
path, else the folder; a missing hypothesis counts as nothing detected.`,
    );
  addConnectOptions(command).action((options: Options) => score(io, options));
};

async function score(io: Io, options: Options): Promise<void> {
  checkOptions(options);
  const recordings = options.reference === undefined ? await storedRecordings(io, options) : fileRecordings(options);
  const report = scoreReport(recordings);
  if (options.svg !== undefined) await writeFile(options.svg, timelineSvg(report));
  if (options.tsv !== undefined) noteLine(io, `${await writeTables(report, options.tsv)} tables written to ${options.tsv}`);
  if (options.json === true) printJson(io, report);
  else for (const line of reportLines(report)) printLine(io, line);
}

function checkOptions(options: Options): void {
  const { reference, hypothesis, duration, manifest, device, patient, from, to, model } = options;
  if ((reference === undefined) !== (hypothesis === undefined))
    throw new CliError('WRONG_ARGUMENT', '--reference and --hypothesis belong together: give both tables or folders');
  const stored = [manifest, device, patient, from, to, model].some((one) => one !== undefined);
  if (reference !== undefined && stored) {
    throw new CliError(
      'WRONG_ARGUMENT',
      '--reference is about files: --manifest, --device, --patient, --from, --to and --model are about what is stored',
    );
  }
  if (reference === undefined && duration !== undefined) throw new CliError('WRONG_ARGUMENT', '--duration goes with --reference');
  if (manifest !== undefined && (device !== undefined || patient !== undefined))
    throw new CliError('WRONG_ARGUMENT', 'give --manifest, or --device and --patient');
  for (const id of [...(device ?? []), ...(patient ?? [])]) if (!isId(id)) throw new CliError('WRONG_ARGUMENT', `'${id}' is not an id`);
  if (from !== undefined && to !== undefined && from >= to) throw new CliError('WRONG_ARGUMENT', '--from must be before --to');
}

function fileRecordings({ reference = '', hypothesis = '', duration }: Options): ScoredRecording[] {
  return readFileRecordings({ reference, hypothesis, durationS: duration === undefined ? undefined : duration / 1000 });
}

async function storedRecordings(io: Io, options: Options): Promise<ScoredRecording[]> {
  const { device = [], patient = [], from, to, model } = options;
  const byName = device.length > 0 || patient.length > 0;
  const captures = byName ? null : replayedCaptures(io, options);
  const web = await connect(io, options);
  try {
    const devices = captures === null ? device : [...new Set(captures.map((one) => one.device))];
    const wish = {
      devices,
      patients: patient,
      captures: captures?.map(({ captureId }) => captureId) ?? null,
      fromUs: from,
      toUs: to,
      model,
      isWhole: options.whole === true,
    };
    const recordings = await readStoredRecordings(web, wish, io.signal);
    if (recordings.length === 0) throw new CliError('NOTHING_TO_SCORE', 'no EEG of a second or more is stored there: see vitalwire ledger');
    return recordings;
  } finally {
    await web.close();
  }
}

function replayedCaptures(io: Io, { data, manifest }: Options): { device: string; captureId: string }[] {
  const dirs = resolveDataDir(data, io.env);
  const files = manifest ?? listManifests(dirs);
  if (files.length === 0) {
    throw new CliError(
      'NOTHING_TO_SCORE',
      `${dirs.replays} holds no manifest of a replay; replay something first, or say --device or --patient`,
    );
  }
  return files.flatMap((file) => readManifest(file).captures.filter(({ stream }) => stream === 'eeg'));
}
