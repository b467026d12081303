import {
  type ChannelScale,
  checkTopic,
  type DeviceOwners,
  decodeMessage,
  type EegChunk,
  parseTopic,
  type RecordingStart,
} from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';
import type { Detections, Subject } from './detections.ts';
import type { KnownLevels } from './known-levels.ts';
import type { Montages } from './montages.ts';
import { RecordingWindows, type TimedWindow } from './recording-windows.ts';
import type { ScoringPool } from './scoring/pool.ts';

/** Recordings whose state is kept (some MB of a worker each); beyond it the one unheard for longest goes and is caught up from storage. */
const MAX_RECORDINGS = 512;
/** Chunks kept of each recording while storage is read, so that what is read meets what is received: some 16 s. */
const RECENT_CHUNKS = 64;
/** Live channel seconds that may wait when they come faster than they can be scored: some 5 s of work and 16 MB. */
export const MAX_WAITING_LIVE = 32_768;
/** The newest windows of a recording that was heard so lately are on their way: nobody looks for them in storage yet. */
const FRESH_WINDOWS = 10;
const FRESH_MS = 5_000;

export type ReceptionOptions = {
  readonly pool: Pick<ScoringPool, 'open' | 'waitingLive'>;
  readonly montages: Montages;
  readonly detections: Pick<Detections, 'publish' | 'publishProvisional'>;
  /** What each device was compared with last. */
  readonly levels: KnownLevels;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Whose each device is: nothing else is judged. */
  readonly owners: Pick<DeviceOwners, 'admits'>;
  /** Some window of this recording cannot come from what was received: it has to be read from storage. */
  readonly onMissed: (recordingId: string, why: MissedWhy) => void;
  readonly onUnreadable: () => void;
  /** A message of another gateway than the device's own. */
  readonly onForeign: () => void;
  readonly onFailed: (error: unknown) => void;
};

/**
 * Why storage has to be asked: seqs are missing, an old one came, it was joined on the way, its scale is unknown, it is over, more came
 * than could be scored, its worker died.
 */
export type MissedWhy = 'hole' | 'late' | 'joined' | 'montage' | 'ended' | 'behind' | 'worker-lost';

/** What of a recording is to be read from storage so that received chunks can follow. */
export type Missing = 'nothing' | 'all' | { readonly windows: RecordingWindows; readonly fromSeq: number };

/** What catching up and reception have to agree on about the recordings that are being received. */
export interface Followed {
  /** null: nothing was received of it lately. */
  missing(recordingId: string): Missing | null;
  /** From this window on received chunks give the detections; null: from none. */
  freshFrom(recordingId: string): number | null;
  /** Hands over what was read up to `nextSeq`; false: newer chunks than those were received, which still have to be read. */
  follow(recordingId: string, windows: RecordingWindows, nextSeq: number): boolean;
}

type Lane = { readonly windows: RecordingWindows; nextSeq: number };
/** `inStep`: the next committed chunk can be pushed as it comes; else storage has to be read first. */
type Following = Lane & { inStep: boolean };
/** Of a blank one nothing was known when it began: it is compared with the population until it knows its own usual. */
type LiveLane = Lane & { isBlank: boolean };
type Received = {
  readonly subject: Subject;
  start: RecordingStart | null;
  following: Following | null;
  live: LiveLane | null; // provisional: ahead of what is committed, or while what came before is being read
  recent: EegChunk[];
  heardMs: number;
};

