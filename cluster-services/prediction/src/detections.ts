import { type Detection, derivedId, detectionKind, encodeMessage, formatTopic } from '@vitalwire/contract';
import type { Detector } from '@vitalwire/detector';
import type { DurablePublisher, Log } from '@vitalwire/runtime';
import type { TimedWindow } from './recording-windows.ts';
import type { ScoreQueue } from './score-queue.ts';

/** The recording a window belongs to. */
export type Subject = { readonly recordingId: string; readonly gateway: string; readonly device: string };

/** Whence a window comes: received committed, received provisional, or read from storage. */
export type Lane = 'durable' | 'live' | 'catch-up';

export type DetectionsOptions = {
  readonly detector: Pick<Detector, 'modelHash' | 'modelVersion' | 'windowSamples'>;
  readonly queue: ScoreQueue;
  readonly publisher: Pick<DurablePublisher, 'publish' | 'publishLive'>;
  readonly log: Log;
  readonly onDetection: (detection: Detection, lane: Lane) => void;
};

/** Scores windows and publishes what was found, at most once at a time for each window. */
export class Detections {
  readonly #options: DetectionsOptions;
  readonly #onTheWay = new Set<string>();
  #isBehind = false;

  constructor(options: DetectionsOptions) {
    this.#options = options;
  }

  /** Windows scored or being scored whose detection is not yet acknowledged. */
  get onTheWay(): number {
    return this.#onTheWay.size;
  }

  isOnTheWay(recordingId: string, window: number): boolean {
    return this.#onTheWay.has(`${recordingId}/${window}`);
  }

  /** Resolves when the detection is committed; false if it was not published (in time to be: the next sweep finds the window again). */
  async score(subject: Subject, window: TimedWindow, lane: Lane): Promise<boolean> {
    if (lane !== 'catch-up' && this.#isTooMuch()) return false;
    if (lane === 'live') {
      await this.#provisional(subject, window);
      return true;
    }
    const key = `${subject.recordingId}/${window.window}`;
    if (this.#onTheWay.has(key)) return true;
    this.#onTheWay.add(key);
    try {
      const detection = await this.#detectionOf(subject, window, lane === 'durable');
      await this.#options.publisher.publish(formatTopic(subject.gateway, subject.device, 'detection'), encodeMessage(detection));
      this.#options.onDetection(detection, lane);
      return true;
    } catch (error) {
      this.#options.log.warn(
        { err: error, recordingId: subject.recordingId, window: window.window },
        'a detection was not published; it will be computed again',
      );
      return false;
    } finally {
      this.#onTheWay.delete(key);
    }
  }

  // What is received has no brake of its own. Catching up has: it reads on only when what it read is scored.
  #isTooMuch(): boolean {
    const { log, queue } = this.#options;
    if (queue.isFull && !this.#isBehind)
      log.warn({ waiting: queue.depth }, 'more comes in than can be scored; the rest is read from storage later');
    this.#isBehind = queue.isFull;
    return this.#isBehind;
  }

  /** A window seen on the live lane only: shown, never stored. */
  async #provisional(subject: Subject, window: TimedWindow): Promise<void> {
    const detection = await this.#detectionOf(subject, window, true);
    this.#options.publisher.publishLive(formatTopic(subject.gateway, subject.device, 'detection', true), encodeMessage(detection));
    this.#options.onDetection(detection, 'live');
  }

  async #detectionOf(
    { recordingId, gateway, device }: Subject,
    { window, firstSample, measuredAtUs, clock, work }: TimedWindow,
    urgent: boolean,
  ): Promise<Detection> {
    const { detector, queue } = this.#options;
    const scored =
      work.kind === 'refused'
        ? { probability: null, verdict: 'not-scorable' as const, reason: work.reason, channel: 0 }
        : await queue.score(work.job, urgent).then((score) => ({ ...score, channel: work.channels[score.channel] ?? 0 }));
    return {
      stream: 'detection',
      recordingId: derivedId(recordingId, detectionKind(detector.modelHash)),
      seq: window,
      measuredAtUs,
      clock,
      subject: recordingId,
      gateway,
      device,
      channel: scored.channel,
      modelHash: detector.modelHash,
      modelVersion: detector.modelVersion,
      firstSample,
      samples: detector.windowSamples,
      probability: scored.probability,
      verdict: scored.verdict,
      reason: scored.reason,
      baseline: null,
      channelProbabilities: [],
      fence: 0, // one worker, no leases: there is nothing to fence off
    };
  }
}
