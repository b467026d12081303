import { labelShort } from '@vitalwire/contract';
import { assembledLabel } from '@vitalwire/datasets';
import {
  type AveragedScores,
  averageOverSubjects,
  detectionLatencies,
  type EventScoring,
  type LatencyOfEvent,
  orderedEvents,
  type ScoreCounts,
  type Scores,
  scoreEvents,
  scoreSamples,
  scoresOf,
  summedCounts,
} from '@vitalwire/vitals';
import { quantile } from '../compare/quantile.ts';
import { clearSeconds, type Hypothesis, type HypothesisName, outsideOf, type ScoredRecording } from './scored-recording.ts';

export type CountsAndScores = ScoreCounts & Scores;

/** What one kind of hypothesis reached over some recordings. */
export type Figures = {
  readonly events: CountsAndScores;
  readonly samples: CountsAndScores;
  readonly alarms: number; // as raised, before anything is merged
  readonly outside: number; // of these, outside every annotated seizure and its tolerances
  readonly sounded: number | null; // how often an alarm began to hold or held again; null = nobody knows
  readonly latency: LatencyFigures | null; // null = nobody knows when alarms were raised
};

export type LatencyFigures = {
  readonly medianS: number | null;
  readonly p90S: number | null;
  readonly detected: number;
  readonly alreadyAlarming: number;
  readonly missed: number;
};

export type ScoredHypothesis = {
  readonly name: HypothesisName;
  readonly scoring: EventScoring;
  readonly samples: ScoreCounts;
  readonly alarms: Hypothesis['alarms'];
  readonly outside: number;
  readonly sounded: number | null;
  readonly latencies: readonly LatencyOfEvent[] | null;
};

export type RecordingReport = Omit<ScoredRecording, 'hypotheses'> & { readonly hypotheses: readonly ScoredHypothesis[] };

export type SubjectReport = { readonly subject: string; readonly figures: Readonly<Partial<Record<HypothesisName, Figures>>> };

export type HypothesisReport = Figures & {
  readonly name: HypothesisName;
  readonly averages: { readonly events: AveragedScores; readonly samples: AveragedScores };
};

export type ScoreReport = {
  readonly label: string;
  readonly dataLabel: string | null; // what the data is not
  readonly timeLabel: string | null; // what the latency is not
  readonly rules: string;
  readonly sources: readonly string[];
  readonly durationS: number;
  readonly recordedS: number; // stored
  readonly monitoredS: number; // judged by a detector: false alarms per 24 h are per 24 of these hours
  readonly clearS: number; // of this, outside every seizure and its tolerances: only there can an alarm be false
  readonly seizures: number; // as annotated
  readonly hypotheses: readonly HypothesisReport[];
  readonly subjects: readonly SubjectReport[];
  readonly recordings: readonly RecordingReport[];
};

export const assembledDataLabel = 'assembled data, not a clinical rate';
export const dataTimeLabel = 'data time; not a latency of the pipeline';
const RULES =
  'SzCORE, as in timescoring 0.0.7: events merged below 90 s, split above 300 s, tolerances 30 s and 60 s; samples of 1 s; F1 of 0.0.7';

const DAY_S = 86_400;
const nothingCounted: ScoreCounts = { refs: 0, tp: 0, fp: 0, samples: 0, hz: 1 };

