/** A 32-bit word from a seed and where it is wanted: the same on every machine, and any one of them without the ones before. */
export function hashWord(...parts: readonly number[]): number {
  let word = 0x9e3779b9;
  for (const part of parts) {
    word = scramble(word ^ (part | 0));
    const high = Math.floor(part / 4_294_967_296); // positions may be longer than 32 bits
    if (high !== 0) word = scramble(word ^ (high | 0));
  }
  return word >>> 0;
}

/** 0 to 1 (not included). */
export function hashShare(...parts: readonly number[]): number {
  return hashWord(...parts) / 4_294_967_296;
}

/** Noise of mean 0 and variance 1, nearly normal (the sum of four even ones). `word` is from `hashWord`. */
export function hashNormal(word: number): number {
  const other = scramble(word ^ 0x5bd1e995);
  const sum = (word & 0xffff) + (word >>> 16) + (other & 0xffff) + (other >>> 16);
  return (sum / 65_535 - 2) * Math.sqrt(3);
}

// The finaliser of MurmurHash3: every bit of the input moves every bit of the output.
function scramble(value: number): number {
  let word = value;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
