import {
  type Conversion,
  conversionFrom,
  type EventReading,
  isSameConversion,
  type NumericReading,
  type NumericStream,
  numericFacts,
} from '@vitalwire/contract';
import { type Metric, NONE, newMetric, noteRejected, oddity } from './held-metric.ts';
import { type JsonKind, JsonScanner, type JsonVisitor, type Visit } from './json-scanner.ts';
import { readNotification } from './phone-notification.ts';
import { type DateBounds, digestOf, judged, type PointProblem, readPoint, sourceId } from './phone-point.ts';
import { heartRateMetric, type PhoneVital, vitalsOf } from './phone-vitals.ts';
import { PointColumns } from './point-columns.ts';

export type PhoneOptions = {
  readonly bounds: DateBounds;
  readonly sourceKey: string; // a secret of the gateway
  readonly aggregation: string; // what the app says it summarises by; '' = it does not say
  readonly maxPoints?: number;
};

type DigestedReading = NumericReading & { readonly digest: number };
/** Readings or events that are ready to be committed, those of one source together. */
export type PhoneBatch =
  | { readonly kind: 'readings'; readonly stream: NumericStream; readonly source: string; readonly points: readonly DigestedReading[] }
  | { readonly kind: 'events'; readonly events: readonly { readonly event: EventReading; readonly digest: number }[] };

/** What of an export was not taken, by name and reason; names of metrics are the app's, cut to 64 letters. */
export type Ignored = { readonly name: string; readonly reason: string; readonly points: number };

export type PhoneSummary = {
  readonly repeatedInside: number;
  readonly rejected: Readonly<Partial<Record<PointProblem, number>>>;
  readonly trimmed: number; // kept without a minimum or maximum that was no reading
  readonly ignored: readonly Ignored[];
  readonly ignoredMetrics: number; // metrics of no vital that is taken
  readonly ignoredPoints: number;
  readonly notes: readonly string[]; // in words: why there was nothing to take
};

/** A body that is no export: it says what was expected. */
export class NoExport extends Error {
  override readonly name = 'NoExport';
}
/** An export with more points in one metric than are held in memory. */
export class TooManyPoints extends Error {
  override readonly name = 'TooManyPoints';
}

export const expectedShape =
  '{"data": {"metrics": [{"name": "heart_rate", "units": "count/min", "data": [{"Min": …, "Avg": …, "Max": …, "date": "2026-01-31 08:00:00 +0100"}, …]}, …]}}';
const PHONE_BATCH = 256; // readings that are committed together: the EEG of other devices waits for that many at most
const EVENT_BATCH = 16;
const MAX_POINTS = 1_000_000;
const MAX_NAMED = 50;
const MAX_SOURCES = 256; // remembered by their text
const DAY_US = 86_400_000_000;
const coarse: Readonly<Record<string, number | null>> = { day: DAY_US, week: 7 * DAY_US, month: null, year: null };

type Place = 'exports' | 'root' | 'data' | 'metrics' | 'metric' | 'points' | 'workouts' | 'workout' | 'workout-points' | 'notifications';

/**
 * Reads an export of the phone app as it arrives: what is ready can be taken out after each piece. Metrics come in no fixed order, keys
 * neither, so the points of a metric are held, as numbers in columns, until it has ended and its name is known.
 */
export class PhoneExport implements JsonVisitor {
  readonly #options: PhoneOptions;
  readonly #scanner = new JsonScanner(this);
  readonly #places: Place[] = [];
  readonly #ready: Iterator<PhoneBatch>[] = [];
  readonly #rejected: Partial<Record<PointProblem, number>> = {};
  readonly #ignored = new Map<string, { name: string; reason: string; points: number }>();
  readonly #notes = new Set<string>();
  readonly #sourceIds = new Map<string, string>();
  readonly #workouts = newMetric();
  readonly #notifications: { event: EventReading; digest: number }[] = [];
  #metric: Metric = newMetric();
  #released = 0; // metrics that had something to be taken
  #repeatedInside = 0;
  #trimmed = 0;
  #ignoredMetrics = 0;
  #ignoredPoints = 0;
  #isExport = false; // a `data`, or one of the lists that lie in it, was there

