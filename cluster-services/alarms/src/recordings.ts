import type { NumericKind, Rate, ReplayMark } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/runtime';
import type { WatchedStream } from '@vitalwire/vitals';

/** What alarms need to know of a recording; null where nobody has said it yet. */
export type KnownRecording = {
  readonly device: string;
  readonly stream: WatchedStream | null; // null: another stream, or not known
  readonly rate: Rate | null;
  readonly replay: ReplayMark | null;
  readonly labels: readonly string[]; // of its channels, once its start record is known
  readonly captureId: string | null;
  readonly kind: NumericKind | null;
  readonly isComplete: boolean; // its start record is known, so the replay mark is
  readonly isEnded: boolean;
};

/** Of a replay: which one, for another of the same file has a time of its own. '' = the device itself. */
export function takeOf({ replay, captureId }: KnownRecording): string {
  return replay === null ? '' : (captureId ?? '');
}

/** Beyond it the recording unheard for longest is forgotten, and asked of storage when it is heard of again. */
const MAX_RECORDINGS = 8_192;

/** The recordings heard of lately. */
export class KnownRecordings {
  readonly #known = new RecentMap<string, KnownRecording>(MAX_RECORDINGS); // last = heard last

  get(recordingId: string): KnownRecording | null {
    return this.#known.get(recordingId) ?? null;
  }

  /** Adds what is new to what is known. */
  learn(recordingId: string, facts: Partial<KnownRecording> & { readonly device: string }): KnownRecording {
    const before = this.#known.get(recordingId);
    const empty = { stream: null, rate: null, replay: null, captureId: null, labels: [], kind: null, isComplete: false, isEnded: false };
    const known = { ...empty, ...before, ...facts };
    this.#known.renew(recordingId, known);
    return known;
  }
}
