import type { ChannelScale, EegChunk } from '@vitalwire/contract';
import { chooseHalfRange, Sweep } from './sweep.ts';
import { gainOf } from './units.ts';

export const PAGE_SECONDS = 10;
/** A little more than a page of chunks is kept, so that a new width can be drawn from what is known. */
const KEEP_SECONDS = PAGE_SECONDS + 2;
const MAX_CHUNKS = 2_000;
/** Without news for this long the erase bar moves on by the clock: the stretch stays empty. */
const SILENT_MS = 1_500;
const REBASE_US = 1_000_000;

type Kept = { readonly chunk: EegChunk; readonly startUs: number };

/** One device's EEG on one strip: keeps the last page, draws one channel of it in physical units if the scale is known. */
export class EegTrace {
  #columns: number;
  #sweep: Sweep;
  #kept: Kept[] = [];
  #channel = 0;
  #scales: readonly ChannelScale[] | null = null;
  #montageHash: string | null = null;
  #halfRange: number | null = null;
  #base: { recordingId: string; us: number } | null = null;
  #newest: { recordingId: string; firstSample: number } | null = null;
  #lastNewMs = 0;

  constructor(columns: number) {
    this.#columns = columns;
    this.#sweep = new Sweep(columns, PAGE_SECONDS);
  }

  get sweep(): Sweep {
    return this.#sweep;
  }

  get channel(): number {
    return this.#channel;
  }

  get channels(): number {
    return this.#kept.at(-1)?.chunk.channels ?? 0;
  }

  /** The montage of what is drawn; its scales are asked for by hash. */
  get montageHash(): string | null {
    return this.#montageHash;
  }

  get hasScales(): boolean {
    return this.#scales !== null;
  }

  /** What the strip is labelled with: channel, half range and unit. Without a scale the numbers are the device's own counts. */
  get caption(): { label: string; halfRange: number; unit: string } {
    const scale = this.#scales?.[this.#channel];
    return { label: this.labelOf(this.#channel), halfRange: this.halfRange(), unit: scale?.unit ?? 'counts' };
  }

  /** What a channel is called in its montage; its number while that is not known. */
  labelOf(channel: number): string {
    return this.#scales?.[channel]?.label ?? `channel ${channel + 1}`;
  }

  halfRange(): number {
    this.#halfRange = chooseHalfRange(this.#halfRange, this.#sweep.peak());
    return this.#halfRange;
  }

  take(chunk: EegChunk, nowMs: number): void {
    if (chunk.montageHash !== this.#montageHash) {
      this.#montageHash = chunk.montageHash;
      this.#scales = null;
      this.#halfRange = null;
      this.#kept = [];
      this.#redraw();
    }
    const kept = { chunk, startUs: this.#place(chunk) };
    if (this.#isSetBack(kept)) {
      this.#kept = [];
      this.#redraw();
    }
    const before = this.#sweep.lastUs();
    this.#kept.push(kept);
    this.#draw(kept);
    const after = this.#sweep.lastUs();
    if (after !== null && (before === null || after > before)) this.#lastNewMs = nowMs;
    this.#forget();
  }

  useScales(montageHash: string, scales: readonly ChannelScale[]): void {
    if (montageHash !== this.#montageHash || this.#scales !== null) return;
    this.#scales = scales;
    this.#halfRange = null;
    this.#redraw();
  }

  useChannel(channel: number): void {
    if (channel === this.#channel || channel < 0) return;
    this.#channel = channel;
    this.#halfRange = null;
    this.#redraw();
  }

  /** Another patient, or a fresh start. */
  clear(): void {
    this.#kept = [];
    this.#scales = null;
    this.#montageHash = null;
    this.#halfRange = null;
    this.#base = null;
    this.#newest = null;
    this.#channel = 0;
    this.#redraw();
  }

  resize(columns: number): void {
    if (columns === this.#columns) return;
    this.#columns = columns;
    this.#redraw();
  }

  /** Moves the erase bar on while nothing arrives. True when that changed the picture. */
  tick(nowMs: number): boolean {
    const lastUs = this.#sweep.lastUs();
    const silentMs = nowMs - this.#lastNewMs;
    if (lastUs === null || silentMs < SILENT_MS) return false;
    this.#sweep.advanceTo(lastUs + silentMs * 1000);
    return silentMs < (PAGE_SECONDS + 1) * 1000;
  }

  // Sample indexes place chunks of a recording exactly; the clock only says where the recording lies.
  #place(chunk: EegChunk): number {
    const intervalUs = intervalOf(chunk);
    const ownBase = chunk.measuredAtUs - chunk.firstSample * intervalUs;
    if (this.#base?.recordingId !== chunk.recordingId || Math.abs(this.#base.us - ownBase) > REBASE_US) {
      this.#base = { recordingId: chunk.recordingId, us: ownBase };
    }
    return this.#base.us + chunk.firstSample * intervalUs;
  }

  // Later by its samples, earlier by its time: the clock was set back. What was drawn ahead of it would keep the strip empty until then.
  #isSetBack({ chunk: { recordingId, firstSample }, startUs }: Kept): boolean {
    const newest = this.#newest;
    const isSame = newest?.recordingId === recordingId;
    if (isSame && firstSample <= newest.firstSample) return false;
    this.#newest = { recordingId, firstSample };
    const lastUs = this.#sweep.lastUs();
    return isSame && lastUs !== null && startUs < lastUs - REBASE_US;
  }

  #draw({ chunk, startUs }: Kept): void {
    const { samplesPerChannel } = chunk;
    const channel = Math.min(this.#channel, chunk.channels - 1);
    const digital = chunk.samples.subarray(channel * samplesPerChannel, (channel + 1) * samplesPerChannel);
    const scale = this.#scales?.[channel];
    const line = scale === undefined ? null : gainOf(scale);
    const values = line === null ? digital : Float64Array.from(digital, (value) => value * line.gain + line.offset);
    this.#sweep.push(startUs, intervalOf(chunk), values);
  }

  #redraw(): void {
    this.#sweep = new Sweep(this.#columns, PAGE_SECONDS);
    for (const kept of this.#kept.toSorted((a, b) => a.startUs - b.startUs)) this.#draw(kept);
  }

  #forget(): void {
    const lastUs = this.#sweep.lastUs();
    if (lastUs === null) return;
    if (this.#kept.length > MAX_CHUNKS) this.#kept.splice(0, this.#kept.length - MAX_CHUNKS);
    const oldest = this.#kept[0];
    if (oldest !== undefined && oldest.startUs < lastUs - KEEP_SECONDS * 1e6) {
      this.#kept = this.#kept.filter((kept) => kept.startUs >= lastUs - KEEP_SECONDS * 1e6);
    }
  }
}

function intervalOf(chunk: EegChunk): number {
  return (chunk.rate.den / chunk.rate.num) * 1e6;
}
