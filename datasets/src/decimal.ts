import { limits, type Rate } from '@vitalwire/contract';

/** A number exactly as its decimal text says: units / 10^scale. */
export type Decimal = { readonly units: bigint; readonly scale: number };

const MAX_CHARS = 40;
const MAX_EXPONENT = 30;

/** Reads `-12.50`, `.5`, `5.` and `1e-3`; null when it is none of these. */
export function parseDecimal(text: string): Decimal | null {
  if (text.length > MAX_CHARS) return null;
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return null;
  const power = Number(exponent);
  if (Math.abs(power) > MAX_EXPONENT) return null;
  const units = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
  const scale = fraction.length - power;
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 };
}

/** Seconds as µs, rounded half away from zero; null when that is no safe integer. */
export function toMicros({ units, scale }: Decimal): number | null {
  const micros = divideRounded(units * 1_000_000n, 10n ** BigInt(scale));
  const value = Number(micros);
  return Number.isSafeInteger(value) ? value : null;
}

export function toNumber({ units, scale }: Decimal): number {
  return Number(`${units}e${-scale}`); // one rounding, from the decimal text
}

/** The decimal text without needless digits: 1, 0.5, -12.25. */
export function decimalText({ units, scale }: Decimal): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '');
  return `${units < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A fraction as a rate. Where its parts are too large for the wire it is the closest smaller fraction, and `exact` is false. */
export function rateOf(num: bigint, den: bigint): { readonly rate: Rate; readonly exact: boolean } {
  const divisor = gcd(num, den);
  const reduced = { num: num / divisor, den: den / divisor };
  const max = BigInt(limits.maxRatePart);
  if (reduced.num <= max && reduced.den <= max) return { rate: asRate(reduced), exact: true };
  return { rate: closestWithin(reduced.num, reduced.den, max), exact: false };
}

export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

function divideRounded(num: bigint, den: bigint): bigint {
  const doubled = 2n * (num < 0n ? -num : num) + den;
  const rounded = doubled / (2n * den);
  return num < 0n ? -rounded : rounded;
}

/** The last convergent of the continued fraction whose parts stay within `max`. */
function closestWithin(num: bigint, den: bigint, max: bigint): Rate {
  let [before, last] = [
    { num: 0n, den: 1n },
    { num: 1n, den: 0n },
  ];
  let [n, d] = [num, den];
  while (d !== 0n) {
    const whole = n / d;
    const next = { num: whole * last.num + before.num, den: whole * last.den + before.den };
    if (next.num > max || next.den > max) break;
    [before, last] = [last, next];
    [n, d] = [d, n % d];
  }
  if (last.den === 0n) return { num: Number(max), den: 1 }; // faster than the wire can say
  if (last.num === 0n) return { num: 1, den: Number(max) };
  return asRate(last);
}

function asRate({ num, den }: { num: bigint; den: bigint }): Rate {
  return { num: Number(num), den: Number(den) };
}
