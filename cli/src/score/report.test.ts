import { assembledLabel } from '@vitalwire/datasets';
import type { Raised, TimeEvent } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { assembledDataLabel, dataTimeLabel, scoreReport } from './report.ts';
import { clock, reportLines } from './report-text.ts';
import { clearSeconds, coveredSeconds, type Hypothesis, outsideOf, type ScoredRecording } from './scored-recording.ts';
import { timelineSvg } from './timeline-svg.ts';

const at = (startS: number, endS: number): TimeEvent => ({ startS, endS });
const alarm = (startS: number, endS: number, raisedS: number): Raised => ({ startS, endS, raisedS });
const of = (name: Hypothesis['name'], alarms: readonly Raised[]): Hypothesis => ({
  name,
  alarms,
  signals: name === 'file' ? null : alarms,
});

function recording(over: Partial<ScoredRecording> = {}): ScoredRecording {
  return {
    subject: 'p01',
    name: 'capture-1',
    startedAtUs: Date.UTC(2026, 10, 28, 10) * 1000,
    durationS: 3600,
    recordedS: 3600,
    monitoredS: 3600,
    reference: [at(600, 640), at(1800, 1860)],
    hypotheses: [
      of('engine', [alarm(602, 640, 608), alarm(1801, 1850, 1809)]),
      of('raw', [alarm(601, 602, 602), alarm(603, 604, 604), alarm(1801, 1802, 1802), alarm(3000, 3001, 3001)]),
    ],
    source: '',
    speed: 1,
    windows: null,
    notes: [],
    ...over,
  };
}

test('the report counts each hypothesis over all recordings, and averages over subjects', () => {
  const silent = recording({
    subject: 'p02',
    reference: [at(100, 130)],
    hypotheses: [of('engine', []), of('raw', [])],
  });
  const report = scoreReport([recording(), recording({ name: 'capture-2' }), silent]);
  const [engine, raw] = report.hypotheses;
  expect(engine).toMatchObject({ name: 'engine', alarms: 4, outside: 0, events: { refs: 5, tp: 4, fp: 0, sensitivity: 0.8, fpPerDay: 0 } });
  expect(engine?.latency).toEqual({ medianS: 8.5, p90S: 9, detected: 4, alreadyAlarming: 0, missed: 1 });
  expect(raw).toMatchObject({ name: 'raw', alarms: 8, outside: 2, events: { refs: 5, tp: 4, fp: 2, fpPerDay: 16 } });
  // Two subjects, not three recordings; the silent one has no precision and is not forgotten in F1.
  expect(engine?.averages.events.sensitivity).toEqual({ mean: 0.5, sd: 0.5, subjects: 2, nanSubjects: 0 });
  expect(engine?.averages.events.precision).toEqual({ mean: 1, sd: 0, subjects: 2, nanSubjects: 1 });
  expect(engine?.averages.events.f1).toMatchObject({ mean: 0.5, nanSubjects: 0 });
  expect(report).toMatchObject({ durationS: 10_800, seizures: 5, dataLabel: null, timeLabel: null });
});

test('made-up data and a speed other than 1 are said, at the top', () => {
  const labels = (over: Partial<ScoredRecording>) => {
    const { dataLabel, timeLabel } = scoreReport([recording(over)]);
    return { dataLabel, timeLabel };
  };
  expect(labels({ source: `Bonn, ${assembledLabel}`, speed: 60 })).toEqual({ dataLabel: assembledDataLabel, timeLabel: dataTimeLabel });
  expect(labels({ source: 'synthetic-7', speed: 0 })).toEqual({ dataLabel: assembledDataLabel, timeLabel: dataTimeLabel });
  expect(labels({ source: 'CHB-MIT chb01_03', speed: 1 })).toEqual({ dataLabel: null, timeLabel: null });
  expect(labels({ speed: null })).toEqual({ dataLabel: null, timeLabel: null });
  const lines = reportLines(scoreReport([recording({ source: 'synthetic-7', speed: 60 })]));
  expect(lines[0]).toBe(assembledDataLabel.toUpperCase());
  expect(lines).toContain(`latency: ${dataTimeLabel}`);
});

test('for people: figures side by side, each seizure with its latency, and what a reader must know', () => {
  const text = reportLines(scoreReport([recording({ notes: ['12.0 s of it are not stored'] })])).join('\n');
  expect(text).toMatch(/^POOLED +ALARM ENGINE +RAW THRESHOLD$/m);
  expect(text).toMatch(/^event sensitivity +1\.000 \(2 of 2\) +1\.000 \(2 of 2\)$/m);
  expect(text).toMatch(/^false alarms per 24 h monitored +0\.0 \(0 in all\) +24\.0 \(1 in all\)$/m);
  expect(text).toMatch(/^alarms raised +2 +4$/m);
  expect(text).toMatch(/^latency, median +8\.5 s +2\.0 s$/m);
  expect(text).toMatch(/^p01 +0:30:00\.0 \(2026-11-28 10:30:00\) +60\.0 s +9\.0 s +2\.0 s$/m);
  expect(text).toContain('note: p01: 12.0 s of it are not stored');
  expect(text).toContain('Not a medical device');
  expect(text).not.toContain('NaN');
});

