import { Option } from 'commander';
import { expectationOf } from '../compare/expectation.ts';
import { type CaptureReport, readStoredCapture } from '../compare/stored-capture.ts';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, exitCodes, type Io, printJson, printLine } from '../io.ts';
import { listManifests, readManifest } from '../replay/manifest.ts';
import { resolveDataDir } from '../stack/data-dir.ts';

type Options = ConnectOptions & { source: 'bonn'; recording?: string; manifest?: string[]; json?: boolean };

/** `vitalwire verify`: is every stored sample, bit for bit, what the source holds? */
export const addCommand: AddCommand = (program, io) => {
  const command = program
    .command('verify')
    .description('compare every stored sample of a replay with its source, bit for bit')
    .addOption(new Option('--source <name>', 'what was replayed').choices(['bonn']).default('bonn'))
    .option('--recording <id>', 'only this recording')
    .option('--manifest <file...>', 'what a replay has sent (default: all of <data>/replays)')
    .option('--json', 'the result as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire verify --source bonn --data ./ward\n  vitalwire verify --manifest ./ward/replays/bonn-1-20261122T120000000Z.json --json\n\nExit code 1 and the first differences if anything is lost, doubled or different.',
    );
  addConnectOptions(command).action((options: Options) => verify(io, options));
};

async function verify(io: Io, options: Options): Promise<void> {
  const dirs = resolveDataDir(options.data, io.env);
  const files = options.manifest ?? listManifests(dirs);
  if (files.length === 0)
    throw new CliError('NOTHING_TO_VERIFY', `${dirs.replays} holds no manifest; replay something first, or name one with --manifest`);
  const manifests = files.map(readManifest);
  const web = await connect(io, options);
  try {
    const reports: CaptureReport[] = [];
    for (const manifest of manifests) {
      for (const capture of manifest.captures) {
        io.signal.throwIfAborted();
        const report = await readStoredCapture(web, capture, expectationOf(manifest, capture), options.recording);
        if (options.recording === undefined || report.recordings.length > 0) reports.push(report);
      }
    }
    if (reports.length === 0)
      throw new CliError('NOTHING_TO_VERIFY', `no manifest in ${dirs.replays} knows recording ${options.recording ?? ''}`);
    const ledger = await Promise.all(
      reports.flatMap((report) => report.recordings).map(async ({ recordingId }) => (await web.recording(recordingId)).ledger),
    );
    const result = {
      captures: reports.length,
      recordings: ledger.length,
      samplesSent: sum(reports, (report) => report.answered),
      samplesStored: sum(reports, (report) => report.coverage.stored),
      lost: options.recording === undefined ? sum(reports, (report) => report.coverage.lost) : 0, // one recording holds only a part of its capture
      duplicated: sum(reports, (report) => report.coverage.duplicated),
      different: sum(reports, (report) => report.differences),
      chunks: sum(reports, (report) => report.chunks),
      ledgerChunks: ledger.reduce((total, one) => total + one.chunksStored, 0),
      ledgerMissing: ledger.reduce((total, one) => total + one.missing.reduce((all, range) => all + range.to - range.from + 1, 0), 0),
      open: ledger.filter((one) => one.state === 'open').length,
      firstDifferences: reports
        .flatMap((report) => report.firstDifferences.map((difference) => ({ device: report.device, stream: report.stream, ...difference })))
        .slice(0, 10),
      firstMissing:
        options.recording === undefined
          ? reports
              .flatMap((report) =>
                report.coverage.missing.map((range) => ({
                  device: report.device,
                  stream: report.stream,
                  captureId: report.captureId,
                  ...range,
                })),
              )
              .slice(0, 10)
          : [],
    };
    const same =
      result.lost === 0 &&
      result.duplicated === 0 &&
      result.different === 0 &&
      result.ledgerMissing === 0 &&
      result.ledgerChunks === result.chunks;
    if (options.json === true) printJson(io, { same, ...result });
    else tell(io, same, result);
    if (!same) io.exitCode(exitCodes.answerIsNo);
  } finally {
    await web.close();
  }
}

type Result = {
  captures: number;
  recordings: number;
  samplesSent: number;
  samplesStored: number;
  lost: number;
  duplicated: number;
  different: number;
  chunks: number;
  ledgerChunks: number;
  ledgerMissing: number;
  open: number;
  firstDifferences: readonly {
    device: string;
    stream: string;
    recordingId: string;
    seq: number;
    position: number;
    found: string;
    expected: string;
  }[];
  firstMissing: readonly { device: string; stream: string; captureId: string; from: number; to: number }[];
};

function tell(io: Io, same: boolean, result: Result): void {
  printLine(
    io,
    `${result.samplesStored} readings stored of ${result.samplesSent} answered, in ${result.recordings} recordings and ${result.chunks} chunks`,
  );
  printLine(
    io,
    `lost ${result.lost}, duplicated ${result.duplicated}, different ${result.different}; the ledger counts ${result.ledgerChunks} chunks, ${result.ledgerMissing} missing, ${result.open} recordings open`,
  );
  for (const { device, stream, recordingId, seq, position, found, expected } of result.firstDifferences) {
    printLine(
      io,
      `  different: ${device} ${stream}, reading ${position} (recording ${recordingId}, chunk ${seq}): found ${found}, expected ${expected}`,
    );
  }
  for (const { device, stream, from, to } of result.firstMissing)
    printLine(io, `  lost: ${device} ${stream}, readings ${from} to ${to - 1}`);
  printLine(io, same ? 'Every stored reading is what the source holds, bit for bit.' : 'Stored and source differ.');
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
