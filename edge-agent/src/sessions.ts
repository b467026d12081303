import type { ClockState, DataStream } from '@vitalwire/contract';
import type { AppendStep, Outbox } from '@vitalwire/outbox';
import type { Clock } from '@vitalwire/runtime';
import { ReadingCutter } from './cutter.ts';
import type { PhoneBatch } from './intake/health-auto-export.ts';
import { metricOf } from './intake/phone-vitals.ts';
import { eventForm, numericForm } from './intake/requests.ts';
import type { StreamAnswer, StreamRequest } from './stream-request.ts';
import { StreamSession } from './stream-session.ts';

export type SessionsOptions = {
  readonly gateway: string;
  readonly outbox: Pick<Outbox, 'append' | 'capturePosition' | 'compareCapture' | 'unseen'>;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
};

const phoneCapture = 'health-auto-export';
const MAX_SOURCES = 16; // of one phone with a recording of their own; further ones share one

/** The streams of all devices of this gateway. As many as there are devices with a token times streams, so bounded by those. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, StreamSession>();
  readonly #phoneTurns = new Map<string, Promise<unknown>>();
  readonly #phoneSources = new Map<string, Set<string>>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get openRecordings(): number {
    return [...this.#sessions.values()].filter((session) => session.recordingId !== null).length;
  }

  submit(device: string, request: StreamRequest): Promise<StreamAnswer> {
    return this.#of(device, request.readings.stream).submit(request);
  }

  /**
   * Takes what of a batch of a phone export is new. A point is known by its instant and its source; one that comes again with other values
   * is a new reading of the same instant, and readers take the later one. Exports of a phone may overlap and come side by side: one
   * batch at a time.
   */
  submitPhone(device: string, batch: PhoneBatch): Promise<StreamAnswer> {
    const turn = (this.#phoneTurns.get(device) ?? Promise.resolve()).then(() =>
      batch.kind === 'readings' ? this.#takeReadings(device, batch) : this.#takeEvents(device, batch),
    );
    this.#phoneTurns.set(
      device,
      turn.catch(() => {}), // its own request is answered with it; the next one's turn comes all the same
    );
    return turn;
  }

  async endAll(reason: 'stopped'): Promise<void> {
    await Promise.allSettled(this.#phoneTurns.values());
    await Promise.all([...this.#sessions.values()].map((session) => session.end(reason)));
  }

  async endOld(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.endIfOld()));
  }

  async #takeReadings(device: string, { stream, source, points }: Extract<PhoneBatch, { kind: 'readings' }>): Promise<StreamAnswer> {
    const { outbox } = this.#options;
    const metric = withSource(metricOf(stream), source);
    let fresh = await outbox.unseen(device, metric, points);
    if (source !== '' && fresh.length > 0) {
      // What was taken before sources were told apart is known without one.
      const unknown = new Set(await outbox.unseen(device, metricOf(stream), points));
      fresh = fresh.filter((index) => unknown.has(index));
    }
    const isFresh = new Set(fresh);
    const taken = points.filter((_point, index) => isFresh.has(index));
    if (taken.length === 0) return nothingNew(points.length);
    const capture = withSource(phoneCapture, this.#sourceOf(device, source));
    const answer = await this.#of(device, stream, capture).submit({
      captureId: capture,
      firstSample: 'next',
      readings: {
        stream,
        kind: 'phone',
        readings: taken.map(({ atUs, value, least, most }) => ({ atUs, value, least, most })),
      },
      form: numericForm('phone', null, capture),
      makeCutter: () => new ReadingCutter(),
      end: false,
      extra: [{ step: 'seen', device, metric, points: taken.map(({ atUs, digest }) => ({ atUs, digest })) }],
    });
    return { ...answer, repeated: points.length - taken.length };
  }

  async #takeEvents(device: string, { events }: Extract<PhoneBatch, { kind: 'events' }>): Promise<StreamAnswer> {
    const { outbox } = this.#options;
    const bySort = Map.groupBy(events, ({ event }) => withSource(`event/${event.type}`, event.source));
    const taken: (typeof events)[number][] = [];
    const extra: AppendStep[] = [];
    for (const [metric, some] of bySort) {
      const points = some.map(({ event, digest }) => ({ atUs: event.atUs, digest }));
      const fresh = new Set(await outbox.unseen(device, metric, points));
      taken.push(...some.filter((_one, index) => fresh.has(index)));
      extra.push({ step: 'seen', device, metric, points: points.filter((_point, index) => fresh.has(index)) });
    }
    if (taken.length === 0) return nothingNew(events.length);
    const answer = await this.#of(device, 'event').submit({
      captureId: phoneCapture,
      firstSample: 'next',
      readings: { stream: 'event', events: taken.map(({ event }) => event) },
      form: eventForm(null, phoneCapture),
      makeCutter: () => new ReadingCutter(),
      end: false,
      extra,
    });
    return { ...answer, repeated: events.length - taken.length };
  }

  #sourceOf(device: string, source: string): string {
    const known = this.#phoneSources.get(device) ?? new Set();
    this.#phoneSources.set(device, known);
    if (source === '' || known.has(source)) return source;
    if (known.size >= MAX_SOURCES) return 'more';
    known.add(source);
    return source;
  }

  /** The session of a stream; of a phone's readings there is one per source, so that sources do not end each other's recordings. */
  #of(device: string, stream: DataStream, phone: string | null = null): StreamSession {
    const key = `${device} ${stream} ${phone ?? ''}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const session = new StreamSession({ ...this.#options, device, stream, phone: phone !== null });
    this.#sessions.set(key, session);
    return session;
  }
}

function withSource(name: string, source: string): string {
  return source === '' ? name : `${name}/${source}`;
}

function nothingNew(repeated: number): StreamAnswer {
  return { accepted: 0, repeated, nextSample: 0, recordings: [] };
}
