import type { PatientState } from '@vitalwire/contract';
import { labelShort } from '@vitalwire/contract';
import {
  ageMs,
  alarmRuleLines,
  durationMs,
  everyText,
  formatAge,
  freshnessOf,
  offGateways,
  PAGE_SECONDS,
  reasonText,
  type ShownNumeric,
  shownNumerics,
  shownState,
  sourceMarks,
} from '@vitalwire/vitals';
import { type AlarmMoment, alarmLines, alarmRowsOf, systemLine } from './alarm-texts.ts';
import { composeHeader } from './compose-header.ts';
import { composeList, LEAD } from './compose-list.ts';
import type { Layout, View } from './layout.ts';
import type { Look } from './look.ts';
import { ageTone, inLetters, isOld, nameOf, percent, probabilityText, stateText, toneOf, vitalText } from './patient-words.ts';
import { clean, cutLine, fit, type Line, type Span, span, spread } from './spans.ts';
import type { WallModel } from './wall-model.ts';

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
  const patient = model.selected();
  const alarms = patient === null ? 0 : alarmRowsOf(patient, nowUs);
  const furtherVitals = patient !== null && furtherVitalsOf(patient, nowUs).length > 0;
  return { width, height, patients: model.patients(nowUs).length, alarms, furtherVitals, detail: model.detail };
}

function momentOf(model: WallModel, nowUs: number, look: Look): AlarmMoment {
  return { nowUs, look, isSteady: model.isSteady, offGateways: offGateways(model.systemAlarms()) };
}

export function composeTexts(model: WallModel, layout: Layout, nowUs: number, look: Look): Texts {
  const moment = momentOf(model, nowUs, look);
  const patient = model.selected();
  return {
    header: composeHeader(model, layout.header.width, nowUs, look),
    system: systemLine(model.systemAlarms(), model.links?.problems ?? [], layout.system.width, moment),
    list: composeList(model, layout.list.width, layout.list.height, moment),
    stripTitle: composeStripTitle(model, layout.stripTitle.width, nowUs, look),
    alarms: patient === null ? [] : alarmLines(patient, layout.alarms.width, layout.alarms.height, moment),
    facts: composeFacts(model, layout.facts.width, nowUs, look),
    heartTitle: composeHeartTitle(model, layout.heart.width, nowUs, look),
    notice: composeNotice(model, layout.notice.width, nowUs),
    footer: composeFooter(layout.footer.width, look),
  };
}

/** The vital in large digits: the first that is measured live. */
function leadOf(model: WallModel, nowUs: number): ShownNumeric | undefined {
  const patient = model.selected();
  return patient === null ? undefined : shownNumerics(patient, nowUs)[0];
}

/** Digits for the large display: a live vital, or `--`. */
export function heartDigits(model: WallModel, nowUs: number): { digits: string; isFresh: boolean } {
  const { value, tone } = vitalText(leadOf(model, nowUs));
  return { digits: value, isFresh: tone === 'strong' };
}

function composeHeartTitle(model: WallModel, width: number, nowUs: number, look: Look): Line {
  const lead = leadOf(model, nowUs);
  const { age, tone: heartTone, ageTone: tone } = vitalText(lead);
  return spread(
    [span(lead === undefined ? 'no vitals' : `${lead.label}, ${inLetters(lead.unit, look)}`, 'soft')],
    age === '' ? [] : [span(heartTone === 'stale' ? `[${age} old]` : `${age} old`, tone)],
    width,
  );
}

/** Those without a column in the list. */
function furtherVitalsOf(patient: PatientState, nowUs: number): ShownNumeric[] {
  return shownNumerics(patient, nowUs).filter(({ stream }) => stream !== LEAD);
}

function vitalSpans(shown: ShownNumeric, before: string, look: Look): Span[] {
  const { value, age, tone, ageTone: agesTone } = vitalText(shown);
  const text = tone === 'stale' ? `[${value}]` : value;
  return [
    span(`${before}${shown.short} `, 'soft'),
    span(text, tone),
    span(` ${inLetters(shown.unit, look)}, `, 'soft'),
    span(`${age} old`, agesTone),
  ];
}

/** NEWS2 components of live vitals; '' when there is none to rate. */
function news2Text(patient: PatientState, nowUs: number): string {
  const rated = shownNumerics(patient, nowUs).flatMap(({ news2 }) => news2 ?? []);
  return rated.map(({ name, points }) => `NEWS2 ${name} component ${points}`).join(', ');
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
  for (const mark of sourceMarks(patient)) right.push(span(` ${mark} `, mark === 'CLOCK WRONG' ? 'warning' : 'replay'));
  if (patient.eeg === null) right.push(span(' no EEG ', 'warning'));
  else if (freshness === 'overdue' || freshness === 'hidden') right.push(span(` no EEG for ${formatAge(eegAge)} `, 'warning'));
  else right.push(span(isOld(freshness) ? ` [${formatAge(eegAge)} old] ` : ` ${formatAge(eegAge)} old `, ageTone(freshness)));
  const used = [...left, ...right].reduce((sum, { text }) => sum + text.length, 0);
  return spread([...left, span(dash.repeat(Math.max(0, width - used)), 'soft')], right, width);
}