  constructor(options: PhoneOptions) {
    this.#options = options;
  }

  /** Points that are held until their metric ends. */
  get held(): number {
    return this.#metric.held + this.#workouts.held;
  }

  write(bytes: Uint8Array): void {
    this.#scanner.write(bytes);
  }

  /** Nothing follows. */
  finish(): void {
    this.#scanner.end();
    if (!this.#isExport) throw new NoExport('there is neither "data" nor "metrics" in it');
    this.#release(this.#workouts, vitalsOf(heartRateMetric), '');
    for (let at = 0; at < this.#notifications.length; at += EVENT_BATCH)
      this.#ready.push([{ kind: 'events' as const, events: this.#notifications.slice(at, at + EVENT_BATCH) }].values());
    const { notes, ignored, rejected } = this.summary;
    if (this.#ready.length + this.#released + notes.length + ignored.length + Object.keys(rejected).length === 0)
      this.#notes.add('there are no readings in this export');
  }

  /** The next batch that is ready to be committed; null if more has to be read first. */
  take(): PhoneBatch | null {
    for (let first = this.#ready[0]; first !== undefined; first = this.#ready[0]) {
      const next = first.next();
      if (next.done !== true) return next.value;
      this.#ready.shift();
    }
    return null;
  }

  get summary(): PhoneSummary {
    return {
      repeatedInside: this.#repeatedInside,
      rejected: this.#rejected,
      trimmed: this.#trimmed,
      ignored: [...this.#ignored.values()],
      ignoredMetrics: this.#ignoredMetrics,
      ignoredPoints: this.#ignoredPoints,
      notes: [...this.#notes],
    };
  }

  begin(key: string | null, kind: JsonKind): Visit {
    const place = this.#places.at(-1);
    switch (place) {
      case undefined:
        if (kind === 'scalar') throw new NoExport('the body is no object');
        return this.#walk(kind === 'list' ? 'exports' : 'root');
      case 'exports':
        if (kind !== 'object') throw new NoExport('the body is a list of something else than exports');
        return this.#walk('root');
      case 'root':
        if (key === 'data') return this.#beginData(kind);
        return this.#beginSection(key ?? '', kind);
      case 'data':
        if (key === 'data') throw new NoExport('there is "data" inside "data"');
        return this.#beginSection(key ?? '', kind);
      case 'metrics':
        if (kind === 'object') {
          this.#metric = newMetric();
          return this.#walk('metric');
        }
        this.#ignore('', 'not-an-object', 0);
        this.#ignoredMetrics += 1;
        return 'skip';
      case 'metric':
        if (key === 'data') {
          if (kind === 'list') return this.#walk('points');
          return 'keep'; // null is an empty list, all else is odd
        }
        return key === 'name' || key === 'units' ? 'keep' : 'skip';
      case 'points':
        this.#metric.points += 1;
        return this.#metric.name === NONE || vitalsOf(this.#metric.name).length > 0 ? 'keep' : 'skip';
      case 'workouts':
        return kind === 'object' ? this.#walk('workout') : 'skip';
      case 'workout':
        return kind === 'list' && (key === 'heartRateData' || key === 'heartRateRecovery') ? this.#walk('workout-points') : 'skip';
      case 'workout-points':
      case 'notifications':
        return 'keep';
    }
  }

  value(key: string | null, value: unknown): void {
    switch (this.#places.at(-1)) {
      case 'metric':
        if (key === 'name') this.#metric.name = value;
        else if (key === 'units') this.#metric.units = value;
        else if (value !== null) this.#metric.isDataOdd = true;
        return;
      case 'points':
        this.#point(this.#metric, value);
        return;
      case 'workout-points':
        this.#point(this.#workouts, value);
        return;
      case 'notifications':
        this.#notification(value);
        return;
      case 'data':
      case 'root':
        if (value === null) this.#notes.add(`"${key === 'data' ? 'data' : 'metrics'}" is null: there is nothing in this export`);
        else throw new NoExport(`"${key === 'data' ? 'data' : 'metrics'}" is not what it should be`);
        return;
      default:
        return;
    }
  }

  end(): void {
    const place = this.#places.pop();
    if (place === 'metric') {
      this.#endMetric(this.#metric);
      this.#metric = newMetric();
    }
  }

  #walk(place: Place): 'walk' {
    this.#places.push(place);
    return 'walk';
  }

  #beginData(kind: JsonKind): Visit {
    this.#isExport = true;
    return kind === 'object' ? this.#walk('data') : 'keep';
  }

  /** One of the lists of an export. */
  #beginSection(key: string, kind: JsonKind): Visit {
    if (key === 'metrics') {
      this.#isExport = true;
      if (kind === 'object') throw new NoExport('"metrics" is an object');
      return kind === 'list' ? this.#walk('metrics') : 'keep';
    }
    if (kind === 'list' && (key === 'workouts' || key === 'heartRateNotifications')) {
      this.#isExport = true;
      return this.#walk(key === 'workouts' ? 'workouts' : 'notifications');
    }
    if (kind !== 'scalar') this.#ignore(nameOf(key), 'unsupported', 0);
    return 'skip';
  }

  #point(metric: Metric, raw: unknown): void {
    const point = readPoint(raw, this.#options.bounds);
    if (typeof point === 'string') {
      noteRejected(metric, point, 1);
      return;
    }
    if (this.held >= (this.#options.maxPoints ?? MAX_POINTS)) throw new TooManyPoints();
    const { atUs, isMidnight, units, numbers } = point;
    const source = this.#idOf(point.source);
    for (const { part, value, least, most } of numbers) {
      const columns = metric.columns.get(part) ?? new PointColumns();
      metric.columns.set(part, columns);
      columns.push({ atUs, value, least, most, source, units, isMidnight });
      metric.held += 1;
    }
  }

  #idOf(source: string): string {
    const known = this.#sourceIds.get(source);
    if (known !== undefined) return known;
    const id = sourceId(source, this.#options.sourceKey);
    if (this.#sourceIds.size < MAX_SOURCES) this.#sourceIds.set(source, id);
    return id;
  }

  #endMetric(metric: Metric): void {
    const { name, units, points } = metric;
    const reason = oddity(metric);
    const vitals = reason === null ? vitalsOf(name) : [];
    const [first] = vitals;
    if (first === undefined) {
      this.#ignore(nameOf(name), reason ?? 'unsupported', points);
      this.#ignoredMetrics += 1;
      this.#ignoredPoints += points;
      return;
    }
    const said = typeof units === 'string' ? units : '';
    if (conversionFrom(first.stream, said) === null) {
      this.#ignore(nameOf(name), `unknown-unit: ${nameOf(said)}`, points);
      this.#reject('unknown-unit', points);
      return;
    }
    this.#release(metric, vitals, said);
  }

  /** Whether the points of a metric are summaries of days or longer, and of how long; undefined = they are readings. */
  #spanOf(columns: PointColumns): number | null | undefined {
    const said = this.#options.aggregation.toLowerCase().replace(/s$/, '');
    const span = coarse[said];
    if (span !== undefined) return span;
    return columns.length > 0 && columns.areAllAtMidnight && columns.hasSpread ? DAY_US : undefined;
  }

  #release(metric: Metric, vitals: readonly PhoneVital[], units: string): void {
    const isOfVital = (part: string): boolean => vitals.some(({ phone }) => (phone.part ?? '') === part);
    for (const [part, { length }] of metric.columns) if (!isOfVital(part)) noteRejected(metric, 'no-number', length);
    for (const vital of vitals) {
      const columns = metric.columns.get(vital.phone.part ?? '');
      if (columns !== undefined) this.#releaseVital(metric, vital, columns, units);
    }
    for (const [problem, points] of metric.rejected) this.#reject(problem, points);
  }

  #releaseVital(metric: Metric, vital: PhoneVital, columns: PointColumns, units: string): void {
    const conversions = new Map<string, Conversion | null>(); // there may be a million points and hardly ever two units
    columns.revise((reading, own) => {
      const conversion = conversions.get(own) ?? unitOf(vital, units, own);
      conversions.set(own, conversion);
      const found = conversion === null ? 'unknown-unit' : judged(vital, conversion, reading);
      if (typeof found === 'string') {
        noteRejected(metric, found, 1);
        return null;
      }
      if (found.isTrimmed) this.#trimmed += 1;
      return found;
    });
    if (columns.length === 0) return;
    this.#released += 1;
    const order = columns.inOrder();
    this.#repeatedInside += columns.length - order.length;
    const span = metric === this.#workouts ? undefined : this.#spanOf(columns);
    const { stream } = vital;
    this.#ready.push(span === undefined ? this.#readings(stream, columns, order) : this.#summaries(stream, columns, order, span));
  }

  *#readings(stream: NumericStream, columns: PointColumns, order: Uint32Array): Generator<PhoneBatch> {
    let at = 0;
    while (at < order.length) {
      const source = columns.sourceOf(order[at] ?? 0);
      const points: DigestedReading[] = [];
      for (; at < order.length && points.length < PHONE_BATCH && columns.sourceOf(order[at] ?? 0) === source; at += 1) {
        const reading = columns.readingAt(order[at] ?? 0);
        points.push({ ...reading, digest: digestOf(reading.value, reading.least, reading.most) });
      }
      yield { kind: 'readings', stream, source, points };
    }
  }

