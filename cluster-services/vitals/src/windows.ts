import type { Rate } from '@vitalwire/contract';

/** How samples are cut into windows: window w covers samples w × hop to w × hop + window - 1 of its recording. */
export type WindowShape = { readonly windowSamples: number; readonly hopSamples: number };

/** The shape of this release's model: 178 samples, 1.025 s at 173.61 Hz, no overlap. */
export const bonnWindows: WindowShape = { windowSamples: 178, hopSamples: 178 };

/**
 * The detector's windows at a recording's own rate: 4 s every second, the hop rounded to whole samples and the window four hops, so that
 * a window's index is its first sample divided by the hop. 256 Hz: 1024 every 256; 173.61 Hz: 696 every 174.
 */
export function windowShapeFor(rate: Rate): WindowShape {
  const hopSamples = Math.max(1, Math.round(rate.num / rate.den));
  return { windowSamples: 4 * hopSamples, hopSamples };
}

/** Windows from..to, both included; empty when to < from. */
export type WindowRange = { readonly fromWindow: number; readonly toWindow: number };

export function firstSampleOf(window: number, shape: WindowShape): number {
  return window * shape.hopSamples;
}

/** The windows that lie wholly inside samples fromSample..toSample (the last not included). */
export function windowsInside(fromSample: number, toSample: number, shape: WindowShape): WindowRange {
  return {
    fromWindow: Math.ceil(Math.max(0, fromSample) / shape.hopSamples),
    toWindow: Math.floor((toSample - shape.windowSamples) / shape.hopSamples),
  };
}

/** The window whose centre is nearest before or at `sample`: the one that speaks for that moment. */
export function windowAt(sample: number, shape: WindowShape): number {
  return Math.max(0, Math.floor((sample - (shape.windowSamples - shape.hopSamples) / 2) / shape.hopSamples));
}

/** A complete window of one recording, one array per channel. */
export type CutWindow = { readonly window: number; readonly firstSample: number; readonly channels: readonly Float64Array[] };

/**
 * Cuts consecutive samples of one recording into windows. Feed stretches in order; one that does not join the last is a hole: what
 * stood open before it is dropped, never bridged. Holds less than one window of samples.
 */
export class WindowCutter {
  readonly #shape: WindowShape;
  #held: Float64Array[] = [];
  #heldFrom = 0; // the recording's index of the first held sample

  constructor(shape: WindowShape) {
    this.#shape = shape;
  }

  /** The sample that would join what is held. */
  get nextSample(): number {
    return this.#heldFrom + (this.#held[0]?.length ?? 0);
  }

  /** Adds samples (physical units, one array per channel, equal lengths) and returns the windows they complete. */
  push(firstSample: number, channels: readonly Float64Array[]): CutWindow[] {
    const joins = this.#held.length === channels.length && firstSample === this.nextSample;
    if (!joins) {
      this.#held = channels.map(() => new Float64Array(0));
      this.#heldFrom = firstSample;
    }
    this.#held = this.#held.map((held, index) => joined(held, channels[index] ?? new Float64Array(0)));
    return this.#cut();
  }

  #cut(): CutWindow[] {
    const { windowSamples, hopSamples } = this.#shape;
    const { fromWindow, toWindow } = windowsInside(this.#heldFrom, this.nextSample, this.#shape);
    const windows: CutWindow[] = [];
    for (let window = fromWindow; window <= toWindow; window++) {
      const firstSample = window * hopSamples;
      const at = firstSample - this.#heldFrom;
      windows.push({ window, firstSample, channels: this.#held.map((held) => held.slice(at, at + windowSamples)) });
    }
    this.#forgetBefore(Math.max(fromWindow, toWindow + 1) * hopSamples);
    return windows;
  }

  #forgetBefore(sample: number): void {
    const drop = Math.min(Math.max(0, sample - this.#heldFrom), this.#held[0]?.length ?? 0);
    this.#held = this.#held.map((held) => held.slice(drop));
    this.#heldFrom += drop;
  }
}

function joined(left: Float64Array, right: Float64Array): Float64Array {
  const both = new Float64Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
