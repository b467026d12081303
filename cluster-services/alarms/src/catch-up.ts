import { Detections, isNumeric, Latest, type LatestOfDevice, type RecordingInfo, RecordingWithLedger } from '@vitalwire/contract';
import { type Clock, type HttpClient, HttpError, type Lifecycle, type Log, type Timer } from '@vitalwire/runtime';
import { detectionInputOf, type SilenceWatch, type WatchedStream } from '@vitalwire/vitals';
import { HOLD_MS } from './held-messages.ts';
import { type KnownRecordings, takeOf } from './recordings.ts';
import type { Wards } from './wards.ts';

export type CatchUpOptions = {
  readonly http: Pick<HttpClient, 'getJson'>;
  readonly recordings: KnownRecordings;
  readonly wards: Wards;
  readonly silence: Pick<SilenceWatch, 'expect' | 'knows' | 'off'>;
  readonly owns: (device: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
};

/** How many windows before the newest are read again: an hour at one a second, as far as an engine remembers. */
const WINDOWS_BACK = 3_600;
/** What stopped longer ago than this is not missed at a start: what was said of it then stands in the log. */
const EXPECTED_US = 6 * 3_600_000_000;
const WINDOWS_PER_ASK = 1_000;
const MAX_DUE = 4_096;
/** A start record follows its recording within moments; only what is missing then is asked for. */
const WAIT_MS = 1_500;
/** Asked several times while messages wait for the mark of their recording: an alarm that is raised without it looks like a patient's. */
const AGAIN_MS = HOLD_MS / 6;

type Due = { readonly recordingId: string; readonly detections: boolean };

/** What storage says of the newest of a stream. */
type NewestOfStream = Pick<NonNullable<LatestOfDevice['eeg']>, 'measuredAtUs' | 'committedAtUs' | 'rate'> & {
  readonly recordingId?: string;
};

/** Asks storage for what was missed: start records of recordings joined on the way, and detections of the time nobody listened. */
export class CatchUp implements Lifecycle {
  readonly #options: CatchUpOptions;
  readonly #due = new Map<string, Due>();
  #allDue = false;
  #timer: Timer | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  #problem: string | null = null;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  get due(): number {
    return this.#due.size;
  }

  get problem(): string | null {
    return this.#problem;
  }

  async start(): Promise<void> {
    this.#later(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Something about this recording is not known. */
  look(recordingId: string): void {
    if (this.#due.size < MAX_DUE && !this.#due.has(recordingId)) this.#due.set(recordingId, { recordingId, detections: false });
    this.#later(WAIT_MS);
  }

  /** Messages may have been missed: the detections of every device are compared. */
  lookAtAll(): void {
    this.#allDue = true;
    this.#later(0);
  }

  #later(ms: number): void {
    if (this.#stopped || this.#timer !== null) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#running = this.#run().finally(() => {
        this.#timer = null;
        if (this.#due.size > 0 || this.#allDue) this.#later(this.#problem === null ? WAIT_MS : AGAIN_MS);
      });
    });
  }

  async #run(): Promise<void> {
    const { http, owns, log } = this.#options;
    try {
      if (this.#allDue) {
        const { devices } = await http.getJson('/v1/latest', Latest);
        for (const { device, detection, eeg, numerics } of devices) {
          if (!owns(device)) continue;
          if (detection !== null) this.#due.set(detection.recordingId, { recordingId: detection.recordingId, detections: true });
          if (eeg !== null) await this.#expectMore(device, 'eeg', eeg);
          // A phone exports what it measured hours ago: nobody misses the next.
          for (const one of numerics) if (one.kind !== 'phone') await this.#expectMore(device, one.stream, one);
        }
        this.#allDue = false;
      }
      for (const due of Array.from(this.#due.values())) {
        if (this.#stopped) return;
        await this.#ask(due);
        this.#due.delete(due.recordingId);
      }
      this.#problem = null;
    } catch (error) {
      if (this.#problem === null) log.warn({ err: error }, 'storage cannot be asked for what was missed; it is tried again');
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }

  async #ask({ recordingId, detections }: Due): Promise<void> {
    const known = this.#options.recordings.get(recordingId);
    if (!detections && known?.isComplete === true && known.rate !== null) return;
    const info = await this.#recording(recordingId);
    if (info === null) return;
    const { device, rate, replay, captureId } = info;
    const stream = info.stream === 'eeg' || isNumeric(info.stream) ? info.stream : null;
    const isComplete = info.captureId !== null;
    const learnt = this.#options.recordings.learn(recordingId, {
      device,
      ...(stream === null ? {} : { stream }),
      ...(rate === null ? {} : { rate }),
      ...(isComplete ? { replay, captureId, labels: info.channels.map(({ label }) => label), isComplete } : {}),
    });
    if (stream !== 'eeg' || rate === null || !this.#options.owns(device)) return;
    const newest = await this.#detections(info, rate, takeOf(learnt));
    // Midnight, or a restart, a moment ago: what happened just before belongs to the same seizure.
    if (detections && info.predecessor !== null && newest < WINDOWS_BACK)
      this.#due.set(info.predecessor, { recordingId: info.predecessor, detections: false });
  }

  /** The recording's windows up to the newest, as many as an engine remembers; how many windows it has. */
  async #detections(info: RecordingInfo, rate: NonNullable<RecordingInfo['rate']>, take: string): Promise<number> {
    const { http, wards } = this.#options;
    const path = `/v1/recordings/${encodeURIComponent(info.recordingId)}/detections`;
    const { devices } = await http.getJson('/v1/latest', Latest, { query: { device: info.device } });
    const latest = devices[0]?.detection;
    // Of an older recording: at one window a second or less, it has no more than this.
    const atMost = Math.ceil(((info.endedAtUs ?? info.startedAtUs) - info.startedAtUs) / 1_000_000);
    const newest = latest?.recordingId === info.recordingId ? latest.window : atMost;
    for (let fromWindow = Math.max(0, newest - WINDOWS_BACK), asks = 0; asks <= WINDOWS_BACK / WINDOWS_PER_ASK; asks++) {
      const { detections } = await http.getJson(path, Detections, { query: { fromWindow, limit: WINDOWS_PER_ASK } });
      for (const detection of detections) {
        const whole = { ...detection, device: info.device, subject: info.recordingId, seq: detection.window };
        const labels = info.channels.map(({ label }) => label);
        wards.detection({ ...detectionInputOf(whole, rate, info.replay, labels), take, isStored: true });
      }
      const last = detections.at(-1);
      if (last === undefined || detections.length < WINDOWS_PER_ASK) break;
      fromWindow = last.window + 1;
    }
    if (latest?.recordingId === info.recordingId || latest === undefined) this.#tellEnd(info, take);
    return newest;
  }

  /** What came until lately and has no end is expected: nobody who starts now would miss it otherwise. */
  async #expectMore(
    device: string,
    stream: WatchedStream,
    { recordingId, measuredAtUs, committedAtUs, rate }: NewestOfStream,
  ): Promise<void> {
    const { silence, clock } = this.#options;
    const forUs = clock.nowUs() - committedAtUs;
    if (recordingId === undefined || forUs > EXPECTED_US || silence.knows(device, stream)) return;
    const info = await this.#recording(recordingId);
    const endUs = measuredAtUs + (rate === undefined ? 0 : Math.round((1e6 * rate.den) / rate.num)); // as if it had been heard
    if (info?.open === true) silence.expect(device, stream, recordingId, endUs, forUs / 1000, clock.monotonicMs());
  }

  // Of the device's newest recording: whether it ended, and a seizure with it.
  #tellEnd({ device, recordingId, open, endedAtUs }: RecordingInfo, take: string): void {
    if (!open && endedAtUs !== null) this.#options.wards.recordingEnded({ device, atUs: endedAtUs, take, recording: recordingId });
  }

  async #recording(recordingId: string): Promise<RecordingInfo | null> {
    try {
      return await this.#options.http.getJson(`/v1/recordings/${encodeURIComponent(recordingId)}`, RecordingWithLedger);
    } catch (error) {
      // Nothing of it is committed yet: it comes over the stream.
      if (HttpError.is(error) && error instanceof HttpError && error.status === 404) return null;
      throw error;
    }
  }
}
