import type { Rate } from '@vitalwire/contract';

/** How samples are cut into windows: window w covers samples w × hop to w × hop + window - 1 of its recording. */
export type WindowShape = { readonly windowSamples: number; readonly hopSamples: number };

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
