import { labelLines } from '@vitalwire/contract';
import type { TimeEvent } from '@vitalwire/vitals';
import type { RecordingReport, ScoreReport } from './report.ts';
import { clock } from './report-text.ts';
import type { HypothesisName } from './scored-recording.ts';

const WIDTH = 1200;
const LEFT = 190; // where time begins
const RIGHT = 24;
const BAR = 16;
const LANE = 24;
const TITLE = 26; // above the lanes of a recording
const BELOW = 34; // the axis and the space to the next recording
const HEAD = 168;
const MAX_RECORDINGS = 100;
const MIN_BAR = 3;

const laneNames: Readonly<Record<HypothesisName, string>> = {
  engine: 'alarm engine',
  rule: "engine's rule",
  raw: 'raw threshold',
  file: 'hypothesis',
};

// Each kind differs by fill and outline as well as by colour (Okabe-Ito; every outline has at least 3:1 against white).
const kinds = {
  detected: { word: 'seizure, detected', fill: '#cfe5f5', stroke: '#0072b2', dash: '' },
  missed: { word: 'seizure, missed', fill: '#ffffff', stroke: '#0072b2', dash: '5 3' },
  'true-positive': { word: 'alarm at a seizure', fill: '#cdebdf', stroke: '#007a5a', dash: '' },
  'false-positive': { word: 'false alarm', fill: 'url(#false)', stroke: '#b34700', dash: '' },
} as const;
type Kind = keyof typeof kinds;

/** The report as a picture: one time line per recording with what was annotated and what was claimed, after merging and splitting. */
export function timelineSvg(report: ScoreReport): string {
  const shown = report.recordings.slice(0, MAX_RECORDINGS);
  const left = report.recordings.length - shown.length;
  const blocks: string[] = [];
  let top = HEAD;
  for (const recording of shown) {
    blocks.push(recordingBlock(recording, top));
    top += heightOf(recording);
  }
  if (left > 0) blocks.push(text(LEFT, top + 14, `${left} more recordings are not drawn; --json has them`));
  const foot = top + (left > 0 ? 30 : 6);
  const height = foot + labelLines.length * 18 + 14;
  const title = `Seizures and alarms of ${report.recordings.length === 1 ? 'one recording' : `${report.recordings.length} recordings`}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13" fill="#1a1a1a">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description(report))}</desc>`,
    '<defs><pattern id="false" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/><rect width="3" height="6" fill="#b34700"/></pattern></defs>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...heading(report, title),
    ...legend(report.hypotheses[0]?.name),
    ...blocks,
    ...labelLines.map((line, index) => text(16, foot + 18 * (index + 1), line, 'font-size="12" fill="#444444"')),
    '</svg>',
    '',
  ].join('\n');
}

function heading(report: ScoreReport, title: string): string[] {
  const labels = [report.dataLabel, report.timeLabel].filter((label) => label !== null).join('; latency: ');
  return [
    text(16, 28, title, 'font-size="18" font-weight="600"'),
    text(16, 52, labels === '' ? report.rules : labels, 'font-weight="600"'),
    ...figureLines(report).map((line, index) => text(16, 74 + 18 * index, line)),
  ];
}

function figureLines({ hypotheses }: ScoreReport): string[] {
  return hypotheses.map(({ name, events, alarms, latency }) => {
    const found = `${laneNames[name]}: ${events.tp} of ${events.refs} found, ${Number.isNaN(events.fpPerDay) ? '--' : events.fpPerDay.toFixed(1)} false per 24 h, ${alarms} alarms raised`;
    return latency === null || latency.medianS === null ? found : `${found}, median latency ${latency.medianS.toFixed(1)} s`;
  });
}

function description(report: ScoreReport): string {
  const each = report.recordings.slice(0, MAX_RECORDINGS).map(({ subject, reference, hypotheses }) => {
    const counts = hypotheses.map(({ name, scoring }) => `${laneNames[name]} ${scoring.tp} of ${scoring.refs} found, ${scoring.fp} false`);
    return `${subject}: ${reference.length} seizures; ${counts.join('; ')}.`;
  });
  return `${figureLines(report).join('. ')}. ${each.join(' ')} ${report.label}`;
}

