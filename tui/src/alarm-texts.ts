import type { AlarmInfo, AlarmPause, PatientState, Problem } from '@vitalwire/contract';
import {
  ageSince,
  alarmMeasure,
  alarmWord,
  formatAge,
  formatCountdown,
  isFlashOn,
  isSignalling,
  isUnacknowledged,
  pauseOf,
} from '@vitalwire/vitals';
import type { Look } from './look.ts';
import { clean, cutLine, fit, type Line, type Span, span, type Tone } from './spans.ts';
import { timeOfDay } from './time-of-day.ts';

/** How alarms are drawn at one moment. */
export type AlarmMoment = { readonly nowUs: number; readonly look: Look; readonly isSteady: boolean };

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

/** The worst alarm of a patient in a cell of the list: badge, what became of it, and how many more there are. */
export function alarmCell({ alarms, pauses }: PatientState, width: number, moment: AlarmMoment): Line {
  const [worst] = alarms;
  if (worst === undefined) return [span(fit('', width))];
  const more = alarms.length > 1 ? ` +${alarms.length - 1}` : '';
  const sign = badge(worst, pauses, moment);
  const room = width - sign.text.length - more.length;
  const about = [stateNote(worst, pauses, moment, room), span(more, 'soft')];
  const line = cutLine([sign, ...about], width);
  return [...line, span(' '.repeat(Math.max(0, width - line.reduce((sum, { text }) => sum + text.length, 0))))];
}

/** The widest note that fits. */
function stateNote(alarm: AlarmInfo, pauses: readonly AlarmPause[], { nowUs, look }: AlarmMoment, room: number): Span {
  const pause = pauseOf(alarm, pauses, nowUs);
  const by = clean(alarm.acknowledgedBy ?? '');
  const choices: [string[], Tone] =
    alarm.state === 'acknowledged'
      ? [[`ack ${by} ${timeOfDay(alarm.acknowledgedAtUs ?? alarm.changedAtUs).slice(0, 5)}`, `ack ${by}`, 'ack'], 'good']
      : pause !== null
        ? [
            [`sound off ${formatCountdown(pause.untilUs, nowUs)}`, `${look.unicode ? '‖' : '||'}${formatCountdown(pause.untilUs, nowUs)}`],
            'warning',
          ]
        : alarm.state === 'latched'
          ? [['over, not acknowledged', 'over'], 'warning']
          : [[alarmMeasure(alarm)], 'strong'];
  const text = choices[0].find((choice) => choice.length + 1 < room) ?? '';
  return span(text === '' ? '' : ` ${text}`, choices[1]);
}

/** One line per alarm of the selected patient: what, since when, what became of it, who acknowledged it and when. */
export function alarmLines({ alarms, pauses }: PatientState, width: number, room: number, moment: AlarmMoment): Line[] {
  if (room < 1 || width < 1) return [];
  const shown = alarms.length > room ? alarms.slice(0, room - 1) : alarms;
  const lines = shown.map((alarm) => cutLine(alarmLine(alarm, pauses, moment), width));
  if (shown.length < alarms.length) lines.push([span(`  and ${alarms.length - shown.length} more alarms: see "vitalwire alarms"`, 'soft')]);
  return lines;
}

function alarmLine(alarm: AlarmInfo, pauses: readonly AlarmPause[], moment: AlarmMoment): Line {
  const { nowUs, look } = moment;
  const between = look.unicode ? ' · ' : ' - ';
  const measure = alarmMeasure(alarm);
  const pause = pauseOf(alarm, pauses, nowUs);
  const spans: Span[] = [badge(alarm, pauses, moment), span(' ')];
  if (measure !== '') spans.push(span(measure, 'strong'), span(between, 'soft'));
  if (alarm.state === 'acknowledged')
    spans.push(
      span(`acknowledged by ${clean(alarm.acknowledgedBy ?? '?')} ${timeOfDay(alarm.acknowledgedAtUs ?? alarm.changedAtUs)}`, 'good'),
    );
  else if (alarm.state === 'latched') spans.push(span('over, stays until acknowledged', 'warning'));
  else spans.push(span('not acknowledged', 'strong'));
  if (pause !== null && isUnacknowledged(alarm))
    spans.push(span(`${between}sound off ${formatCountdown(pause.untilUs, nowUs)} by ${clean(pause.by)}`, 'warning'));
  spans.push(span(`${between}since ${timeOfDay(alarm.onsetUs)} (${formatAge(ageSince(alarm.onsetUs, nowUs))})`, 'soft'));
  if (alarm.replay !== null) spans.push(span(`${between}REPLAY`, 'replay'));
  if (!alarm.senders.includes('alarms')) spans.push(span(`${between}raised at ${alarm.senders.map(clean).join(', ')}`, 'soft'));
  if (alarm.text !== '') spans.push(span(`${between}${clean(alarm.text)}`, 'soft'));
  return spans;
}

/** What is wrong with the system, on one line: the worst in words, the others counted. Empty when nothing is. */
export function systemLine(alarms: readonly AlarmInfo[], problems: readonly Problem[], width: number, moment: AlarmMoment): Line {
  const [worst] = alarms;
  const [problem] = problems;
  const others = Math.max(0, alarms.length - 1) + Math.max(0, problems.length - 1);
  const more = others > 0 ? `  +${others} more` : '';
  const spans: Span[] = [];
  if (worst !== undefined) {
    const about = worst.condition === 'alarm-path' ? '' : `${clean(worst.device)}: `;
    const ack = worst.state === 'acknowledged' ? `, ack ${clean(worst.acknowledgedBy ?? '')}` : '';
    const since = worst.onsetUs > 0 ? `, since ${timeOfDay(worst.onsetUs)}` : '';
    spans.push(span(' '), badge(worst, [], moment), span(` ${about}${clean(worst.text)}${since}${ack}`, 'alarm-technical-text'));
  }
  if (problem !== undefined) spans.push(span(` PROBLEM ${clean(problem.about)}: ${clean(problem.text)}`, 'bad'));
  return [...cutLine(spans, width - more.length), ...(more === '' ? [] : [span(more, 'alarm-technical-text')])];
}
