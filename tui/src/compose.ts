import type { PatientState } from '@vitalwire/contract';
import { labelShort } from '@vitalwire/contract';
import {
  acuityClass,
  ageMs,
  type Freshness,
  formatAge,
  freshnessOf,
  news2Pulse,
  PAGE_SECONDS,
  type StateWord,
  stateWord,
} from '@vitalwire/vitals';
import { type AlarmMoment, alarmCell, alarmLines, systemLine } from './alarm-texts.ts';
import type { Layout, View } from './layout.ts';
import type { Look } from './look.ts';
import { clean, cutLine, fit, type Line, type Span, span, spread, type Tone } from './spans.ts';
import { timeOfDay } from './time-of-day.ts';
import { isSeizure, type WallModel } from './wall-model.ts';

/** Every text of the wall for one moment. The trace is drawn apart, because it is the only thing that changes many times a second. */
export type Texts = {
  readonly header: Line;
  readonly system: Line;
  readonly list: readonly Line[];
  readonly stripTitle: Line;
  readonly alarms: readonly Line[];
  readonly facts: readonly Line[];
  readonly heartTitle: Line;
  readonly notice: Line;
  readonly footer: Line;
};

/** What the layout has to know of the model. */
export function viewOf(model: WallModel, width: number, height: number, nowUs: number): View {
  const alarms = model.selected()?.alarms.length ?? 0;
  return { width, height, patients: model.patients(nowUs).length, alarms, detail: model.detail };
}

export function composeTexts(model: WallModel, layout: Layout, nowUs: number, look: Look): Texts {
  const moment = { nowUs, look, isSteady: model.isSteady };
  const patient = model.selected();
  return {
    header: composeHeader(model, layout.header.width, nowUs, look),
    system: systemLine(model.systemAlarms(), layout.system.width, moment),
    list: composeList(model, layout.list.width, layout.list.height, nowUs, look),
    stripTitle: composeStripTitle(model, layout.stripTitle.width, nowUs, look),
    alarms: patient === null ? [] : alarmLines(patient, layout.alarms.width, layout.alarms.height, moment),
    facts: composeFacts(model, layout.facts.width, nowUs, look),
    heartTitle: composeHeartTitle(model, layout.heart.width, nowUs),
    notice: composeNotice(model, layout.notice.width, nowUs),
    footer: composeFooter(layout.footer.width, look),
  };
}

function composeHeader(model: WallModel, width: number, nowUs: number, look: Look): Line {
  const patients = model.patients(nowUs);
  const seizures = patients.filter((patient) => isSeizure(patient, nowUs)).length;
  const left: Span[] = [
    span(' VITALWIRE ', 'strong'),
    span(` ${patients.length === 1 ? '1 patient' : `${patients.length} patients`}`, 'soft'),
  ];
  const unanswered = patients.flatMap(({ alarms }) => alarms).filter((alarm) => acuityClass([alarm]) === 0).length;
  if (unanswered > 0) left.push(span(look.unicode ? ' · ' : ' - ', 'soft'), span(`${unanswered} *** not acknowledged`, 'alarm-high-text'));
  if (seizures > 0 && (unanswered === 0 || width >= 100))
    left.push(span(look.unicode ? ' · ' : ' - ', 'soft'), span(`${seizures} seizure pattern${seizures === 1 ? '' : 's'}`, 'strong'));
  const bell = model.bell ? span('BELL ON   ', 'soft') : span('BELL OFF   ', 'warning');
  const right = [...(width < 72 ? [] : [bell]), ...linkSpans(model, nowUs, look), span('   '), span(`${timeOfDay(nowUs)} `, 'strong')];
  return spread(left, right, width);
}

/** How the wall itself is doing: nothing here may pass for a patient's state. */
function linkSpans(model: WallModel, nowUs: number, look: Look): Span[] {
  const dot = look.unicode ? '●' : '*';
  if (model.link === 'connecting') return [span('connecting', 'warning')];
  if (model.link === 'refused') return [span(`${dot} refused: too many viewers`, 'bad')];
  if (model.link !== 'live') return [span(`${dot} connection lost, trying again`, 'bad')];
  const behind = model.behind(nowUs / 1000);
  if (behind > 0) return [span(`${dot} behind, ${behind} chunks not shown`, 'warning')];
  if (model.links?.frontDoor === 'down') return [span(`${dot} no live values: front door lost`, 'bad')];
  if (model.links?.storage === 'down') return [span(`${dot} live`, 'good'), span(', database down', 'warning')];
  return [span(`${dot} live`, 'good')];
}

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

