import type { FetchProgress } from '@vitalwire/datasets';
import { type Io, noteLine, redrawNote } from './io.ts';
import { bytesText } from './text.ts';

const REDRAW_EVERY_MS = 100;
const BAR_CELLS = 16;

/** Shows a fetch on stderr: one line with a bar that is drawn again on a terminal, a line per file elsewhere. */
export class FetchView {
  readonly #io: Io;
  readonly #startedMs: number;
  readonly #reading = new Map<string, { bytes: number; from: number; totalBytes: number | null }>();
  #doneBytes = 0;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(io: Io) {
    this.#io = io;
    this.#startedMs = io.clock.monotonicMs();
  }

  take(progress: FetchProgress): void {
    const { path, state, bytes, totalBytes } = progress;
    if (state === 'reading') {
      const from = this.#reading.get(path)?.from ?? bytes; // what an earlier call left counts for no speed
      this.#reading.set(path, { bytes, from, totalBytes });
    } else {
      const read = this.#reading.get(path);
      this.#reading.delete(path);
      if (state === 'fetched') this.#doneBytes += bytes - (read?.from ?? 0);
    }
    if (this.#io.isTerminal) this.#draw(progress, state !== 'reading');
    else if (state !== 'reading')
      noteLine(this.#io, `${progress.filesDone}/${progress.filesWanted} ${path} ${words[state]}, ${bytesText(bytes)}`);
  }

  /** Takes the bar away, so that the answer stands alone. */
  end(): void {
    if (this.#drawn) redrawNote(this.#io, '');
    this.#drawn = false;
  }

  #draw(progress: FetchProgress, atOnce: boolean): void {
    const now = this.#io.clock.monotonicMs();
    if (!atOnce && now - this.#drawnMs < REDRAW_EVERY_MS) return;
    this.#drawnMs = now;
    this.#drawn = true;
    redrawNote(this.#io, progressLine(progress, this.#reading.get(progress.path)?.totalBytes ?? null, this.#bytesPerSecond(now)));
  }

  #bytesPerSecond(now: number): number {
    const reading = [...this.#reading.values()].reduce((sum, { bytes, from }) => sum + bytes - from, 0);
    return ((this.#doneBytes + reading) * 1_000) / Math.max(1, now - this.#startedMs);
  }
}

const words = { fetched: 'fetched', there: 'is there already', failed: 'failed' } as const;

/** `[######......] 12/40 files · 3.1 MB/s · chb01/chb01_03.edf 45 % of 42.4 MB`, at most 78 columns. */
export function progressLine(
  { path, bytes, filesDone, filesWanted }: FetchProgress,
  totalBytes: number | null,
  bytesPerSecond: number,
): string {
  const share = totalBytes === null || totalBytes === 0 ? 0 : bytes / totalBytes;
  const cells = Math.round(((filesDone + Math.min(1, share)) / filesWanted) * BAR_CELLS);
  const bar = '#'.repeat(Math.min(BAR_CELLS, cells)).padEnd(BAR_CELLS, '.');
  const one = totalBytes === null ? bytesText(bytes) : `${Math.floor(share * 100)} % of ${bytesText(totalBytes)}`;
  const line = `[${bar}] ${filesDone}/${filesWanted} files · ${bytesText(bytesPerSecond)}/s · `;
  const room = Math.max(8, 78 - line.length - one.length - 1);
  return `${line}${path.length > room ? `…${path.slice(-room + 1)}` : path} ${one}`;
}