  *#summaries(stream: NumericStream, columns: PointColumns, order: Uint32Array, durationUs: number | null): Generator<PhoneBatch> {
    const { unit } = numericFacts(stream);
    for (let at = 0; at < order.length; at += EVENT_BATCH) {
      const events = [...order.subarray(at, at + EVENT_BATCH)].map((index) => {
        const { atUs, value, least, most } = columns.readingAt(index);
        const range = least === null || most === null ? '' : `, ${least} to ${most}`;
        const text = `mean ${Math.round(value * 10) / 10}${range} ${unit}`;
        const event = { atUs, durationUs, type: `${stream}-summary`, text, source: columns.sourceOf(index) };
        return { event, digest: digestOf(event.text, durationUs) };
      });
      yield { kind: 'events', events };
    }
  }

  #notification(raw: unknown): void {
    const read = readNotification(raw, this.#options.bounds);
    if (typeof read === 'string') this.#reject(read, 1);
    else this.#notifications.push(read);
  }

  #reject(problem: PointProblem, count: number): void {
    this.#rejected[problem] = (this.#rejected[problem] ?? 0) + count;
  }

  #ignore(name: string, reason: string, points: number): void {
    const key = `${name}\n${reason}`;
    const known = this.#ignored.get(key);
    if (known !== undefined) known.points += points;
    else if (this.#ignored.size < MAX_NAMED) this.#ignored.set(key, { name, reason, points });
    else this.#notes.add('more was ignored than is named here');
  }
}

/** By which unit a point counts: its own, where it says one, which must not contradict that of its metric. Null: by none. */
function unitOf({ stream }: PhoneVital, ofMetric: string, own: string): Conversion | null {
  const conversion = conversionFrom(stream, own === '' ? ofMetric : own);
  const other = own === '' || ofMetric === '' ? conversion : conversionFrom(stream, ofMetric);
  return conversion !== null && other !== null && isSameConversion(conversion, other) ? conversion : null;
}

/** A name of the body in an answer: short, and without what a terminal would obey. */
function nameOf(name: unknown): string {
  return typeof name === 'string' ? name.toWellFormed().replaceAll(/\p{C}/gu, '').slice(0, 64) : '';
}
