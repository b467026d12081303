import { type AveragedScores, type Scores, type SubjectAverage, scoreNames } from '@vitalwire/vitals';
import { momentText } from '../moment.ts';
import { tableLines } from '../table.ts';
import type { CountsAndScores, Figures, LatencyFigures, ScoreReport } from './report.ts';
import type { HypothesisName } from './scored-recording.ts';

const MAX_LINES = 60;
const titles: Readonly<Record<HypothesisName, string>> = {
  engine: 'ALARM ENGINE',
  rule: "ENGINE'S RULE",
  raw: 'RAW THRESHOLD',
  file: 'HYPOTHESIS',
};
const scoreTitles = { sensitivity: 'sensitivity', precision: 'precision', f1: 'F1', fpPerDay: 'false alarms per 24 h' } as const;

/** The report for people: what the figures are of, the pooled figures side by side, averages over subjects, then each subject and event. */
export function reportLines(report: ScoreReport): string[] {
  return [
    ...heading(report),
    '',
    ...tableLines(pooledTable(report)),
    '',
    ...averageLines(report),
    ...subjectLines(report),
    ...latencyLines(report),
    ...noteLines(report),
    report.rules,
    report.label,
  ];
}

function heading({ dataLabel, timeLabel, sources, recordings, subjects, recordedS, monitoredS, clearS, seizures }: ScoreReport): string[] {
  return [
    ...(dataLabel === null ? [] : [dataLabel.toUpperCase()]),
    `${counted(recordings.length, 'recording')} of ${counted(subjects.length, 'subject')}, ${hours(recordedS)} recorded, ${hours(monitoredS)} of them monitored, ${counted(seizures, 'annotated seizure')}`,
    `${hours(clearS)} lie outside every seizure and its tolerances: only there can an alarm be false`,
    ...sources.map((source) => `source: ${source}`),
    ...(timeLabel === null ? [] : [`latency: ${timeLabel}`]),
  ];
}

function pooledTable({ hypotheses }: ScoreReport): string[][] {
  const row = (title: string, cell: (figures: Figures) => string): string[] => [title, ...hypotheses.map(cell)];
  return [
    ['POOLED', ...hypotheses.map(({ name }) => titles[name])],
    row('event sensitivity', ({ events }) => `${share(events.sensitivity)} (${events.tp} of ${events.refs})`),
    row('event precision', ({ events }) => share(events.precision)),
    row('event F1', ({ events }) => share(events.f1)),
    row('false alarms per 24 h monitored', ({ events }) => `${rate(events.fpPerDay)} (${events.fp} in all)`),
    row('alarms raised', ({ alarms }) => String(alarms)),
    row('  outside any seizure', ({ outside }) => String(outside)),
    row('  sounded, times', ({ sounded }) => (sounded === null ? '--' : String(sounded))),
    row('latency, median', ({ latency }) => seconds(latency?.medianS)),
    row('latency, 90 % within', ({ latency }) => seconds(latency?.p90S)),
    row('  measured on', ({ latency }) => measuredOn(latency)),
    row('sample sensitivity', ({ samples }) => share(samples.sensitivity)),
    row('sample precision', ({ samples }) => share(samples.precision)),
    row('sample F1', ({ samples }) => share(samples.f1)),
  ];
}

function measuredOn(latency: LatencyFigures | null): string {
  if (latency === null) return 'files do not say when';
  const already = latency.alreadyAlarming === 0 ? '' : `, ${latency.alreadyAlarming} already alarming`;
  return `${latency.detected} seizures${already}, ${latency.missed} missed`;
}

function averageLines({ hypotheses, subjects }: ScoreReport): string[] {
  if (subjects.length < 2) return [];
  const cells = (averages: AveragedScores, names: readonly (keyof Scores)[]): string[] =>
    names.map((name) => average(averages[name], name === 'fpPerDay' ? rate : share));
  const rows = hypotheses.flatMap(({ name, averages }) => [
    [`${titles[name].toLowerCase()}, events`, ...cells(averages.events, scoreNames)],
    [`${titles[name].toLowerCase()}, samples`, ...cells(averages.samples, ['sensitivity', 'precision', 'f1'])],
  ]);
  return [
    ...tableLines([[`MEAN ± SD OF ${subjects.length} SUBJECTS`, ...scoreNames.map((name) => scoreTitles[name])], ...rows]),
    '(n without): subjects in whom the score does not exist; the mean is over the others',
    '',
  ];
}