function legend(first: HypothesisName | undefined): string[] {
  const entries = (Object.keys(kinds) as Kind[]).flatMap((kind, index) => {
    const x = 16 + index * 190;
    return [bar(x, 108, 28, kind, kinds[kind].word), text(x + 36, 121, kinds[kind].word)];
  });
  const by = first === undefined ? '' : `; detected or missed by: ${laneNames[first]}`;
  const words = `inside: as annotated or raised; outside: as scored, merged and split${by}`;
  return [...entries, core(16, 132, 28, '#1a1a1a'), text(52, 145, words)];
}

function heightOf({ hypotheses }: RecordingReport): number {
  return TITLE + LANE * (1 + hypotheses.length) + BELOW;
}

type Lane = {
  readonly label: string;
  readonly boxes: readonly { readonly event: TimeEvent; readonly kind: Kind }[]; // as scored
  readonly cores: readonly TimeEvent[]; // as annotated or raised
};

function recordingBlock(recording: RecordingReport, top: number): string {
  const { subject, name, durationS, hypotheses } = recording;
  const [first] = hypotheses;
  const xOf = (atS: number): number => LEFT + (atS / durationS) * (WIDTH - LEFT - RIGHT);
  const lanes: Lane[] = [
    {
      label: 'annotated',
      boxes: (first?.scoring.references ?? []).map((event) => ({ event, kind: event.detected ? 'detected' : 'missed' })),
      cores: recording.reference,
    },
    ...hypotheses.map((one) => ({
      label: laneNames[one.name],
      boxes: one.scoring.hypotheses.map((event) => ({ event, kind: event.outcome })),
      cores: one.alarms,
    })),
  ];
  const lanesTop = top + TITLE;
  const axisTop = lanesTop + LANE * lanes.length;
  const parts = lanes.flatMap(({ label, boxes, cores }, lane) => {
    const y = lanesTop + lane * LANE;
    const span = ({ startS, endS }: TimeEvent): [x: number, width: number] => {
      const x = xOf(startS);
      return [x, Math.max(MIN_BAR, xOf(Math.min(durationS, endS)) - x)];
    };
    const words = (kind: Kind, { startS, endS }: TimeEvent): string => `${kinds[kind].word}, ${clock(startS)} to ${clock(endS)}`;
    return [
      text(LEFT - 12, y + 13, label, 'text-anchor="end"'),
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y + BAR / 2}" y2="${y + BAR / 2}" stroke="#d0d0d0"/>`,
      ...boxes.map(({ event, kind }) => {
        const [x, width] = span(event);
        return bar(x, y, width, kind, words(kind, event));
      }),
      ...cores.map((event) => core(span(event)[0], y, span(event)[1], lane === 0 ? '#0072b2' : '#1a1a1a')),
    ];
  });
  return [
    `<g aria-label="${escaped(`${subject}, ${name}`)}">`,
    text(16, top + 16, subject, 'font-weight="600"'),
    text(LEFT, top + 16, name, 'fill="#444444"'),
    ...parts,
    ...axis(durationS, axisTop, xOf),
    '</g>',
  ].join('\n');
}

function axis(durationS: number, top: number, xOf: (atS: number) => number): string[] {
  const step =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400].find((one) => durationS / one <= 12) ??
    604_800;
  const ticks = Array.from({ length: Math.floor(durationS / step) + 1 }, (_, index) => index * step);
  return [
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${top}" y2="${top}" stroke="#767676"/>`,
    ...ticks.flatMap((atS) => {
      const x = round(xOf(atS));
      return [
        `<line x1="${x}" x2="${x}" y1="${top}" y2="${top + 5}" stroke="#767676"/>`,
        text(x, top + 18, clock(atS).replace(/\.0$/, ''), 'text-anchor="middle" font-size="11" fill="#444444"'),
      ];
    }),
  ];
}

function bar(x: number, y: number, width: number, kind: Kind, words: string): string {
  const { fill, stroke, dash } = kinds[kind];
  const taller = kind === 'false-positive' ? 3 : 0; // so that one of a pixel still stands out
  const dashed = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  return `<rect x="${round(x)}" y="${y - taller}" width="${round(width)}" height="${BAR + 2 * taller}" fill="${fill}" stroke="${stroke}" stroke-width="1.5"${dashed}><title>${escaped(words)}</title></rect>`;
}

function core(x: number, y: number, width: number, fill: string): string {
  return `<rect x="${round(x)}" y="${y + BAR / 2 - 3}" width="${round(width)}" height="6" fill="${fill}"/>`;
}

function text(x: number, y: number, words: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escaped(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
