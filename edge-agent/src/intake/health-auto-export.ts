import type { EventReading, NumericReading } from '@vitalwire/contract';
import { type JsonKind, JsonScanner, type JsonVisitor, type Visit } from './json-scanner.ts';
import { readNotification } from './phone-notification.ts';
import { type DateBounds, digestOf, isHeartRateName, isHeartRateUnit, type PointProblem, readPoint, sourceId } from './phone-point.ts';
import { PointColumns } from './point-columns.ts';

export type PhoneOptions = {
  readonly bounds: DateBounds;
  readonly sourceKey: string; // a secret of the gateway
  readonly aggregation: string; // what the app says it summarises by; '' = it does not say
  readonly maxPoints?: number;
};

/** Readings or events that are ready to be committed, those of one source together. */
export type PhoneBatch =
  | { readonly kind: 'readings'; readonly source: string; readonly points: readonly (NumericReading & { readonly digest: number })[] }
  | { readonly kind: 'events'; readonly events: readonly { readonly event: EventReading; readonly digest: number }[] };

/** What of an export was not taken, by name and reason; names of metrics are the app's, cut to 64 letters. */
export type Ignored = { readonly name: string; readonly reason: string; readonly points: number };

export type PhoneSummary = {
  readonly repeatedInside: number;
  readonly rejected: Readonly<Partial<Record<PointProblem, number>>>;
  readonly trimmed: number; // kept without a minimum or maximum that was no heart rate
  readonly ignored: readonly Ignored[];
  readonly ignoredMetrics: number; // metrics that are not heart rate
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
export const heartRateMetric = 'heart_rate';
const PHONE_BATCH = 256; // readings that are committed together: the EEG of other devices waits for that many at most
const EVENT_BATCH = 16;
const MAX_POINTS = 1_000_000;
const MAX_NAME = 200;
const MAX_NAMED = 50;
const MAX_SOURCES = 256; // remembered by their text
const DAY_US = 86_400_000_000;
const coarse: Readonly<Record<string, number | null>> = { day: DAY_US, week: 7 * DAY_US, month: null, year: null };

type Place = 'exports' | 'root' | 'data' | 'metrics' | 'metric' | 'points' | 'workouts' | 'workout' | 'workout-points' | 'notifications';
type Metric = {
  readonly columns: PointColumns;
  readonly rejected: Map<PointProblem, number>;
  name: unknown; // NONE until it was seen: it may come behind the points
  units: unknown;
  isDataOdd: boolean;
  points: number;
  trimmed: number;
};
const NONE = Symbol('not seen');

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
    return this.#metric.columns.length + this.#workouts.columns.length;
  }

  write(bytes: Uint8Array): void {
    this.#scanner.write(bytes);
  }

  /** Nothing follows. */
  finish(): void {
    this.#scanner.end();
    if (!this.#isExport) throw new NoExport('there is neither "data" nor "metrics" in it');
    this.#release(this.#workouts, undefined);
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
        return this.#metric.name === NONE || isHeartRate(this.#metric.name) ? 'keep' : 'skip';
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
      metric.rejected.set(point, (metric.rejected.get(point) ?? 0) + 1);
      return;
    }
    if (this.held >= (this.#options.maxPoints ?? MAX_POINTS)) throw new TooManyPoints();
    if (point.isTrimmed) metric.trimmed += 1;
    metric.columns.push({ ...point, source: this.#idOf(point.source) });
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
    if (reason === null && isHeartRate(name)) {
      if (isHeartRateUnit(units)) {
        this.#release(metric, this.#spanOf(metric));
        return;
      }
      this.#ignore(nameOf(name), `unknown-unit: ${nameOf(units)}`, points);
      this.#reject('unknown-unit', points);
      return;
    }
    this.#ignore(nameOf(name), reason ?? 'unsupported', points);
    this.#ignoredMetrics += 1;
    this.#ignoredPoints += points;
  }

  /** Whether the points of a metric are summaries of days or longer, and of how long; undefined = they are readings. */
  #spanOf({ columns }: Metric): number | null | undefined {
    const said = this.#options.aggregation.toLowerCase().replace(/s$/, '');
    const span = coarse[said];
    if (span !== undefined) return span;
    return columns.length > 0 && columns.areAllAtMidnight && columns.hasSpread ? DAY_US : undefined;
  }

  #release(metric: Metric, span: number | null | undefined): void {
    for (const [problem, count] of metric.rejected) this.#reject(problem, count);
    this.#trimmed += metric.trimmed;
    const { columns } = metric;
    if (columns.length === 0) return;
    this.#released += 1;
    const order = columns.inOrder();
    this.#repeatedInside += columns.length - order.length;
    this.#ready.push(span === undefined ? this.#readings(columns, order) : this.#summaries(columns, order, span));
  }

  *#readings(columns: PointColumns, order: Uint32Array): Generator<PhoneBatch> {
    let at = 0;
    while (at < order.length) {
      const source = columns.sourceOf(order[at] ?? 0);
      const points: (NumericReading & { digest: number })[] = [];
      for (; at < order.length && points.length < PHONE_BATCH && columns.sourceOf(order[at] ?? 0) === source; at += 1) {
        const reading = columns.readingAt(order[at] ?? 0);
        points.push({ ...reading, digest: digestOf(reading.value, reading.least, reading.most) });
      }
      yield { kind: 'readings', source, points };
    }
  }

  *#summaries(columns: PointColumns, order: Uint32Array, durationUs: number | null): Generator<PhoneBatch> {
    for (let at = 0; at < order.length; at += EVENT_BATCH) {
      const events = [...order.subarray(at, at + EVENT_BATCH)].map((index) => {
        const { atUs, value, least, most } = columns.readingAt(index);
        const range = least === null || most === null ? '' : `, ${least} to ${most}`;
        const text = `mean ${Math.round(value * 10) / 10}${range} /min`;
        const event = { atUs, durationUs, type: 'heart-rate-summary', text, source: columns.sourceOf(index) };
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

function newMetric(): Metric {
  return { columns: new PointColumns(), rejected: new Map(), name: NONE, units: null, isDataOdd: false, points: 0, trimmed: 0 };
}

/** Why a metric cannot be read at all. */
function oddity({ name, units, isDataOdd }: Metric): string | null {
  if (typeof name !== 'string' || name.trim() === '') return 'no-name';
  if (name.length > MAX_NAME) return 'name-too-long';
  if (units !== null && typeof units !== 'string') return 'units-are-no-text';
  return isDataOdd ? 'data-is-no-list' : null;
}

function isHeartRate(name: unknown): boolean {
  return typeof name === 'string' && isHeartRateName(name);
}

/** A name of the body in an answer: short, and without what a terminal would obey. */
function nameOf(name: unknown): string {
  return typeof name === 'string' ? name.toWellFormed().replaceAll(/\p{C}/gu, '').slice(0, 64) : '';
}
