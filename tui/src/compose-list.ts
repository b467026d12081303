import type { PatientState } from '@vitalwire/contract';
import { ageMs, everyText, formatAge, freshnessOf, news2Pulse, stateWord } from '@vitalwire/vitals';
import { type AlarmMoment, alarmCell } from './alarm-texts.ts';
import type { Look } from './look.ts';
import { ageTone, heartText, nameOf, probabilityText, toneOf } from './patient-words.ts';
import { clean, fit, type Line, span } from './spans.ts';
import type { WallModel } from './wall-model.ts';

type Columns = {
  readonly alarm: number; // 0: the state word gives way to an alarm
  readonly state: number;
  readonly probability: number;
  readonly model: number;
  readonly patient: number;
  readonly eegAge: number;
  readonly heart: number;
  readonly heartAge: number;
  readonly news2: number;
  readonly replay: number;
};

/** What fits: alarm, state word, heart rate and ages always; the model, NEWS2 pulse and the replay mark give way in a narrow list. */
function columnsOf(width: number): Columns {
  const isNarrow = width < 72;
  const isWide = width >= 112;
  const fixed = {
    alarm: isNarrow ? 0 : width >= 132 ? 44 : isWide ? 38 : 25,
    state: isNarrow ? 18 : 17,
    probability: 5,
    model: width < 96 ? 0 : 12,
    eegAge: width < 96 ? 7 : 8,
    heart: 6,
    heartAge: 7,
    news2: isWide ? 8 : 0,
    replay: width < 96 ? 2 : 8,
  };
  const used = 2 + (fixed.model === 0 ? 1 : 0) + Object.values(fixed).reduce((sum, one) => sum + one, 0);
  return { ...fixed, patient: Math.max(6, width - used) };
}

/** Every patient in a row, the worst first: alarm, state, probability, ages, heart rate. */
export function composeList(model: WallModel, width: number, height: number, nowUs: number, look: Look): Line[] {
  if (height < 1) return [];
  const columns = columnsOf(width);
  const all = model.patients(nowUs);
  const selected = all.findIndex(({ key }) => key === model.selected()?.key);
  const room = height - 1;
  const patients = model.detail ? all.filter((_patient, index) => index === selected) : all;
  // Scrolled so that the selected row is in sight; the last row says how many are out of it.
  const overflow = patients.length > room;
  const shown = overflow ? room - 1 : room;
  const from = model.detail ? 0 : Math.max(0, Math.min(selected - Math.floor(shown / 2), patients.length - shown));
  const lines = [
    titles(columns),
    ...patients
      .slice(from, from + shown)
      .map((patient) => composeRow(patient, columns, patient.key === model.selected()?.key, { nowUs, look, isSteady: model.isSteady })),
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
    columns.model === 0 ? ' ' : fit(' MODEL', columns.model),
    fit('PATIENT', columns.patient),
    fit('EEG AGE', columns.eegAge, 'right'),
    fit('HEART', columns.heart, 'right'),
    fit('AGE', columns.heartAge, 'right'),
    fit('NEWS2-P', columns.news2, 'right'),
    fit('', columns.replay),
  ];
  return [span(cells.join(''), 'soft')];
}

function composeRow(patient: PatientState, columns: Columns, isSelected: boolean, moment: AlarmMoment): Line {
  const { nowUs, look } = moment;
  const { detection, heartRate, eeg } = patient;
  const detectionAge = detection === null ? null : ageMs(detection.at, nowUs);
  const { state, freshness } = stateWord(detection?.state ?? null, detectionAge);
  const eegAge = eeg === null ? null : ageMs(eeg.at, nowUs);
  const heart = heartText(heartRate, nowUs);
  const points = heart.tone === 'strong' ? news2Pulse(heartRate?.bpm ?? null) : null;
  const pointer = isSelected ? (look.unicode ? '▸ ' : '> ') : '  ';
  const seldom = freshness === 'hidden' ? '' : everyText(detection); // under overload
  // Where there is no room for the model, there is none for the words either: `quiet/4s`.
  const short = seldom === '' || columns.model > 0 ? '' : `/${detection?.everyS}s`;
  const word = short !== '' && state.key === 'seizure' ? 'seizure' : state.word;
  const stateSpan = span(fit(`${look.unicode ? state.symbol : state.ascii} ${word}${short}`, columns.state), toneOf(state, freshness));
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
    span(
      fit(probabilityText(detection?.probability ?? null, freshness), columns.probability, 'right'),
      freshness === 'fresh' ? 'plain' : 'stale',
    ),
    ...(columns.model === 0
      ? [span(' ')]
      : seldom !== ''
        ? [span(` ${fit(seldom, columns.model - 2)} `, 'warning')]
        : [span(` ${fit(freshness === 'hidden' ? '' : clean(detection?.modelVersion ?? ''), columns.model - 2)} `, 'soft')]),
    span(`${fit(nameOf(patient), columns.patient - 1)} `, isSelected ? 'strong' : 'plain'),
    span(
      fit(eeg === null ? '--' : formatAge(eegAge), columns.eegAge, 'right'),
      eeg === null ? 'soft' : ageTone(freshnessOf('eeg', eegAge)),
    ),
    span(fit(heart.value, columns.heart, 'right'), heart.tone),
    span(fit(heart.age, columns.heartAge, 'right'), heart.ageTone),
    span(fit(points === null ? '--' : String(points), columns.news2, 'right'), points === null || points === 0 ? 'soft' : 'strong'),
    span(fit(patient.replay === null ? '' : columns.replay > 6 ? '  REPLAY' : ' R', columns.replay), 'replay'),
  ];
}
