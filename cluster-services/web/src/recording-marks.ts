import type { ReplayMark } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/runtime';

const maxRecordingMarks = 20_000;

/** Which recordings are replays, by their start records: null is none, and undefined that its start record was not seen. */
export class RecordingMarks {
  readonly #marks = new RecentMap<string, ReplayMark | null>(maxRecordingMarks);

  /** Returns whether this was news. */
  learn(recordingId: string, mark: ReplayMark | null): boolean {
    const known = this.#marks.get(recordingId);
    const isNews = known === undefined || known?.speed !== mark?.speed || known?.source !== mark?.source;
    this.#marks.renew(recordingId, mark);
    return isNews;
  }

  of(recordingId: string): ReplayMark | null | undefined {
    return this.#marks.get(recordingId);
  }
}
