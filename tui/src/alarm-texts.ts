import type { AlarmInfo, AlarmPause, PatientState, Problem } from '@vitalwire/contract';
import {
  ageSince,
  alarmMeasure,
  alarmText,
  alarmWord,
  formatAge,
  formatCountdown,
  isFlashOn,
  isSignalling,
  isUnacknowledged,
  isUnseen,
  pastWord,
  pauseOf,
  runningPause,
} from '@vitalwire/vitals';
import type { Look } from './look.ts';
import { inLetters } from './patient-words.ts';
import { clean, cutLine, fit, type Line, type Span, span, type Tone, widthOf } from './spans.ts';
import { timeOfDay } from './time-of-day.ts';

/** How alarms are drawn at one moment. */
export type AlarmMoment = {
  readonly nowUs: number;
  readonly look: Look;
  readonly isSteady: boolean;
  readonly offGateways: ReadonlySet<string>;
};

/**
 * Mark and word of an alarm, which alone may flash. Filled: it asks for attention; flashing, or solid while paused. In its colour without
 * filling: somebody acknowledged it.
 */
export function badge(alarm: AlarmInfo, pauses: readonly AlarmPause[], { nowUs, isSteady }: AlarmMoment): Span {
  const { key, mark, word } = alarmWord(alarm);
  const isOff = !isSteady && isSignalling(alarm, pauses, nowUs) && !isFlashOn(alarm, nowUs / 1000);
  const tone: Tone = isUnacknowledged(alarm) && !isOff ? key : `${key}-text`;
  return span(` ${mark.padEnd(3)} ${word} `, tone);
}

const HIDDEN_NO_DATA = 'NO DATA'; // behind a badge, which ends with a space
const SHORTEST_BADGE = 10; // its mark and the beginning of its word

/**
 * The worst alarm of a patient in a cell of the list: badge, what became of it, and how many more there are. That no data arrives is never
 * one of those that are only counted, and a pause stands there for as long as it lasts, with or without an alarm.
 */
export function alarmCell(patient: PatientState, cellWidth: number, moment: AlarmMoment): Line {
  const width = cellWidth - 1; // the next cell begins after a space
  const { alarms, pauses } = patient;
  const [worst, ...others] = alarms;
  const pause = runningPause(pauses, moment.nowUs);
  if (worst === undefined) return [span(fit(pause === null ? '' : ` sound off ${countdown(pause, moment)}`, cellWidth), 'warning')];
  const isHidden = worst.condition !== 'no-data' && others.some(({ condition }) => condition === 'no-data');
  const noData = isHidden ? HIDDEN_NO_DATA : '';
  const sign = badge(worst, pauses, moment);
  const counted = others.length - (isHidden ? 1 : 0);
  const more = counted > 0 ? ` +${counted}` : '';
  const paused = pause === null ? ['', ''] : [` ${countdown(pause, moment)}`, pauseMark(moment)];
  // The long forms where the badge keeps its whole word, else the short ones; the count gives way first.
  const tails = [
    [noData, paused[0], more, sign.text.length],
    [noData, paused[1], more, sign.text.length],
    [noData, paused[1], more, SHORTEST_BADGE],
    [noData, paused[1], '', SHORTEST_BADGE],
  ] as const;
  const fits = tails.find(([data, off = '', count, least]) => width - data.length - off.length - count.length >= least) ?? tails[3];
  const [data, off = '', count] = fits;
  const room = width - data.length - off.length - count.length;
  const cut = sign.text.length <= room ? sign : span(`${fit(sign.text.trimEnd(), room - 1)} `, sign.tone);
  const note = stateNote(patient, worst, moment, room - cut.text.length);
  const line = [
    cut,
    note,
    span(note.text === '' || data === '' ? '' : ' '),
    span(data, 'alarm-technical-text'),
    span(off, 'warning'),
    span(count, 'soft'),
  ];
  return [...line, span(' '.repeat(Math.max(0, cellWidth - widthOf(line))))];
}

/** The time a pause has left, with its mark: `‖1:43`. */
export function countdown(pause: AlarmPause, moment: AlarmMoment): string {
  return `${pauseMark(moment)}${formatCountdown(pause.untilUs, moment.nowUs)}`;
}

function pauseMark({ look }: AlarmMoment): string {
  return look.unicode ? '‖' : '||';
}

/** The widest note that fits. A pause has its own place in the cell. */
function stateNote({ eeg }: PatientState, alarm: AlarmInfo, { offGateways, look }: AlarmMoment, room: number): Span {
  const by = clean(alarm.acknowledgedBy ?? '');
  const isGatewayOff = alarm.condition === 'no-data' && eeg !== null && offGateways.has(eeg.gateway);
  const choices: [string[], Tone] =
    alarm.state === 'acknowledged'
      ? [[`ack ${by} ${timeOfDay(alarm.acknowledgedAtUs ?? alarm.changedAtUs).slice(0, 5)}`, `ack ${by}`, 'ack'], 'good']
      : alarm.state === 'latched'
        ? [[`${pastWord(alarm)}, not acknowledged`, pastWord(alarm)], 'warning']
        : isGatewayOff
          ? [['gateway off'], 'warning']
          : isUnseen(alarm)
            ? [['not observable now', 'not seen now'], 'warning']
            : [[inLetters(alarmMeasure(alarm), look)], 'strong'];
  const text = choices[0].find((choice) => choice.length + 1 < room) ?? '';
  return span(text === '' ? '' : ` ${text}`, choices[1]);
}

/** Rows that the alarms of a patient take: one each, and one for a pause of which none of them tells. */
export function alarmRowsOf(patient: PatientState, nowUs: number): number {
  return patient.alarms.length + (untoldPause(patient, nowUs) === null ? 0 : 1);
}