function composeFacts(model: WallModel, width: number, nowUs: number, look: Look): Line[] {
  const patient = model.selected();
  if (patient === null || width < 1) return [];
  const { detection, eeg, replay } = patient;
  const between = look.unicode ? ' · ' : ' - ';
  const first: Span[] = [];
  const shown = shownState(patient, nowUs);
  first.push(span(stateText(shown, 1, width, look), toneOf(shown.state, shown.freshness)));
  if (detection === null) first.push(span(`${between}no detection yet`, 'soft'));
  else if (shown.freshness !== 'hidden') {
    if (shown.probability !== null) first.push(span(` ${probabilityText(shown)}`, isOld(shown.freshness) ? 'stale' : 'plain'));
    first.push(span(`${between}last window ${windowText(detection.probability)}, ${formatAge(shown.age)} old`, 'soft'));
    if (everyText(detection) !== '') first.push(span(`${between}judged ${everyText(detection)} only`, 'warning'));
    if (detection.reason !== null) first.push(span(`${between}${clean(reasonText(detection.reason))}`, 'warning'));
    if (detection.provisional) first.push(span(`${between}provisional`, 'soft'));
    first.push(span(`${between}model ${clean(detection.modelVersion)}`, 'soft'));
    // Against the population a probability is less certain than against the patient's own usual.
    if (detection.baseline === 'population') first.push(span(`${between}baseline: population, less certain`, 'unsure'));
  } else first.push(span(`${between}last judged ${formatAge(ageMs(detection.at, nowUs))} ago`, 'warning'));
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
  const vitals = furtherVitalsOf(patient, nowUs).flatMap((one, index) => vitalSpans(one, index === 0 ? '' : between, look));
  return [first, ...(vitals.length === 0 ? [] : [vitals]), second, third].map((spans) => spread(spans, [], width));
}

// Where nothing was just done, the row says where the page is; the whole address, or without the key that opens it where that has no room.
function composeNotice(model: WallModel, width: number, nowUs: number): Line {
  const notice = model.notice(nowUs / 1000);
  if (notice !== null) return cutLine([span(` ${clean(notice.text)}`, notice.tone)], width);
  if (model.pageUrl === '') return [];
  const whole = ` page ${clean(model.pageUrl)}`;
  return [span(whole.length <= width ? whole : fit(` page ${clean(model.pageUrl.split('#')[0] ?? '')}  (? whole address)`, width), 'soft')];
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

export function composeHelp(look: Look, pageUrl: string): string[] {
  const arrows = look.unicode ? '↑ ↓  or  j k' : 'up down  or  j k';
  return [
    `  ${arrows.padEnd(18)}select a patient`,
    `  ${(look.unicode ? '← →  or  h l' : 'left right  or  h l').padEnd(18)}channel of the strip`,
    '  enter             one patient alone, and back',
    '  g  G              first, last patient',
    '  a  A              acknowledge the worst alarm of the patient, all of them',
    '  p  P              pause the sound for 120 s, end the pause',
    '  m                 bell of this terminal on or off',
    '  q  ctrl-c         quit',
    '',
    '  *** high red (3 bells)   ** medium yellow (2)   * low cyan',
    '  !!! !! technical, light blue (1). Filled: asks for attention;',
    '  without filling: acknowledged. Acknowledging silences one',
    '  alarm, never its condition.',
    ...alarmRuleLines().map((line) => `  ${line}`),
    '',
    'Ages count on the clock of the cluster. [Old] values stand in',
    'brackets (EEG 3 s, vitals 15 s) and are hidden (--) after',
    '60 s and 5 min. A gap stays empty.',
    '',
    ...(pageUrl === '' ? [] : [`page ${clean(pageUrl)}`, '']),
    labelShort,
    'Alarms may be late, false or missing.',
  ];
}

function windowText(probability: number | null): string {
  return probability === null ? '--' : percent(probability);
}

function rateText({ num, den }: { num: number; den: number }): string {
  return String(Math.round((num / den) * 100) / 100);
}

function clockError(offsetUs: number): string {
  return `${formatAge(durationMs(Math.abs(offsetUs) / 1000))} ${offsetUs > 0 ? 'slow' : 'fast'}, corrected`;
}
