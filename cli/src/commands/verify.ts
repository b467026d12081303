import { Option } from 'commander';
import { type Verification, verifyReplays } from '../compare/verification.ts';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, exitCodes, type Io, printJson, printLine } from '../io.ts';
import { listManifests, readManifest } from '../replay/manifest.ts';
import { type SourceKind, sourceKinds } from '../replay/source-spec.ts';
import { askCounters } from '../stack/agent-counters.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { findStack } from '../stack/stack-file.ts';

type Options = ConnectOptions & { source?: SourceKind; recording?: string; manifest?: string[]; json?: boolean };

/** `vitalwire verify`: is every stored sample, bit for bit, what the source holds? */
export const addCommand: AddCommand = (program, io) => {
  const command = program
    .command('verify')
    .description('compare every stored reading of a replay with its source, bit for bit')
    .addOption(new Option('--source <kind>', 'only replays of this kind of source').choices(sourceKinds))
    .option('--recording <id>', 'only this recording')
    .option('--manifest <file...>', 'what a replay has sent (default: all of <data>/replays)')
    .option('--json', 'the result as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire verify --data ./ward
  vitalwire verify --manifest ./ward/replays/bonn-20261122T120000000Z.json --json

Exit code 1 and the first differences if anything is lost, doubled or different, if ledger and agent count otherwise, or if a source is not
here any more: its patients are named, the others compared.`,
    );
  addConnectOptions(command).action((options: Options) => verify(io, options));
};

async function verify(io: Io, options: Options): Promise<void> {
  const dirs = resolveDataDir(options.data, io.env);
  const files = options.manifest ?? listManifests(dirs);
  if (files.length === 0) {
    throw new CliError('NOTHING_TO_VERIFY', `${dirs.replays} holds no manifest; replay something first, or name one with --manifest`);
  }
  const manifests = files
    .map(readManifest)
    .filter(({ patients }) => options.source === undefined || patients.some(({ source }) => source.kind === options.source));
  if (manifests.length === 0) throw new CliError('NOTHING_TO_VERIFY', `no manifest is of a replay of ${options.source ?? 'anything'}`);
  const stack = findStack(dirs);
  const web = await connect(io, options);
  try {
    const agent = stack === null ? null : await askCounters(stack);
    const result = await verifyReplays(web, { manifests, recording: options.recording, agent, signal: io.signal });
    if (options.recording !== undefined && result.recordings === 0) {
      throw new CliError('NOTHING_TO_VERIFY', `no manifest knows recording ${options.recording}`);
    }
    if (options.json === true) printJson(io, result);
    else tell(io, result);
    if (!result.same) io.exitCode(exitCodes.answerIsNo);
  } finally {
    await web.close();
  }
}

function tell(io: Io, result: Verification): void {
  const { samplesStored, samplesSent, recordings, chunks, lost, duplicated, different, open } = result;
  printLine(
    io,
    `${samplesStored} readings stored of ${samplesSent} answered, in ${recordings} recordings (${open} open) and ${chunks} chunks`,
  );
  printLine(io, `lost ${lost}, duplicated ${duplicated}, different ${different}`);
  for (const one of result.disagreements) printLine(io, `  ${one}`);
  for (const { device, stream, recordingId, seq, position, found, expected } of result.firstDifferences) {
    printLine(
      io,
      `  different: ${device} ${stream} reading ${position} (recording ${recordingId}, chunk ${seq}): found ${found}, expected ${expected}`,
    );
  }
  for (const { device, stream, from, to } of result.firstMissing)
    printLine(io, `  lost: ${device} ${stream} readings ${from} to ${to - 1}`);
  for (const { replay, patient, reason } of result.notCompared) printLine(io, `  not compared: ${patient} of ${replay}: ${reason}`);
  if (isSameButPartly(result)) printLine(io, 'Every stored reading that could be compared is what the source holds; the rest could not.');
  else printLine(io, result.same ? 'Every stored reading is what the source holds, bit for bit.' : 'Stored and source differ.');
}

function isSameButPartly({ notCompared, lost, duplicated, different, disagreements }: Verification): boolean {
  return notCompared.length > 0 && lost + duplicated + different + disagreements.length === 0;
}
