import { type ChannelScale, decodeMessage, type EegChunk, parseTopic, type RecordingStart } from '@vitalwire/contract';
import type { Detector } from '@vitalwire/detector';
import type { Detections, Lane, Subject } from './detections.ts';
import type { Montages } from './montages.ts';
import { RecordingWindows, type TimedWindow } from './recording-windows.ts';

/** Recordings whose open window is kept in memory; beyond it the one unheard for longest is dropped and caught up from storage. */
const MAX_RECORDINGS = 4_096;

export type ReceptionOptions = {
  readonly detector: Pick<Detector, 'windowSamples' | 'hopSamples' | 'refusal'>;
  readonly montages: Montages;
  readonly detections: Pick<Detections, 'score'>;
  /** Some window of this recording cannot come from what was received: it has to be read from storage. */
  readonly onMissed: (recordingId: string, why: MissedWhy) => void;
  readonly onUnreadable: () => void;
  readonly onFailed: (error: unknown) => void;
};

/** Why storage has to be asked: seqs are missing, an old one came, it was joined on the way, its scale is unknown, it is over. */
export type MissedWhy = 'hole' | 'late' | 'joined' | 'montage' | 'ended';

type LaneState = { readonly windows: RecordingWindows; nextSeq: number };
type Received = { durable: LaneState | null; live: LaneState | null; durableUpTo: number /* window */ };

/** Turns received chunks into scored windows: committed ones in seq order, provisional ones as they come. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #recordings = new Map<string, Received>(); // last in the map = heard last

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  get recordings(): number {
    return this.#recordings.size;
  }

  /** One MQTT message. Scoring happens later, so that reading goes on. */
  receive(topicText: string, payload: Uint8Array): void {
    const topic = parseTopic(topicText);
    const decoded = decodeMessage(payload);
    if (!topic.ok || !decoded.ok) {
      this.#options.onUnreadable();
      return;
    }
    const message = decoded.value;
    const { gateway, device, live } = topic.value;
    if (message.stream === 'eeg') this.#receiveChunk({ recordingId: message.recordingId, gateway, device }, message, live);
    else if (message.stream === 'recording' && message.kind === 'start') this.#learn(message);
    // An end that is not committed yet ends nothing: the committed chunks are still to come.
    else if (message.stream === 'recording' && !live && this.#recordings.delete(message.subject))
      this.#options.onMissed(message.subject, 'ended');
  }

  #learn({ of, channels }: RecordingStart): void {
    if (of === 'eeg') this.#options.montages.add(channels);
  }

  #receiveChunk(subject: Subject, chunk: EegChunk, live: boolean): void {
    const montage = this.#options.montages.get(chunk.montageHash);
    if (montage === undefined) {
      if (!live) this.#options.onMissed(chunk.recordingId, 'montage');
      return;
    }
    const received = this.#receivedOf(chunk.recordingId);
    if (live) this.#receiveLive(subject, chunk, montage, received);
    else this.#receiveDurable(subject, chunk, montage, received);
  }

  #receiveDurable(subject: Subject, chunk: EegChunk, montage: readonly ChannelScale[], received: Received): void {
    const { onMissed } = this.#options;
    if (received.durable === null) {
      received.durable = this.#laneFrom(chunk, montage);
      if (chunk.seq > 0) onMissed(chunk.recordingId, 'joined');
    }
    const lane = received.durable;
    if (chunk.seq < lane.nextSeq) {
      // A resend after a lost acknowledgement, or a chunk that fills a hole: storage knows which, and has it.
      onMissed(chunk.recordingId, 'late');
      return;
    }
    if (chunk.seq > lane.nextSeq) onMissed(chunk.recordingId, 'hole');
    lane.nextSeq = chunk.seq + 1;
    for (const window of lane.windows.push(chunk)) {
      received.durableUpTo = window.window;
      this.#score(subject, window, 'durable');
    }
  }

  #receiveLive(subject: Subject, chunk: EegChunk, montage: readonly ChannelScale[], received: Received): void {
    received.live ??= this.#laneFrom(chunk, montage);
    if (chunk.seq < received.live.nextSeq) return;
    received.live.nextSeq = chunk.seq + 1;
    for (const window of received.live.windows.push(chunk)) {
      // What has come committed is better than provisional.
      if (window.window > received.durableUpTo) this.#score(subject, window, 'live');
    }
  }

  #score(subject: Subject, window: TimedWindow, lane: Lane): void {
    this.#options.detections.score(subject, window, lane).catch((error: unknown) => this.#options.onFailed(error));
  }

  #receivedOf(recordingId: string): Received {
    const received = this.#recordings.get(recordingId) ?? { durable: null, live: null, durableUpTo: -1 };
    this.#recordings.delete(recordingId);
    this.#recordings.set(recordingId, received);
    for (const oldest of this.#recordings.keys()) {
      if (this.#recordings.size <= MAX_RECORDINGS) break;
      this.#recordings.delete(oldest);
    }
    return received;
  }

  #laneFrom({ seq, rate, channels }: EegChunk, montage: readonly ChannelScale[]): LaneState {
    // A montage of another size than the chunk has no scale for it: no channel is usable, and the windows say so.
    return { windows: new RecordingWindows(this.#options.detector, rate, montage.length === channels ? montage : []), nextSeq: seq };
  }
}