function average({ mean, sd, nanSubjects }: SubjectAverage, text: (value: number) => string): string {
  const without = nanSubjects === 0 ? '' : ` (${nanSubjects} without)`;
  return Number.isNaN(mean) ? `--${without}` : `${text(mean)} ± ${text(sd)}${without}`;
}

function subjectLines({ subjects, hypotheses }: ScoreReport): string[] {
  const cells = ({ events, alarms }: Figures): string[] => [
    `${events.tp}/${events.refs}`,
    scores(events, 'precision'),
    scores(events, 'f1'),
    rate(events.fpPerDay),
    String(alarms),
  ];
  const rows = subjects.flatMap(({ subject, figures }) =>
    hypotheses.flatMap(({ name }) => {
      const own = figures[name];
      return own === undefined ? [] : [[subject, titles[name].toLowerCase(), ...cells(own)]];
    }),
  );
  return [...limited(tableLines([['SUBJECT', 'BY', 'FOUND', 'PRECISION', 'F1', 'FALSE/24 H', 'ALARMS'], ...rows])), ''];
}

function latencyLines({ recordings, hypotheses }: ScoreReport): string[] {
  const names = hypotheses.filter(({ latency }) => latency !== null).map(({ name }) => name);
  if (names.length === 0) return [];
  const rows = recordings.flatMap((recording) =>
    recording.reference.map((event, index) => [
      recording.subject,
      recording.startedAtUs === null
        ? clock(event.startS)
        : `${clock(event.startS)} (${momentText(recording.startedAtUs + event.startS * 1e6).slice(0, 19)})`,
      seconds(event.endS - event.startS),
      ...names.map((name) => {
        const met = recording.hypotheses.find((one) => one.name === name)?.latencies?.[index];
        return met === undefined || recording.monitoredS === 0
          ? '--'
          : met.latencyS === null
            ? met.met.replace('-', ' ')
            : seconds(met.latencyS);
      }),
    ]),
  );
  if (rows.length === 0) return [];
  return [...limited(tableLines([['SUBJECT', 'ONSET', 'LASTS', ...names.map((name) => `LATENCY, ${titles[name]}`)], ...rows])), ''];
}

/** What a reader must know; what is true of several subjects is said once. */
function noteLines({ recordings }: ScoreReport): string[] {
  const whose = new Map<string, Set<string>>();
  for (const { subject, notes } of recordings) for (const note of notes) whose.set(note, (whose.get(note) ?? new Set()).add(subject));
  const lines = [...whose].map(
    ([note, subjects]) => `note: ${subjects.size > 3 ? `${subjects.size} subjects` : [...subjects].join(', ')}: ${note}`,
  );
  return lines.length === 0 ? [] : [...limited(lines), ''];
}

function limited(lines: readonly string[]): string[] {
  return lines.length <= MAX_LINES
    ? [...lines]
    : [...lines.slice(0, MAX_LINES), `... and ${lines.length - MAX_LINES} more; --json has all of them`];
}

function scores(figures: CountsAndScores, name: 'precision' | 'f1'): string {
  return share(figures[name]);
}

function share(value: number): string {
  return Number.isNaN(value) ? '--' : value.toFixed(3);
}

function rate(value: number): string {
  return Number.isNaN(value) ? '--' : value.toFixed(1);
}

function seconds(value: number | null | undefined): string {
  return value === null || value === undefined ? '--' : `${value.toFixed(1)} s`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** 1:02:03.4 since the recording began. */
export function clock(totalS: number): string {
  const tenths = Math.round(totalS * 10);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${Math.floor(tenths / 36_000)}:${two((tenths / 600) % 60)}:${two((tenths / 10) % 60)}.${tenths % 10}`;
}

function hours(totalS: number): string {
  return totalS < 3600 ? `${(totalS / 60).toFixed(1)} min` : `${(totalS / 3600).toFixed(2)} h`;
}
