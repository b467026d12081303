import type { PatientState } from '@vitalwire/contract';
import { acuity, acuityClass, arrivalOf, formatAge, offGateways, runningPause } from '@vitalwire/vitals';
import type { Look } from './look.ts';
import { clean, type Line, type Span, span, spread } from './spans.ts';
import { timeOfDay } from './time-of-day.ts';
import { isSeizureNow, type WallModel } from './wall-model.ts';

/** How many there are, what goes on now, how the wall itself is doing, and the time. */
export function composeHeader(model: WallModel, width: number, nowUs: number, look: Look): Line {
  const patients = model.patients(nowUs);
  const left: Span[] = [
    span(' VITALWIRE ', 'strong'),
    span(` ${patients.length === 1 ? '1 patient' : `${patients.length} patients`}`, 'soft'),
    ...countsOf(patients, width, nowUs).flatMap((one) => [span(look.unicode ? ' · ' : ' - ', 'soft'), one]),
  ];
  const bell = model.bell ? span('BELL ON   ', 'soft') : span('BELL OFF   ', 'warning');
  const right = [
    span(' '),
    ...(width < 72 ? [] : [bell]),
    ...linkSpans(model, patients, nowUs, look),
    span('   '),
    span(`${timeOfDay(nowUs)} `, 'strong'),
  ];
  return spread(left, right, width);
}

/** Only what is so now is counted as such: what is over, and only waits for somebody, is told apart. */
function countsOf(patients: readonly PatientState[], width: number, nowUs: number): Span[] {
  const alarms = patients.flatMap((patient) => patient.alarms);
  const count = (kind: number): number => alarms.filter((alarm) => acuityClass([alarm]) === kind).length;
  const [active, over] = [count(acuity.activeHigh), count(acuity.latchedHigh)];
  const seizures = patients.filter((patient) => isSeizureNow(patient, nowUs)).length;
  const paused = patients.filter(({ pauses }) => runningPause(pauses, nowUs) !== null).length;
  const counts: Span[] = [];
  if (active > 0) counts.push(span(`${active} *** not acknowledged`, 'alarm-high-text'));
  if (over > 0 && (active === 0 || width >= 88))
    counts.push(span(active > 0 ? `${over} over` : `${over} *** over, not ack${width < 88 ? '' : 'nowledged'}`, 'warning'));
  if (seizures > 0 && (counts.length === 0 || width >= 104))
    counts.push(span(`${seizures} seizure pattern${seizures === 1 ? '' : 's'}`, 'strong'));
  if (paused > 0 && (counts.length === 0 || width >= 120)) counts.push(span(`${paused} paused`, 'warning'));
  return counts;
}

/** How the wall itself is doing: nothing here may pass for a patient's state, and it is green only while readings arrive. */
function linkSpans(model: WallModel, patients: readonly PatientState[], nowUs: number, look: Look): Span[] {
  const dot = look.unicode ? '●' : '*';
  if (model.link === 'connecting') return [span('connecting', 'warning')];
  if (model.link === 'refused') return [span(`${dot} refused: too many viewers`, 'bad')];
  if (model.link !== 'live') return [span(`${dot} connection lost, trying again`, 'bad')];
  const behind = model.behind(nowUs / 1000);
  if (behind > 0) return [span(`${dot} behind, ${behind} chunks not shown`, 'warning')];
  if (model.links?.frontDoor === 'down') return [span(`${dot} no live values: front door lost`, 'bad')];
  const wrong = model.links?.problems?.length ?? 0;
  const problems = wrong === 0 ? [] : [span(`, ${wrong} problem${wrong === 1 ? '' : 's'}`, 'bad')];
  const database = model.links?.storage === 'down' ? [span(', database down', 'warning')] : [];
  const { arrives, age } = arrivalOf(patients, nowUs);
  if (arrives) return [span(`${dot} live`, wrong === 0 ? 'good' : 'warning'), ...database, ...problems];
  const off = [...offGateways(model.systemAlarms())];
  const why = off.length === 0 ? '' : off.length === 1 ? `, ${clean(off[0] ?? '')} is off` : `, ${off.length} gateways off`;
  const forHow = age === null ? 'nothing arrives' : `nothing arrives for ${formatAge(age)}`;
  return [span(`${dot} ${forHow}${why}`, patients.length === 0 ? 'soft' : 'bad'), ...database, ...problems];
}
