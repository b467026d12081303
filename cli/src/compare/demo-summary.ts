import type { DetectionCount } from './ictal.ts';
import { quantile } from './quantile.ts';
import type { CaptureReport } from './stored-capture.ts';

/** What a demo with an end has shown: the last line of its output. */
export type DemoSummary = {
  readonly samplesSent: number; // EEG samples answered with a 2xx
  readonly samplesStored: number; // different EEG samples in the database
  readonly lost: number; // sent and not stored: EEG, numbers and events
  readonly duplicated: number; // one (capture, sample) stored twice, in any recordings
  readonly different: number; // stored readings that are not what the source holds
  readonly readingsSent: number; // numbers and events
  readonly readingsStored: number;
  readonly chunksCommitted: number; // of all these captures
  readonly windows: number;
  readonly detections: number;
  readonly detectionsInsideIctal: number;
  readonly detectionsOutsideIctal: number;
  readonly seizureAlarms: number; // raised and stored
  readonly p50Ms: number | null; // last sample of a chunk to the commit's return; only at 1x
  readonly p95Ms: number | null;
  readonly latencies: number;
  readonly latencyNote: string;
  readonly chunkMs: number | null; // median length of the EEG chunks
  readonly backend: string | null;
  readonly model: string | null;
  readonly patients: number;
  readonly played: { readonly synthetic: number; readonly bonn: number }; // patients of each kind
  readonly seconds: number;
  readonly stackReadyMs: number;
  readonly firstSampleMs: number | null; // from the stack's start to the first stored sample
  readonly drained: boolean;
  readonly resends: number;
  readonly label: string;
};

export type SummaryParts = Pick<
  DemoSummary,
  | 'backend'
  | 'model'
  | 'patients'
  | 'played'
  | 'seizureAlarms'
  | 'seconds'
  | 'stackReadyMs'
  | 'firstSampleMs'
  | 'drained'
  | 'resends'
  | 'label'
  | 'latencyNote'
> & {
  readonly reports: readonly CaptureReport[];
  readonly counts: readonly DetectionCount[];
  readonly latenciesMs: readonly number[];
};

export function summarise(parts: SummaryParts): DemoSummary {
  const { reports, counts, latenciesMs, ...rest } = parts;
  const eeg = reports.filter((report) => report.stream === 'eeg');
  const other = reports.filter((report) => report.stream !== 'eeg');
  const detections = sum(counts, (count) => count.detections);
  const inside = sum(counts, (count) => count.inside);
  return {
    samplesSent: sum(eeg, (report) => report.answered),
    samplesStored: sum(eeg, (report) => report.coverage.stored),
    lost: sum(reports, (report) => report.coverage.lost),
    duplicated: sum(reports, (report) => report.coverage.duplicated),
    different: sum(reports, (report) => report.differences),
    readingsSent: sum(other, (report) => report.answered),
    readingsStored: sum(other, (report) => report.coverage.stored),
    chunksCommitted: sum(reports, (report) => report.chunks),
    windows: sum(counts, (count) => count.windows),
    detections,
    detectionsInsideIctal: inside,
    detectionsOutsideIctal: detections - inside,
    p50Ms: rounded(quantile(latenciesMs, 0.5)),
    p95Ms: rounded(quantile(latenciesMs, 0.95)),
    latencies: latenciesMs.length,
    chunkMs: medianOf(eeg.map(chunksByMs)),
    ...rest,
  };
}

/** Nothing lost, nothing doubled, nothing changed: the promise. */
export function isKept(summary: DemoSummary): boolean {
  return summary.lost === 0 && summary.duplicated === 0 && summary.different === 0 && summary.samplesStored > 0;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** How many chunks last so many ms, at the rate of the capture's recordings. */
function chunksByMs({ chunksBySamples, recordings }: CaptureReport): Map<number, number> {
  const rate = recordings[0]?.rate;
  if (rate == null) return new Map();
  return new Map([...chunksBySamples].map(([samples, count]) => [Math.round((samples * 1000 * rate.den) / rate.num), count]));
}

/** The median of values that are counted, not listed. */
function medianOf(counts: readonly ReadonlyMap<number, number>[]): number | null {
  const sorted = counts.flatMap((count) => [...count]).sort(([a], [b]) => a - b);
  const half = sum(sorted, ([, count]) => count) / 2;
  let passed = 0;
  for (const [value, count] of sorted) {
    passed += count;
    if (passed >= half) return value;
  }
  return null;
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
