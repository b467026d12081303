import { type Detection, derivedId, detectionKind, encodeMessage, formatTopic } from '@vitalwire/contract';
import type { DurablePublisher, Log } from '@vitalwire/runtime';
import type { TimedWindow } from './recording-windows.ts';
import type { ModelFacts } from './scoring/protocol.ts';

/** The recording a window belongs to. */
export type Subject = { readonly recordingId: string; readonly gateway: string; readonly device: string };

/** How a window came to be scored: from what was received and committed, provisionally, or from storage. */
export type Origin = 'durable' | 'live' | 'catch-up';

export type DetectionsOptions = {
  readonly model: Pick<ModelFacts, 'modelHash' | 'modelVersion'>;
  readonly publisher: Pick<DurablePublisher, 'publish' | 'publishLive'>;
  readonly log: Log;
  readonly onDetection: (detection: Detection, origin: Origin) => void;
};

/** Publishes what was found, at most once at a time for each window. */
export class Detections {
  readonly #options: DetectionsOptions;
  readonly #onTheWay = new Set<string>();

  constructor(options: DetectionsOptions) {
    this.#options = options;
  }

  /** Detections published and not yet acknowledged. */
  get onTheWay(): number {
    return this.#onTheWay.size;
  }

  isOnTheWay(recordingId: string, window: number): boolean {
    return this.#onTheWay.has(`${recordingId}/${window}`);
  }

  /** Resolves when the detection is committed; false if it was not published: the next sweep finds the window again. */
  async publish(subject: Subject, window: TimedWindow, origin: 'durable' | 'catch-up'): Promise<boolean> {
    const key = `${subject.recordingId}/${window.window}`;
    if (this.#onTheWay.has(key)) return true;
    this.#onTheWay.add(key);
    try {
      const detection = this.#detectionOf(subject, window);
      await this.#options.publisher.publish(formatTopic(subject.gateway, subject.device, 'detection'), encodeMessage(detection));
      this.#options.onDetection(detection, origin);
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

  /** Shown, never stored: its window, or something before it, is not known to be committed. */
  publishProvisional(subject: Subject, window: TimedWindow): void {
    const detection = this.#detectionOf(subject, window);
    this.#options.publisher.publishLive(formatTopic(subject.gateway, subject.device, 'detection', true), encodeMessage(detection));
    this.#options.onDetection(detection, 'live');
  }

  #detectionOf({ recordingId, gateway, device }: Subject, { window, ...found }: TimedWindow): Detection {
    const { modelHash, modelVersion } = this.#options.model;
    return {
      stream: 'detection',
      recordingId: derivedId(recordingId, detectionKind(modelHash)),
      seq: window,
      measuredAtUs: found.measuredAtUs,
      clock: found.clock,
      subject: recordingId,
      gateway,
      device,
      channel: found.channel,
      modelHash,
      modelVersion,
      firstSample: found.firstSample,
      samples: found.samples,
      probability: found.probability,
      verdict: found.verdict,
      reason: found.reason,
      baseline: found.baseline,
      channelProbabilities: found.channelProbabilities,
      channelBaselines: found.channelBaselines,
      ...(found.everyS === undefined ? {} : { everyS: found.everyS }),
      fence: 0, // one service, no leases: there is nothing to fence off
    };
  }
}