function untoldPause({ alarms, pauses }: PatientState, nowUs: number): AlarmPause | null {
  const isTold = alarms.some((alarm) => isUnacknowledged(alarm) && pauseOf(alarm, pauses, nowUs) !== null);
  return isTold ? null : runningPause(pauses, nowUs);
}

/** One line per alarm of the selected patient: what, since when, what became of it, who acknowledged it and when. */
export function alarmLines(patient: PatientState, width: number, room: number, moment: AlarmMoment): Line[] {
  if (room < 1 || width < 1) return [];
  const { alarms, pauses } = patient;
  const pause = untoldPause(patient, moment.nowUs);
  const pauseLine: Line[] =
    pause === null
      ? []
      : [[span(` sound off ${countdown(pause, moment)} by ${clean(pause.by)}; above ${pause.above} priority still sounds`, 'warning')]];
  const left = room - pauseLine.length;
  const shown = alarms.length > left ? withNoData(alarms, left - 1) : alarms;
  const lines = shown.map((alarm) => cutLine(alarmLine(patient, alarm, pauses, moment), width));
  if (shown.length < alarms.length) lines.push([span(`  and ${alarms.length - shown.length} more alarms: see "vitalwire alarms"`, 'soft')]);
  return [...lines, ...pauseLine];
}

// The worst so many, and always the one that says that no data arrives.
function withNoData(alarms: readonly AlarmInfo[], count: number): readonly AlarmInfo[] {
  const shown = alarms.slice(0, Math.max(0, count));
  const noData = alarms.find(({ condition }) => condition === 'no-data');
  if (noData === undefined || shown.length === 0 || shown.includes(noData)) return shown;
  return [...shown.slice(0, -1), noData];
}

function alarmLine({ eeg }: PatientState, alarm: AlarmInfo, pauses: readonly AlarmPause[], moment: AlarmMoment): Line {
  const { nowUs, look } = moment;
  const between = look.unicode ? ' · ' : ' - ';
  const isTold = (alarm.episodes ?? []).length > 0; // its text says how each of them stands
  const measure = inLetters(alarmMeasure(alarm), look);
  const pause = pauseOf(alarm, pauses, nowUs);
  const spans: Span[] = [badge(alarm, pauses, moment), span(' ')];
  if (measure !== '') spans.push(span(measure, 'strong'), span(between, 'soft'));
  if (alarm.state === 'acknowledged')
    spans.push(
      span(`acknowledged by ${clean(alarm.acknowledgedBy ?? '?')} ${timeOfDay(alarm.acknowledgedAtUs ?? alarm.changedAtUs)}`, 'good'),
    );
  else if (alarm.state === 'latched') spans.push(span(isTold ? 'stays until acknowledged' : 'over, stays until acknowledged', 'warning'));
  else spans.push(span('not acknowledged', 'strong'));
  if (pause !== null && isUnacknowledged(alarm))
    spans.push(span(`${between}sound off ${formatCountdown(pause.untilUs, nowUs)} by ${clean(pause.by)}`, 'warning'));
  const text = clean(alarmText(alarm, timeOfDay));
  if (isTold) spans.push(span(`${between}${text}`, alarm.endedUs === null ? 'strong' : 'warning'));
  // Of what is over, the time since it began would be read as how long it was.
  const age = alarm.endedUs === null ? ` (${formatAge(ageSince(alarm.onsetUs, nowUs))})` : '';
  spans.push(span(`${between}${alarm.endedUs === null ? 'since' : 'began'} ${timeOfDay(alarm.onsetUs)}${age}`, 'soft'));
  if (alarm.condition === 'no-data' && eeg !== null && moment.offGateways.has(eeg.gateway))
    spans.push(span(`${between}gateway ${clean(eeg.gateway)} is off`, 'warning'));
  if (alarm.replay !== null) spans.push(span(`${between}REPLAY`, 'replay'));
  if (!alarm.senders.includes('alarms')) spans.push(span(`${between}raised at ${alarm.senders.map(clean).join(', ')}`, 'soft'));
  if (text !== '' && !isTold) spans.push(span(`${between}${text}`, 'soft'));
  return spans;
}

/** What is wrong with the system, on one line: as much in words as there is room for, the worst first, the rest counted. Empty when nothing is. */
export function systemLine(alarms: readonly AlarmInfo[], problems: readonly Problem[], width: number, moment: AlarmMoment): Line {
  const [worst] = alarms;
  const spans: Span[] = [];
  let used = 0;
  if (worst !== undefined) {
    const about = worst.condition === 'alarm-path' ? '' : `${clean(worst.device)}: `;
    const ack = worst.state === 'acknowledged' ? `, ack ${clean(worst.acknowledgedBy ?? '')}` : '';
    const since = worst.onsetUs > 0 ? `, since ${timeOfDay(worst.onsetUs)}` : '';
    spans.push(span(' '), badge(worst, [], moment), span(` ${about}${clean(worst.text)}${since}${ack}`, 'alarm-technical-text'));
    used = spans.reduce((sum, { text }) => sum + text.length, 0);
  }
  let told = 0;
  for (const { about, text } of problems) {
    const words = ` PROBLEM ${clean(about)}: ${clean(text)}`;
    if (told > 0 && used + words.length + MORE_ROOM > width) break;
    spans.push(span(words, 'bad'));
    used += words.length;
    told += 1;
  }
  const others = Math.max(0, alarms.length - 1) + problems.length - told;
  const more = others > 0 ? `  +${others} more` : '';
  return [...cutLine(spans, width - more.length), ...(more === '' ? [] : [span(more, 'alarm-technical-text')])];
}

const MORE_ROOM = '  +99 more'.length;