/** Every figure about these recordings. Pooled: counts of all added; averages: per subject, as the SzCORE benchmark averages. */
export function scoreReport(recordings: readonly ScoredRecording[]): ScoreReport {
  const scored = recordings.map((one) => ({ ...one, hypotheses: one.hypotheses.map((hypothesis) => scoredHypothesis(one, hypothesis)) }));
  const names = (['engine', 'rule', 'raw', 'file'] as const).filter((name) =>
    scored.some(({ hypotheses }) => hypotheses.some((one) => one.name === name)),
  );
  const bySubject = Map.groupBy(scored, ({ subject }) => subject);
  const subjects = [...bySubject].map(([subject, own]) => ({
    subject,
    figures: Object.fromEntries(names.flatMap((name) => some(name, figuresOf(own, name)))) as SubjectReport['figures'],
  }));
  const hypotheses = names.flatMap((name) => {
    const pooled = figuresOf(scored, name);
    const own = subjects.flatMap(({ figures }) => figures[name] ?? []);
    if (pooled === null) return [];
    const averages = {
      events: averageOverSubjects(own.map(({ events }) => events)),
      samples: averageOverSubjects(own.map(({ samples }) => samples)),
    };
    return [{ name, ...pooled, averages }];
  });
  const isAssembled = recordings.some(({ source }) => source.includes(assembledLabel) || /synthetic/i.test(source));
  return {
    label: labelShort,
    dataLabel: isAssembled ? assembledDataLabel : null,
    timeLabel: recordings.some(({ speed }) => speed !== null && speed !== 1) ? dataTimeLabel : null,
    rules: RULES,
    sources: [...new Set(recordings.map(({ source }) => source).filter((source) => source !== ''))],
    durationS: recordings.reduce((sum, { durationS }) => sum + durationS, 0),
    recordedS: recordings.reduce((sum, { recordedS }) => sum + recordedS, 0),
    monitoredS: recordings.reduce((sum, { monitoredS }) => sum + monitoredS, 0),
    clearS: recordings.reduce((sum, { reference, durationS }) => sum + clearSeconds(reference, durationS), 0),
    seizures: recordings.reduce((sum, { reference }) => sum + reference.length, 0),
    hypotheses,
    subjects,
    recordings: scored,
  };
}

function scoredHypothesis({ reference, durationS }: ScoredRecording, { name, alarms, signals }: Hypothesis): ScoredHypothesis {
  const events = orderedEvents(alarms, durationS);
  return {
    name,
    scoring: scoreEvents(reference, events, durationS),
    samples: scoreSamples(reference, events, durationS),
    alarms,
    outside: outsideOf(reference, alarms),
    sounded: signals?.length ?? null,
    latencies: signals === null ? null : detectionLatencies(reference, signals),
  };
}

function figuresOf(recordings: readonly RecordingReport[], name: HypothesisName): Figures | null {
  if (!recordings.some(({ hypotheses }) => hypotheses.some((one) => one.name === name))) return null;
  // Where nothing was judged nothing was found and nothing was missed.
  const judged = recordings.filter(({ monitoredS }) => monitoredS > 0);
  const own = judged.flatMap(({ hypotheses }) => hypotheses.filter((one) => one.name === name));
  const monitoredS = judged.reduce((sum, one) => sum + one.monitoredS, 0);
  const events = summedCounts(own.map(({ scoring }) => countsOf(scoring))) ?? nothingCounted;
  const samples = summedCounts(own.map((one) => one.samples)) ?? nothingCounted;
  const perDay = (fp: number): number => (monitoredS === 0 ? Number.NaN : (fp * DAY_S) / monitoredS);
  const latencies = own.some((one) => one.latencies === null) ? null : own.flatMap((one) => one.latencies ?? []);
  return {
    events: { ...events, ...scoresOf(events), fpPerDay: perDay(events.fp) },
    samples: { ...samples, ...scoresOf(samples), fpPerDay: perDay(samples.fp) },
    alarms: own.reduce((sum, one) => sum + one.alarms.length, 0),
    outside: own.reduce((sum, one) => sum + one.outside, 0),
    sounded: own.some(({ sounded }) => sounded === null) ? null : own.reduce((sum, { sounded }) => sum + (sounded ?? 0), 0),
    latency: latencies === null ? null : latencyFigures(latencies),
  };
}

function latencyFigures(latencies: readonly LatencyOfEvent[]): LatencyFigures {
  const values = latencies.flatMap(({ latencyS }) => latencyS ?? []);
  const count = (met: LatencyOfEvent['met']): number => latencies.filter((one) => one.met === met).length;
  return {
    medianS: median(values),
    p90S: quantile(values, 0.9),
    detected: count('detected'),
    alreadyAlarming: count('already-alarming'),
    missed: count('missed'),
  };
}

/** Halfway between the middle two of an even number, so that it flatters nobody. */
function median(values: readonly number[]): number | null {
  const [low, high] = [
    quantile(values, 0.5),
    quantile(
      values.map((value) => -value),
      0.5,
    ),
  ];
  return low === null || high === null ? null : (low - high) / 2;
}

function countsOf({ refs, tp, fp, samples, hz }: EventScoring): ScoreCounts {
  return { refs, tp, fp, samples, hz };
}

function some<Value>(name: HypothesisName, value: Value | null): [HypothesisName, Value][] {
  return value === null ? [] : [[name, value]];
}
