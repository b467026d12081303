import type { PatientState } from '@vitalwire/contract';
import { labelShort } from '@vitalwire/contract';
import { ageMs, type Freshness, formatAge, freshnessOf, PAGE_SECONDS, type StateWord, stateWord } from '@vitalwire/vitals';
import type { Layout } from './layout.ts';
import type { Look } from './look.ts';
import { clean, fit, type Line, type Span, span, spread, type Tone } from './spans.ts';
import { isSeizure, type WallModel } from './wall-model.ts';

/** Every text of the wall for one moment. The trace is drawn apart, because it is the only thing that changes many times a second. */
export type Texts = {
  readonly header: Line;
  readonly list: readonly Line[];
  readonly stripTitle: Line;
  readonly facts: readonly Line[];
  readonly heartTitle: Line;
  readonly footer: Line;
};

export function composeTexts(model: WallModel, layout: Layout, nowUs: number, look: Look): Texts {
  return {
    header: composeHeader(model, layout.header.width, nowUs, look),
    list: composeList(model, layout.list.width, layout.list.height, nowUs, look),
    stripTitle: composeStripTitle(model, layout.stripTitle.width, nowUs, look),
    facts: composeFacts(model, layout.facts.width, nowUs, look),
    heartTitle: composeHeartTitle(model, layout.heart.width, nowUs),
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
  if (seizures > 0)
    left.push(span(look.unicode ? ' · ' : ' - ', 'soft'), span(`${seizures} seizure pattern${seizures === 1 ? '' : 's'}`, 'seizure'));
  const right = [...linkSpans(model, nowUs, look), span('   '), span(`${timeOfDay(nowUs)} `, 'strong')];
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
  readonly state: number;
  readonly probability: number;
  readonly model: number;
  readonly patient: number;
  readonly eegAge: number;
  readonly heart: number;
  readonly heartAge: number;
  readonly replay: number;
};

/** What fits: the state word, heart rate and ages always; the model and the replay mark give way to a mark in a narrow list. */
function columnsOf(width: number): Columns {
  const narrow = width < 72;
  const fixed = { state: 17, probability: 5, model: narrow ? 0 : 12, eegAge: 8, heart: 6, heartAge: 7, replay: narrow ? 3 : 8 };
  const used = 2 + Object.values(fixed).reduce((sum, one) => sum + one, 0);
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
      .map((patient) => composeRow(patient, columns, patient.key === model.selected()?.key, nowUs, look)),
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
    fit('  STATE', columns.state + 2),
    fit('P ', columns.probability, 'right'),
    fit(' MODEL', columns.model),
    fit('PATIENT', columns.patient),
    fit('EEG AGE', columns.eegAge, 'right'),
    fit('HEART', columns.heart, 'right'),
    fit('AGE', columns.heartAge, 'right'),
    fit('', columns.replay),
  ];
  return [span(cells.join(''), 'soft')];
}

function composeRow(patient: PatientState, columns: Columns, isSelected: boolean, nowUs: number, look: Look): Line {
  const { detection, heartRate, eeg } = patient;
  const detectionAge = detection === null ? null : ageMs(detection.at, nowUs);
  const { state, freshness } = stateWord(detection?.state ?? null, detectionAge);
  const tone = toneOf(state, freshness);
  const eegAge = eeg === null ? null : ageMs(eeg.at, nowUs);
  const heart = heartText(heartRate, nowUs);
  const pointer = isSelected ? (look.unicode ? '▸ ' : '> ') : '  ';
  return [
    span(pointer, 'pointer'),
    span(fit(`${look.unicode ? state.symbol : state.ascii} ${state.word}`, columns.state), tone),
    span(
      fit(probabilityText(detection?.probability ?? null, freshness), columns.probability, 'right'),
      freshness === 'fresh' ? 'plain' : 'stale',
    ),
    ...(columns.model === 0
      ? []
      : [span(` ${fit(freshness === 'hidden' ? '' : clean(detection?.modelVersion ?? ''), columns.model - 2)} `, 'soft')]),
    span(`${fit(nameOf(patient), columns.patient - 1)} `, isSelected ? 'strong' : 'plain'),
    span(
      fit(eeg === null ? '--' : formatAge(eegAge), columns.eegAge, 'right'),
      eeg === null ? 'soft' : ageTone(freshnessOf('eeg', eegAge)),
    ),
    span(fit(heart.value, columns.heart, 'right'), heart.tone),
    span(fit(heart.age, columns.heartAge, 'right'), heart.ageTone),
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
  return [spread(first, [], width), spread(second, [], width)];
}

// The label is never what gives way.
function composeFooter(width: number, look: Look): Line {
  const choices = [
    look.unicode ? '↑↓ select  enter detail  ? help  q quit ' : 'j/k select  enter detail  ? help  q quit ',
    '? help  q quit ',
    '? help ',
    '',
  ];
  const keys = choices.find((choice) => labelShort.length + 2 + choice.length <= width) ?? '';
  return spread([span(` ${labelShort}`, 'soft')], keys === '' ? [] : [span(keys, 'soft')], width);
}

export function composeHelp(look: Look): string[] {
  const arrows = look.unicode ? '↑ ↓  or  j k' : 'up down  or  j k';
  return [
    'Keys',
    '',
    `  ${arrows.padEnd(18)}select a patient`,
    `  ${(look.unicode ? '← →  or  h l' : 'left right  or  h l').padEnd(18)}channel of the strip`,
    '  enter             one patient alone, and back',
    '  g  G              first, last patient',
    '  ?                 this help',
    '  q  ctrl-c         quit',
    '',
    'Ages are counted on the clock of the cluster. Values turn',
    'grey when they are old (EEG 3 s, heart rate 15 s) and are',
    'hidden (--) after 60 s and 5 min. A gap stays empty.',
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
  if (probability === null || freshness === 'hidden') return '--';
  // 100 % and 0 % are certainties no model has.
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

function timeOfDay(nowUs: number): string {
  const time = new Date(nowUs / 1000);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
