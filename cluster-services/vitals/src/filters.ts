/** A second-order section: y = b0 x + b1 x[-1] + b2 x[-2] - a1 y[-1] - a2 y[-2]. */
export type Section = { readonly b0: number; readonly b1: number; readonly b2: number; readonly a1: number; readonly a2: number };

/**
 * Butterworth low-pass of even order as second-order sections, by the bilinear transform with the corner pre-warped
 * (Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 7; the same numbers as scipy.signal.butter).
 */
export function lowPass(order: number, cornerHz: number, rateHz: number): Section[] {
  return qualities(order).map((quality) => {
    const { cos, alpha } = cornerOf(cornerHz, rateHz, quality);
    return section((1 - cos) / 2, 1 - cos, (1 - cos) / 2, cos, alpha);
  });
}

/** Butterworth high-pass of even order. */
export function highPass(order: number, cornerHz: number, rateHz: number): Section[] {
  return qualities(order).map((quality) => {
    const { cos, alpha } = cornerOf(cornerHz, rateHz, quality);
    return section((1 + cos) / 2, -(1 + cos), (1 + cos) / 2, cos, alpha);
  });
}

/** A notch; `quality` = centre over the width at -3 dB. */
export function notch(centreHz: number, quality: number, rateHz: number): Section[] {
  const { cos, alpha } = cornerOf(centreHz, rateHz, quality);
  return [section(1, -2 * cos, 1, cos, alpha)];
}

/**
 * `signal` through the sections, one after the other, as if it had stood at its first value for ever before: an offset makes no
 * transient. The signal is changed in place and returned.
 */
export function filterInPlace(sections: readonly Section[], signal: Float64Array): Float64Array {
  for (const { b0, b1, b2, a1, a2 } of sections) {
    const first = signal[0] ?? 0;
    const still = (first * (b0 + b1 + b2)) / (1 + a1 + a2); // the section's answer to a constant
    // Transposed direct form II: two states per section.
    let s1 = still - b0 * first;
    let s2 = b2 * first - a2 * still;
    for (let index = 0; index < signal.length; index++) {
      const x = signal[index] as number;
      const y = b0 * x + s1;
      s1 = b1 * x - a1 * y + s2;
      s2 = b2 * x - a2 * y;
      signal[index] = y;
    }
  }
  return signal;
}

/** Pole qualities of a Butterworth filter of even order. */
function qualities(order: number): number[] {
  if (order < 2 || order % 2 !== 0) throw new RangeError(`a Butterworth filter here has an even order, not ${order}`);
  return Array.from({ length: order / 2 }, (_, pair) => 1 / (2 * Math.sin((Math.PI * (2 * pair + 1)) / (2 * order))));
}

function cornerOf(hertz: number, rateHz: number, quality: number): { cos: number; alpha: number } {
  const angle = (2 * Math.PI * hertz) / rateHz;
  return { cos: Math.cos(angle), alpha: Math.sin(angle) / (2 * quality) };
}

function section(b0: number, b1: number, b2: number, cos: number, alpha: number): Section {
  const a0 = 1 + alpha;
  return { b0: b0 / a0, b1: b1 / a0, b2: b2 / a0, a1: (-2 * cos) / a0, a2: (1 - alpha) / a0 };
}
