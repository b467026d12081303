import type { ClockState, DataStream } from '@vitalwire/contract';
import type { Outbox } from '@vitalwire/outbox';
import type { Clock } from '@vitalwire/runtime';
import { ReadingCutter } from './cutter.ts';
import { heartRateMetric, type PhoneExport } from './intake/health-auto-export.ts';
import { heartRateForm } from './intake/requests.ts';
import { type StreamAnswer, type StreamRequest, StreamSession } from './stream-session.ts';

export type SessionsOptions = {
  readonly gateway: string;
  readonly outbox: Pick<Outbox, 'append' | 'capturePosition' | 'compareCapture' | 'unseen'>;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
};

const phoneCapture = 'health-auto-export';

/** The streams of all devices of this gateway. As many as there are devices with a token times streams, so bounded by those. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, StreamSession>();
  readonly #phoneTurns = new Map<string, Promise<unknown>>();

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
   * Takes the points of a phone export that are new. A point is known by its instant; one that comes again with other values is a new
   * reading of the same instant, and readers take the later one. Exports of a phone may overlap and come side by side: one at a time.
   */
  submitPhone(device: string, { points }: PhoneExport): Promise<StreamAnswer> {
    const turn = (this.#phoneTurns.get(device) ?? Promise.resolve()).then(() => this.#takePhone(device, points));
    this.#phoneTurns.set(
      device,
      turn.catch(() => {}),
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

  async #takePhone(device: string, points: PhoneExport['points']): Promise<StreamAnswer> {
    const { outbox } = this.#options;
    const fresh = new Set(await outbox.unseen(device, heartRateMetric, points));
    const taken = points.filter((_point, index) => fresh.has(index));
    const answer = await this.#of(device, 'heart-rate').submit({
      captureId: phoneCapture,
      firstSample: 'next',
      readings: {
        stream: 'heart-rate',
        kind: 'phone',
        readings: taken.map(({ atUs, bpm, minBpm, maxBpm }) => ({ atUs, bpm, minBpm, maxBpm })),
      },
      form: heartRateForm('phone', null, phoneCapture),
      makeCutter: () => new ReadingCutter(),
      end: false,
      extra: [{ step: 'seen', device, metric: heartRateMetric, points: taken.map(({ atUs, digest }) => ({ atUs, digest })) }],
    });
    return { ...answer, repeated: points.length - taken.length };
  }

  #of(device: string, stream: DataStream): StreamSession {
    const key = `${device} ${stream}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const session = new StreamSession({ ...this.#options, device, stream });
    this.#sessions.set(key, session);
    return session;
  }
}
