import { type NumericStream, numericFacts, numericStreams, type PatientState } from '@vitalwire/contract';
import { ageMs, formatAge, freshnessOf, runningPause, shownNumeric, shownState } from '@vitalwire/vitals';
import { type AlarmMoment, alarmCell, countdown } from './alarm-texts.ts';
import { ageTone, isOld, nameOf, probabilityText, stateText, toneOf, vitalText } from './patient-words.ts';
import { fit, fitName, type Line, span } from './spans.ts';
import type { WallModel } from './wall-model.ts';

/** The vital that has a column of its own: the first of the table. */
export const LEAD = numericStreams[0] as NumericStream;

type Columns = {
  readonly alarm: number; // 0: the state word gives way to an alarm
  readonly state: number;
  readonly probability: number;
  readonly patient: number;
  readonly eegAge: number;
  readonly heart: number;
  readonly heartAge: number;
  readonly news2: number;
  readonly replay: number;
};

/** What fits: alarm, state word, heart rate, ages and the patient's name always; NEWS2 pulse and the long replay mark need width. */
function columnsOf(width: number): Columns {
  const isNarrow = width < 72;
  const isWide = width >= 112;
  const fixed = {
    alarm: isNarrow ? 0 : width >= 144 ? 44 : width >= 118 ? 38 : isWide ? 32 : width >= 92 ? 22 : 21,
    state: isNarrow ? 21 : width >= 92 ? 20 : 17,
    probability: 5,
    eegAge: width >= 92 ? 7 : 6,
    heart: 6,
    heartAge: 7,
    news2: isWide ? 8 : 0,
    replay: width < 92 ? 2 : 8,
  };
  const used = 2 + 1 + Object.values(fixed).reduce((sum, one) => sum + one, 0);
  return { ...fixed, patient: Math.max(6, width - used) };
}

/** Every patient in a row, the worst first: alarm, state, probability, ages, heart rate. */
export function composeList(model: WallModel, width: number, height: number, moment: AlarmMoment): Line[] {
  if (height < 1) return [];
  const columns = columnsOf(width);
  const all = model.patients(moment.nowUs);
  const selected = all.findIndex(({ key }) => key === model.selected()?.key);
  const room = height - 1;
  const patients = model.detail ? all.filter((_patient, index) => index === selected) : all;
  // Scrolled so that the selected row is in sight; the last row says how many are out of it.
  const overflow = patients.length > room;
  const shown = overflow ? room - 1 : room;
  const from = model.detail ? 0 : Math.max(0, Math.min(selected - Math.floor(shown / 2), patients.length - shown));
  const lines = [
    titles(columns),
    ...patients.slice(from, from + shown).map((patient) => composeRow(patient, columns, patient.key === model.selected()?.key, moment)),
  ];
  if (overflow) {
    const above = from;
    const below = patients.length - from - shown;
    lines.push([
      span(
        `   ${above > 0 ? `${above} more above` : ''}${above > 0 && below > 0 ? ', ' : ''}${below > 0 ? `${below} more below` : ''}`,
        'soft',
      ),
    ]);
  }
  if (all.length === 0)
    lines.push([span('  No patients yet. "vitalwire replay" sends some; "vitalwire patients" registers them.', 'soft')]);
  return lines.slice(0, height);
}

function titles(columns: Columns): Line {
  const cells = [
    columns.alarm > 0 ? fit('  ALARM', columns.alarm + 2) + fit('STATE', columns.state) : fit('  ALARM, STATE', columns.state + 2),
    fit('P ', columns.probability, 'right'),
    ' ',
    fit('PATIENT', columns.patient),
    fit(columns.eegAge < 7 ? 'EEG' : 'EEG AGE', columns.eegAge, 'right'),
    fit(numericFacts(LEAD).short, columns.heart, 'right'),
    fit('AGE', columns.heartAge, 'right'),
    fit('NEWS2-P', columns.news2, 'right'),
    fit('', columns.replay),
  ];
  return [span(cells.join(''), 'soft')];
}

function composeRow(patient: PatientState, columns: Columns, isSelected: boolean, moment: AlarmMoment): Line {
  const { nowUs, look } = moment;
  const { eeg } = patient;
  const vital = patient.numerics.find(({ stream }) => stream === LEAD);
  const shown = shownState(patient, nowUs);
  const eegAge = eeg === null ? null : ageMs(eeg.at, nowUs);
  const shownLead = vital === undefined ? undefined : shownNumeric(vital, nowUs);
  const heart = vitalText(shownLead);
  const points = shownLead?.news2?.points ?? null;
  const pointer = isSelected ? (look.unicode ? '▸ ' : '> ') : '  ';
  const pause = columns.alarm > 0 || patient.alarms.length > 0 ? null : runningPause(patient.pauses, nowUs);
  const paused = pause === null ? '' : ` ${countdown(pause, moment)}`; // in a narrow list it has no other place
  const room = columns.state - paused.length;
  const stateSpan = span(
    fit(stateText(shown, patient.detection?.everyS ?? 1, room, look), room) + paused,
    toneOf(shown.state, shown.freshness),
  );
  const hasAlarm = patient.alarms.length > 0;
  const lead =
    columns.alarm > 0
      ? [...alarmCell(patient, columns.alarm, moment), stateSpan]
      : hasAlarm
        ? alarmCell(patient, columns.state, moment)
        : [stateSpan];
  return [
    span(pointer, 'pointer'),
    ...lead,
    span(fit(probabilityText(shown), columns.probability, 'right'), isOld(shown.freshness) ? 'stale' : 'plain'),
    span(' '),
    span(`${fitName(nameOf(patient), columns.patient - 1)} `, isSelected ? 'strong' : 'plain'),
    span(
      fit(eeg === null ? '--' : formatAge(eegAge), columns.eegAge, 'right'),
      eeg === null ? 'soft' : ageTone(freshnessOf('eeg', eegAge)),
    ),
    span(fit(heart.tone === 'stale' ? `[${heart.value}]` : heart.value, columns.heart, 'right'), heart.tone),
    span(fit(heart.age, columns.heartAge, 'right'), heart.ageTone),
    span(fit(points === null ? '--' : String(points), columns.news2, 'right'), points === null || points === 0 ? 'soft' : 'strong'),
    span(fit(replayText(patient, columns.replay), columns.replay), 'replay'),
  ];
}

// Whether it is one may not be known yet.
function replayText({ replay, replayKnown }: PatientState, width: number): string {
  if (replay !== null) return width > 6 ? '  REPLAY' : ' R';
  if (replayKnown === false) return width > 6 ? ' REPLAY?' : ' ?';
  return '';
}