function composeList(model: WallModel, width: number, height: number, nowUs: number, look: Look): Line[] {
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
  const stateSpan = span(fit(`${look.unicode ? state.symbol : state.ascii} ${state.word}`, columns.state), toneOf(state, freshness));
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

/** Digits for the large display: a live heart rate, or `--`. */
export function heartDigits(model: WallModel, nowUs: number): { digits: string; isFresh: boolean } {
  const { value, tone } = heartText(model.selected()?.heartRate ?? null, nowUs);
  return { digits: value, isFresh: tone === 'strong' };
}

function composeHeartTitle(model: WallModel, width: number, nowUs: number): Line {
  const { age, ageTone: tone } = heartText(model.selected()?.heartRate ?? null, nowUs);
  return spread([span('heart rate, 1/min', 'soft')], age === '' ? [] : [span(`${age} old`, tone)], width);
}

/** The pulse component of a live heart rate; '' when there is none to rate. */
function news2Text(patient: PatientState, nowUs: number): string {
  const points = heartText(patient.heartRate, nowUs).tone === 'strong' ? news2Pulse(patient.heartRate?.bpm ?? null) : null;
  return points === null ? '' : `NEWS2 pulse component ${points}`;
}

/** The channels of the newest window with the highest probabilities, worst first. */
function channelsText(model: WallModel, { detection }: PatientState): string {
  const scored = (detection?.channelProbabilities ?? []).flatMap((probability, channel) =>
    probability === null ? [] : [{ probability, channel }],
  );
  if (scored.length < 2) return '';
  scored.sort((a, b) => b.probability - a.probability);
  return `highest: ${scored
    .slice(0, 4)
    .map(({ channel, probability }) => `${clean(model.trace.labelOf(channel))} ${percent(probability)}`)
    .join(', ')}`;
}

/** The heart rate and its age. A phone's export is history with its age, never a live value; missing is `--`, never 0. */
function heartText(heartRate: PatientState['heartRate'], nowUs: number): { value: string; age: string; tone: Tone; ageTone: Tone } {
  if (heartRate === null) return { value: '--', age: '', tone: 'soft', ageTone: 'soft' };
  const age = ageMs(heartRate.at, nowUs);
  if (heartRate.kind === 'phone') return { value: '--', age: formatAge(age), tone: 'soft', ageTone: 'soft' };
  const freshness = freshnessOf('heart-rate', age);
  if (freshness === 'hidden') return { value: '--', age: formatAge(age), tone: 'soft', ageTone: 'stale' };
  return {
    value: String(Math.round(heartRate.bpm)),
    age: formatAge(age),
    tone: freshness === 'fresh' ? 'strong' : 'stale',
    ageTone: ageTone(freshness),
  };
}

function composeStripTitle(model: WallModel, width: number, nowUs: number, look: Look): Line {
  const patient = model.selected();
  if (patient === null || width < 1) return [];
  const dash = look.unicode ? '─' : '-';
  const between = look.unicode ? ' · ' : ' - ';
  const { label, halfRange, unit } = model.trace.caption;
  const range = `${look.unicode ? '±' : '+-'}${halfRange} ${clean(unit)}`;
  const channel = model.trace.channels > 1 ? `${clean(label)} (${model.trace.channel + 1}/${model.trace.channels})` : clean(label);
  const left: Span[] = [
    span(`${dash} `, 'soft'),
    span(nameOf(patient), 'strong'),
    span(`${between}${channel}${between}${range}, negative up${between}${PAGE_SECONDS} s `, 'soft'),
  ];
  const eegAge = patient.eeg === null ? null : ageMs(patient.eeg.at, nowUs);
  const freshness = freshnessOf('eeg', eegAge);
  const right: Span[] = [];
  if (patient.replay !== null) right.push(span(' REPLAY ', 'replay'));
  if (patient.eeg === null) right.push(span(' no EEG ', 'warning'));
  else if (freshness === 'overdue' || freshness === 'hidden') right.push(span(` no EEG for ${formatAge(eegAge)} `, 'warning'));
  else right.push(span(` ${formatAge(eegAge)} old `, ageTone(freshness)));
  const used = [...left, ...right].reduce((sum, { text }) => sum + text.length, 0);
  return spread([...left, span(dash.repeat(Math.max(0, width - used)), 'soft')], right, width);
}

function composeFacts(model: WallModel, width: number, nowUs: number, look: Look): Line[] {
  const patient = model.selected();
  if (patient === null || width < 1) return [];
  const { detection, eeg, replay } = patient;
  const between = look.unicode ? ' · ' : ' - ';
  const first: Span[] = [];
  if (detection === null) first.push(span('No detection yet', 'soft'));
  else {
    const age = ageMs(detection.at, nowUs);
    const { state, freshness } = stateWord(detection.state, age);
    first.push(span(`${look.unicode ? state.symbol : state.ascii} ${state.word}`, toneOf(state, freshness)));
    if (freshness !== 'hidden') {
      first.push(
        span(
          `${between}last window ${probabilityText(detection.probability, freshness).trim()}, ${formatAge(age)} old`,
          freshness === 'fresh' ? 'plain' : 'stale',
        ),
      );
      if (detection.reason !== null) first.push(span(`${between}${clean(detection.reason)}`, 'warning'));
      if (detection.provisional) first.push(span(`${between}provisional`, 'soft'));
      first.push(span(`${between}model ${clean(detection.modelVersion)}`, 'soft'));
      // Against the population a probability is less certain than against the patient's own usual.
      if (detection.baseline === 'population') first.push(span(`${between}baseline: population, less certain`, 'unsure'));
    }
  }
  const second: Span[] = [];
  if (eeg !== null) {
    second.push(span(`device ${clean(eeg.device)}${between}gateway ${clean(eeg.gateway)}${between}${rateText(eeg.rate)} Hz`, 'soft'));
    if (eeg.at.clockOffsetUs === null) second.push(span(`${between}gateway clock not measured`, 'warning'));
    else if (Math.abs(eeg.at.clockOffsetUs) > 1e6)
      second.push(span(`${between}gateway clock ${clockError(eeg.at.clockOffsetUs)}`, 'warning'));
  }
  if (replay !== null)
    second.push(span(`${between}replay ${replay.speed}x${replay.source === '' ? '' : ` of ${clean(replay.source)}`}`, 'replay'));
  const news2 = news2Text(patient, nowUs);
  const isCurrent = detection !== null && freshnessOf('eeg', ageMs(detection.at, nowUs)) !== 'hidden';
  const channels = isCurrent ? channelsText(model, patient) : '';
  const third: Span[] = [];
  if (news2 !== '') third.push(span(news2, 'plain'));
  if (channels !== '') third.push(span(`${third.length > 0 ? between : ''}${channels}`, 'soft'));
  return [spread(first, [], width), spread(second, [], width), spread(third, [], width)];
}

function composeNotice(model: WallModel, width: number, nowUs: number): Line {
  const notice = model.notice(nowUs / 1000);
  return notice === null ? [] : cutLine([span(` ${clean(notice.text)}`, notice.tone)], width);
}

// The label is never what gives way.
function composeFooter(width: number, look: Look): Line {
  const choices = [
    look.unicode ? '↑↓ select  a acknowledge  p pause sound  ? help  q quit ' : 'j/k select  a acknowledge  p pause sound  ? help  q quit ',
    'a acknowledge  p pause  ? help ',
    'a ack  p pause  ? help ',
    '? help ',
    '',
  ];
  const keys = choices.find((choice) => labelShort.length + 2 + choice.length <= width) ?? '';
  return spread([span(` ${labelShort}`, 'soft')], keys === '' ? [] : [span(keys, 'soft')], width);
}

export function composeHelp(look: Look): string[] {
  const arrows = look.unicode ? '↑ ↓  or  j k' : 'up down  or  j k';
  return [
    `  ${arrows.padEnd(18)}select a patient`,
    `  ${(look.unicode ? '← →  or  h l' : 'left right  or  h l').padEnd(18)}channel of the strip`,
    '  enter             one patient alone, and back',
    '  g  G              first, last patient',
    '  a                 acknowledge the worst alarm of the patient',
    '  p  P              pause the sound for 120 s, end the pause',
    '  m                 bell of this terminal on or off',
    '  q  ctrl-c         quit',
    '',
    '  *** high red   ** medium yellow   * low cyan',
    '  !!! !! technical, light blue. Filled: asks for attention;',
    '  without filling: acknowledged. Acknowledging silences one',
    '  alarm, never its condition.',
    '',
    'Ages count on the clock of the cluster. Values turn grey when',
    'old (EEG 3 s, heart rate 15 s) and are hidden (--) after 60 s',
    'and 5 min. A gap stays empty.',
    '',
    labelShort,
    'Alarms may be late, false or missing.',
  ];
}

export function nameOf(patient: PatientState): string {
  const label = clean(patient.label ?? '');
  if (patient.patient === null) return `${clean(patient.devices[0] ?? patient.key)} (unassigned)`;
  return label === '' ? clean(patient.patient) : label;
}

function probabilityText(probability: number | null, freshness: Freshness): string {
  return probability === null || freshness === 'hidden' ? '--' : percent(probability);
}

// 100 % and 0 % are certainties no model has.
function percent(probability: number): string {
  return `${Math.min(99, Math.max(1, Math.round(probability * 100)))} %`;
}

function toneOf(state: StateWord, freshness: Freshness): Tone {
  return freshness === 'fresh' || freshness === 'hidden' ? state.key : 'stale';
}

function ageTone(freshness: Freshness): Tone {
  if (freshness === 'fresh') return 'soft';
  return freshness === 'grey' || freshness === 'unknown' ? 'stale' : 'warning';
}

function rateText({ num, den }: { num: number; den: number }): string {
  return String(Math.round((num / den) * 100) / 100);
}

function clockError(offsetUs: number): string {
  return `${formatAge(Math.abs(offsetUs) / 1000)} ${offsetUs > 0 ? 'slow' : 'fast'}, corrected`;
}