test('false alarms are counted against the hours that were judged, which stand beside those recorded', () => {
  const half = recording({ recordedS: 3000, monitoredS: 1800 });
  const report = scoreReport([half]);
  expect(report).toMatchObject({ durationS: 3600, recordedS: 3000, monitoredS: 1800 });
  expect(report.hypotheses.find(({ name }) => name === 'raw')?.events).toMatchObject({ fp: 1, fpPerDay: 48 });
  const text = reportLines(report).join('\n');
  expect(text).toContain('50.0 min recorded, 30.0 min of them monitored');
  expect(text).toMatch(/^false alarms per 24 h monitored +0\.0 \(0 in all\) +48\.0 \(1 in all\)$/m);
});

test('where nothing was judged there is no figure, and its seizures are neither found nor missed', () => {
  const unjudged = recording({ subject: 'p02', monitoredS: 0, hypotheses: [of('engine', []), of('raw', [])] });
  const alone = reportLines(scoreReport([unjudged])).join('\n');
  expect(alone).toMatch(/^event sensitivity +-- \(0 of 0\) +-- \(0 of 0\)$/m);
  expect(alone).toMatch(/^false alarms per 24 h monitored +-- \(0 in all\) +-- \(0 in all\)$/m);
  expect(alone).not.toContain('missed seizures');
  expect(alone).toMatch(/0:10:00\.0 .* 40\.0 s +-- +--$/m);
  const both = scoreReport([recording(), unjudged]).hypotheses[0];
  expect(both?.events).toMatchObject({ refs: 2, tp: 2, sensitivity: 1 });
  expect(both?.latency).toMatchObject({ detected: 2, missed: 0 });
});

test('each judged second counts once, and only inside the recording', () => {
  expect(coveredSeconds([at(-2, 2), at(1, 5), at(3, 7), at(20, 24), at(98, 102)], 100)).toBe(7 + 4 + 2);
  expect(coveredSeconds([], 100)).toBe(0);
});

test('what does not exist is -- in text and null in JSON, never a number', () => {
  const report = scoreReport([recording({ reference: [], hypotheses: [of('engine', [])] })]);
  expect(reportLines(report).join('\n')).toMatch(/^event sensitivity +-- \(0 of 0\)$/m);
  expect(JSON.parse(JSON.stringify(report)).hypotheses[0].events).toMatchObject({ sensitivity: null, f1: null, fpPerDay: 0 });
});

test('files do not say when an alarm was raised, so there is no latency', () => {
  const report = scoreReport([recording({ hypotheses: [of('file', [alarm(605, 640, 605)])] })]);
  expect(report.hypotheses[0]?.latency).toBeNull();
  expect(reportLines(report).join('\n')).toContain('files do not say when');
});

test('only outside seizures and their tolerances can an alarm be false, and that time is told', () => {
  expect(clearSeconds([at(100, 130), at(150, 160)], 1000)).toBe(1000 - (220 - 70));
  expect(clearSeconds([at(0, 10), at(990, 1000)], 1000)).toBe(1000 - 70 - 40);
  expect(clearSeconds([], 1000)).toBe(1000);
  expect(outsideOf([at(100, 130)], [at(60, 69), at(60, 70), at(190, 191), at(190.1, 200)])).toBe(2);
});

test('the picture is well-formed, draws every event, and tells found from missed and true from false without colour', () => {
  const svg = timelineSvg(
    scoreReport([recording({ subject: 'p<1>&"2"', hypotheses: [of('engine', [alarm(602, 640, 608), alarm(3000, 3010, 3006)])] })]),
  );
  expect(svg).toContain('role="img"');
  expect(svg).toContain('p&lt;1&gt;&amp;&quot;2&quot;');
  expect(svg.match(/<title>seizure, detected, /g)).toHaveLength(1);
  expect(svg.match(/<title>seizure, missed, 0:30:00\.0 to 0:31:00\.0<\/title>/g)).toHaveLength(1);
  expect(svg.match(/<title>alarm at a seizure, /g)).toHaveLength(1);
  expect(svg.match(/<title>false alarm, 0:50:00\.0/g)).toHaveLength(1);
  expect(svg).toMatch(/fill="#ffffff"[^>]*stroke-dasharray[^>]*><title>seizure, missed, /);
  expect(svg).toMatch(/fill="url\(#false\)"[^>]*><title>false alarm, /);
  for (const [tag] of svg.matchAll(/<[a-z]+ [^>]*>/g)) expect(tag).not.toContain('NaN');
});

test('a moment in a recording is hours, minutes, seconds and tenths', () => {
  expect([0, 59.96, 3599.94, 3661.5].map(clock)).toEqual(['0:00:00.0', '0:01:00.0', '0:59:59.9', '1:01:01.5']);
});
