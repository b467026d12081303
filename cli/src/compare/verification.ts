import type { Client } from '@vitalwire/client';
import type { LedgerOfRecording } from '@vitalwire/contract';
import { DatasetError } from '@vitalwire/datasets';
import { CliError } from '../errors.ts';
import type { Manifest } from '../replay/manifest.ts';
import type { AgentCounters } from '../stack/agent-counters.ts';
import { ReplayedPatients } from './expectation.ts';
import { type CaptureReport, type Difference, readStoredCapture } from './stored-capture.ts';

/** Whether the store holds what replays have sent. Readings are EEG samples per channel, numbers of vitals and events. */
export type Verification = {
  readonly same: boolean;
  readonly captures: number;
  readonly recordings: number;
  readonly compared: number; // stored readings that were compared with the source
  readonly samplesSent: number;
  readonly samplesStored: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly different: number;
  readonly unsent: number; // the source has them, before the last that was answered, and no request brought them
  readonly chunks: number;
  readonly ledgerChunks: number;
  readonly ledgerMissing: number;
  readonly open: number; // recordings without an end
  readonly agent: AgentCounters | null;
  readonly disagreements: readonly string[]; // between our reading, the ledger and the agent
  /** Patients whose source is not here or is another now: nothing can be said of them, so the whole is not the same. */
  readonly notCompared: readonly NotCompared[];
  readonly firstDifferences: readonly (Difference & Where)[];
  readonly firstMissing: readonly (Where & { from: number; to: number })[];
};
export type NotCompared = { readonly replay: string; readonly patient: string; readonly reason: string };
type Where = { readonly device: string; readonly stream: string; readonly captureId: string };

export type VerifyOptions = {
  readonly manifests: readonly Manifest[];
  /** Only this recording; what is lost cannot be told then, because a recording holds only a part of its capture. */
  readonly recording?: string | undefined;
  readonly agent: AgentCounters | null;
  readonly signal: AbortSignal;
};

const SHOWN = 10;

/** Reads back everything the replays have sent and compares it with the source, the ledger and the agent. */
export async function verifyReplays(web: Client, options: VerifyOptions): Promise<Verification> {
  const reports: CaptureReport[] = [];
  const notCompared = new Map<string, NotCompared>();
  let first: unknown;
  for (const manifest of options.manifests) {
    const without = (patient: string, cause: Error): void => {
      first ??= cause;
      notCompared.set(`${manifest.id} ${patient}`, { replay: manifest.id, patient, reason: cause.message });
    };
    for await (const report of reportsOf(web, manifest, options, without)) {
      if (options.recording === undefined || report.recordings.length > 0) reports.push(report);
    }
  }
  if (reports.length === 0 && first !== undefined) throw first;
  const ledgers: LedgerOfRecording[] = [];
  for (const { recordingId } of reports.flatMap((report) => report.recordings)) ledgers.push((await web.recording(recordingId)).ledger);
  return conclude(reports, ledgers, [...notCompared.values()], options);
}

/** Every capture of a replay beside what is stored of it, one after the other. */
async function* reportsOf(
  web: Client,
  manifest: Manifest,
  { recording, signal }: Pick<VerifyOptions, 'recording' | 'signal'>,
  /** Told of a patient whose source cannot be opened; the others go on. */
  without: (patient: string, cause: Error) => void,
): AsyncGenerator<CaptureReport> {
  const patients = new ReplayedPatients(manifest);
  try {
    for (const capture of manifest.captures) {
      signal.throwIfAborted();
      const lateRanges = manifest.captures
        .filter(({ late, captureId }) => late && captureId.startsWith(`${capture.captureId}-`))
        .flatMap(({ answered }) => answered);
      const expectation = await patients.expectationOf(capture).catch((cause: unknown) => {
        if (!(cause instanceof CliError || cause instanceof DatasetError)) throw cause;
        without(capture.patient, cause);
        return null;
      });
      if (expectation !== null) yield await readStoredCapture(web, capture, expectation, { lateRanges, onlyRecording: recording });
    }
  } finally {
    await patients.close();
  }
}

function conclude(
  reports: readonly CaptureReport[],
  ledgers: readonly LedgerOfRecording[],
  notCompared: readonly NotCompared[],
  options: VerifyOptions,
): Verification {
  const isWhole = options.recording === undefined;
  const figures = {
    captures: reports.length,
    recordings: ledgers.length,
    compared: sum(reports, ({ chunksBySamples }) => sum([...chunksBySamples], ([samples, chunks]) => samples * chunks)),
    samplesSent: sum(reports, (report) => report.answered),
    samplesStored: sum(reports, (report) => report.coverage.stored),
    lost: isWhole ? sum(reports, (report) => report.coverage.lost) : 0,
    duplicated: sum(reports, (report) => report.coverage.duplicated),
    different: sum(reports, (report) => report.differences),
    unsent: isWhole ? sum(reports, (report) => report.unsent) : 0,
    chunks: sum(reports, (report) => report.chunks),
    ledgerChunks: sum(ledgers, (ledger) => ledger.chunksStored),
    ledgerMissing: sum(ledgers, (ledger) => sum(ledger.missing, (range) => range.to - range.from + 1)),
    open: ledgers.filter((ledger) => ledger.state === 'open').length,
  };
  const disagreements = disagreementsOf(figures, options);
  const isSame =
    figures.lost === 0 && figures.duplicated === 0 && figures.different === 0 && disagreements.length === 0 && notCompared.length === 0;
  const where = ({ device, stream, captureId }: CaptureReport): Where => ({ device, stream, captureId });
  return {
    same: isSame,
    ...figures,
    agent: options.agent,
    disagreements,
    notCompared,
    firstDifferences: reports.flatMap((report) => report.firstDifferences.map((one) => ({ ...where(report), ...one }))).slice(0, SHOWN),
    firstMissing: isWhole
      ? reports.flatMap((report) => report.coverage.missing.map((range) => ({ ...where(report), ...range }))).slice(0, SHOWN)
      : [],
  };
}

type Figures = Pick<Verification, 'unsent' | 'chunks' | 'ledgerChunks' | 'ledgerMissing' | 'samplesStored'>;

/** Where two who count the same thing do not come to the same number. */
function disagreementsOf(figures: Figures, { agent, manifests, recording }: VerifyOptions): string[] {
  const found: string[] = [];
  if (figures.ledgerChunks !== figures.chunks)
    found.push(`the ledger counts ${figures.ledgerChunks} chunks, ${figures.chunks} could be read`);
  if (figures.unsent > 0) found.push(`the source has ${figures.unsent} readings that were passed over by the replay`);
  if (figures.ledgerMissing > 0) found.push(`the ledger misses ${figures.ledgerMissing} chunks`);
  if (agent === null || recording !== undefined) return found;
  if (agent.evictedChunks > 0) found.push(`the agent gave up ${agent.evictedChunks} chunks because its outbox was full`);
  if (agent.damagedChunks > 0) found.push(`the agent found ${agent.damagedChunks} damaged chunks in its outbox`);
  // Its counts begin with its process: comparable only if it has seen all of these replays.
  const { sinceMs, acceptedReadings } = agent;
  const hasSeenAll = sinceMs !== null && manifests.every((manifest) => manifest.startedAtUs / 1000 > sinceMs);
  if (hasSeenAll && acceptedReadings !== null && acceptedReadings < figures.samplesStored) {
    found.push(`the agent took in ${acceptedReadings} readings, ${figures.samplesStored} are stored`);
  }
  return found;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
