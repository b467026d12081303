/**
 * Functions made of additions, multiplications, divisions and square roots alone. Those are exact to the last bit in every engine and on every
 * processor; the language's own sine and exponential are not, and one count of difference would break "same seed, same bytes".
 */

/** The sine of a whole number of turns and its fraction: sine(0.25) = 1. Good to 1e-9. */
export function sine(turns: number): number {
  let rest = turns - Math.floor(turns + 0.5); // -0.5 to 0.5
  if (rest > 0.25) rest = 0.5 - rest;
  else if (rest < -0.25) rest = -0.5 - rest;
  const x = rest * 2 * Math.PI;
  const s = x * x;
  return x * (1 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s * (1 / 362880 + s * (-1 / 39916800 + s * (1 / 6227020800)))))));
}

export function cosine(turns: number): number {
  return sine(turns + 0.25);
}

/** 0 up to `from`, 1 from `to` on, smooth between. */
export function ramp(value: number, from: number, to: number): number {
  if (value <= from) return 0;
  if (value >= to) return 1;
  const x = (value - from) / (to - from);
  return x * x * (3 - 2 * x);
}

/** A bell of height 1 and this standard deviation, for a distance from its middle; a power of a parabola instead of an exponential. */
export function bell(distance: number, deviation: number): number {
  const x = 1 - (distance * distance) / (16 * deviation * deviation);
  if (x <= 0) return 0;
  const x2 = x * x;
  const x4 = x2 * x2;
  return x4 * x4;
}

/** 1 at 0, falling like an exponential with this time constant; 0 before. */
export function decay(time: number, constant: number): number {
  if (time < 0) return 0;
  const x = 1 / (1 + time / (8 * constant));
  const x2 = x * x;
  const x4 = x2 * x2;
  return x4 * x4;
}
