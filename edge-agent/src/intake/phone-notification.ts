import type { EventReading } from '@vitalwire/contract';
import { type DateBounds, digestOf, isNumber, type PointProblem, problemOf, readDate } from './phone-point.ts';
import { heartRateMetric, vitalsOf } from './phone-vitals.ts';

const [heartRate] = vitalsOf(heartRateMetric);

/** A notification of the phone about the heart as an event, or why it is none. */
export function readNotification(raw: unknown, bounds: DateBounds): { event: EventReading; digest: number } | PointProblem {
  if (raw === undefined) return 'too-long';
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return 'not-an-object';
  const fields: Record<string, unknown> = { ...raw };
  const start = readDate(fields['start'] ?? fields['date'], bounds);
  if (typeof start === 'string') return start;
  const end = readDate(fields['end'], bounds);
  const durationUs = typeof end === 'string' || end.atUs < start.atUs ? null : end.atUs - start.atUs;
  const text = notificationText(fields);
  const event = { atUs: start.atUs, durationUs, type: 'heart-rate-notification', text, source: '' };
  return { event, digest: digestOf(text, durationUs) };
}

/** In words of ours: what a phone writes may be translated, or hold more than it should. */
function notificationText(fields: Record<string, unknown>): string {
  const said =
    typeof fields['heartNotification'] === 'string'
      ? fields['heartNotification']
      : typeof fields['name'] === 'string'
        ? fields['name']
        : '';
  const what = /irregular/i.test(said)
    ? 'irregular rhythm'
    : /low/i.test(said)
      ? 'low heart rate'
      : /high/i.test(said)
        ? 'high heart rate'
        : 'heart rate';
  const rates = [fields['heartRateData'], fields['heartRate']].flatMap((list) => (Array.isArray(list) ? list.flatMap(rateIn) : []));
  const threshold = isNumber(fields['threshold']) ? [`threshold ${fields['threshold']} /min`] : [];
  const least = Math.min(...rates);
  const most = Math.max(...rates);
  const measured = rates.length === 0 ? [] : [least === most ? `${least} /min measured` : `${least} to ${most} /min measured`];
  return [`notification of the phone: ${what}`, ...threshold, ...measured].join(', ');
}

function rateIn(point: unknown): number[] {
  if (typeof point !== 'object' || point === null) return [];
  const fields: Record<string, unknown> = { ...point };
  const rate = fields['qty'] ?? fields['hr'] ?? fields['Avg'];
  return heartRate !== undefined && isNumber(rate) && problemOf(heartRate.stream, heartRate.phone, rate) === null ? [rate] : [];
}