/** Turns received chunks into scored windows: committed ones in seq order, provisional ones as they come. */
export class Reception implements Followed {
  readonly #options: ReceptionOptions;
  readonly #recordings = new Map<string, Received>(); // last in the map = heard last
  readonly #levels: KnownLevels;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#levels = options.levels;
  }

  get recordings(): number {
    return this.#recordings.size;
  }

  /** One MQTT message. Scoring happens elsewhere, so that reading goes on. */
  receive(topicText: string, payload: Uint8Array): void {
    const topic = parseTopic(topicText);
    const decoded = decodeMessage(payload);
    if (!topic.ok || !decoded.ok || !checkTopic(decoded.value, topic.value).ok) {
      this.#options.onUnreadable();
      return;
    }
    if (!this.#options.owners.admits(topic.value, decoded.value)) {
      this.#options.onForeign();
      return;
    }
    const message = decoded.value;
    const { gateway, device, live } = topic.value;
    if (message.stream === 'eeg') this.#receiveChunk({ recordingId: message.recordingId, gateway, device }, message, live);
    else if (message.stream === 'recording' && message.kind === 'start') this.#learn(message, live);
    // An end that is not committed yet ends nothing: the committed chunks are still to come.
    else if (message.stream === 'recording' && !live) this.#end(message.subject);
  }

  missing(recordingId: string): Missing | null {
    const received = this.#recordings.get(recordingId);
    if (received === undefined) return null;
    const { following } = received;
    if (following === null || following.windows.isLost) return 'all';
    return following.inStep ? 'nothing' : { windows: following.windows, fromSeq: following.nextSeq };
  }

  freshFrom(recordingId: string): number | null {
    const received = this.#recordings.get(recordingId);
    if (received === undefined || received.following === null) return null;
    if (this.#options.clock.monotonicMs() - received.heardMs > FRESH_MS) return null;
    return Math.max(0, received.following.windows.nextWindow - FRESH_WINDOWS);
  }

  follow(recordingId: string, windows: RecordingWindows, nextSeq: number): boolean {
    const received = this.#recordings.get(recordingId);
    if (received === undefined) {
      windows.close(); // ended or forgotten meanwhile
      return true;
    }
    if (received.following !== null && received.following.windows !== windows) received.following.windows.close(); // what was lost
    received.following = { windows, nextSeq, inStep: false };
    const newer = received.recent.filter(({ seq }) => seq >= nextSeq);
    if (newer.some(({ seq }, index) => seq !== nextSeq + index)) return false;
    received.following.inStep = true;
    received.recent = [];
    for (const chunk of newer) this.#pushCommitted(received, received.following, chunk);
    return true;
  }

  #learn(start: RecordingStart, live: boolean): void {
    if (start.of !== 'eeg') return;
    this.#options.montages.add(start.channels);
    this.#levels.announced(start);
    if (!live) this.#receivedOf({ recordingId: start.subject, gateway: start.gateway, device: start.device }).start = start;
  }

  #end(recordingId: string): void {
    const received = this.#recordings.get(recordingId);
    if (received === undefined) return;
    this.#forget(recordingId, received);
    this.#options.onMissed(recordingId, 'ended');
  }

  #receiveChunk(subject: Subject, chunk: EegChunk, live: boolean): void {
    const montage = this.#options.montages.get(chunk.montageHash);
    if (montage === undefined) {
      if (!live) this.#options.onMissed(chunk.recordingId, 'montage');
      return;
    }
    // A montage of another size than the chunk has no scale for it: no channel is usable, and the windows say so.
    const scales = montage.length === chunk.channels ? montage : [];
    const received = this.#receivedOf(subject);
    if (live) this.#pushProvisional(received, chunk, scales);
    else this.#receiveCommitted(received, chunk, scales);
  }

  #receiveCommitted(received: Received, chunk: EegChunk, scales: readonly ChannelScale[]): void {
    const { onMissed, pool } = this.#options;
    const { recordingId } = received.subject;
    if (received.following?.windows.isLost === true) {
      received.following = null;
      onMissed(recordingId, 'worker-lost');
    }
    // A recording that has no predecessor depends on nothing but itself.
    if (received.following === null && chunk.seq === 0 && received.start?.predecessor === null)
      received.following = { windows: RecordingWindows.open(pool, recordingId, chunk.rate, scales), nextSeq: 0, inStep: true };
    const { following } = received;
    if (following === null) onMissed(recordingId, 'joined');
    else if (chunk.seq < following.nextSeq) {
      // A resend after a lost acknowledgement, or a chunk that fills a hole: storage knows which, and has it.
      onMissed(recordingId, 'late');
      return;
    } else if (chunk.seq > following.nextSeq && following.inStep) {
      following.inStep = false;
      onMissed(recordingId, 'hole');
    } else if (following.inStep && this.#isTooMuch()) {
      following.inStep = false;
      onMissed(recordingId, 'behind');
    }
    if (following?.inStep === true) this.#pushCommitted(received, following, chunk);
    else {
      received.recent = [...received.recent, chunk].slice(-RECENT_CHUNKS);
      this.#pushProvisional(received, chunk, scales);
    }
  }

  #pushCommitted(received: Received, following: Following, chunk: EegChunk): void {
    const { detections } = this.#options;
    following.nextSeq = chunk.seq + 1;
    if (received.live !== null && received.live.nextSeq <= following.nextSeq) {
      received.live.windows.close();
      received.live = null;
    }
    // In step nothing is unseen: what storage does not have stays a hole.
    this.#scored(received, chunk, following.windows.push(chunk, 'live', { before: 'nothing' }), (window) =>
      window.complete ? detections.publish(received.subject, window, 'durable') : detections.publishProvisional(received.subject, window),
    );
  }

  #pushProvisional(received: Received, chunk: EegChunk, scales: readonly ChannelScale[]): void {
    const { following } = received;
    if (following?.inStep === true && chunk.seq < following.nextSeq) return; // what has come committed is better
    const { live: before } = received;
    // What was usual is known by now, from storage: it counts from here on.
    const isOutdone = before?.isBlank === true && this.#levels.before(received.subject.device, chunk).length > 0;
    if (isOutdone) before.windows.close();
    if (isOutdone || before?.windows.isLost === true) received.live = null;
    received.live ??= this.#liveFrom(received, chunk, scales);
    const { live } = received;
    if (chunk.seq < live.nextSeq || this.#isTooMuch()) return;
    live.nextSeq = chunk.seq + 1;
    this.#scored(received, chunk, live.windows.push(chunk, 'live'), (window) => {
      live.isBlank &&= window.baseline !== 'own';
      this.#options.detections.publishProvisional(received.subject, window);
    });
  }

  /** It goes on where the committed chunks end, with their filters and baseline; or with the baseline alone, as far as one is known. */
  #liveFrom({ subject, following }: Received, chunk: EegChunk, scales: readonly ChannelScale[]): LiveLane {
    if (following?.inStep === true && chunk.seq === following.nextSeq && !following.windows.isLost)
      return { windows: following.windows.fork(), nextSeq: chunk.seq, isBlank: false };
    const recalled = this.#levels.before(subject.device, chunk);
    const windows = RecordingWindows.open(this.#options.pool, subject.recordingId, chunk.rate, scales, recalled);
    return { windows, nextSeq: chunk.seq, isBlank: recalled.length === 0 };
  }

  #scored(received: Received, chunk: EegChunk, pushed: Promise<TimedWindow[]>, publish: (window: TimedWindow) => unknown): void {
    const { onMissed, onFailed } = this.#options;
    pushed
      .then((windows) => {
        this.#levels.scored(received.subject.device, chunk, windows);
        return Promise.all(windows.map(publish));
      })
      .catch((error: unknown) => {
        onMissed(received.subject.recordingId, 'worker-lost');
        onFailed(error);
      });
  }

  /** What is received has no brake of its own. */
  #isTooMuch(): boolean {
    return this.#options.pool.waitingLive >= MAX_WAITING_LIVE;
  }

  #receivedOf(subject: Subject): Received {
    const heardMs = this.#options.clock.monotonicMs();
    const known = this.#recordings.get(subject.recordingId);
    const received = known ?? { subject, start: null, following: null, live: null, recent: [], heardMs };
    received.heardMs = heardMs;
    this.#recordings.delete(subject.recordingId);
    this.#recordings.set(subject.recordingId, received);
    for (const [oldest, forgotten] of this.#recordings) {
      if (this.#recordings.size <= MAX_RECORDINGS) break;
      this.#forget(oldest, forgotten);
    }
    return received;
  }

  #forget(recordingId: string, { following, live }: Received): void {
    this.#recordings.delete(recordingId);
    following?.windows.close();
    live?.windows.close();
  }
}
