import type { ReplayMark } from '@vitalwire/contract';

const maxRecordingMarks = 20_000;

/** Which recordings are replays, by their start records: null is none, and undefined that its start record was not seen. */
export class RecordingMarks {
  readonly #marks = new Map<string, ReplayMark | null>();

  /** Returns whether this was news. */
  learn(recordingId: string, mark: ReplayMark | null): boolean {
    const known = this.#marks.get(recordingId);
    const isNews = known === undefined || known?.speed !== mark?.speed || known?.source !== mark?.source;
    this.#marks.delete(recordingId); // the newest last
    if (this.#marks.size >= maxRecordingMarks) {
      const oldest = this.#marks.keys().next();
      if (!oldest.done) this.#marks.delete(oldest.value);
    }
    this.#marks.set(recordingId, mark);
    return isNews;
  }

  of(recordingId: string): ReplayMark | null | undefined {
    return this.#marks.get(recordingId);
  }
}
