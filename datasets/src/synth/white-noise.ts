/** Mixes words one after the other into a 32-bit word that names a stream of noise. */
export function noiseWord(...words: readonly number[]): number {
  let state = 0x3c6ef372;
  for (const word of words) state = mix((state ^ mix((word | 0) + 0x9e3779b9)) + 0x7f4a7c15);
  return mix(state);
}

/** `count` values of mean 0 and variance 1, almost normal, from `offset` on in `out`: the same for the same word. */
export function fillWhite(out: Float32Array, offset: number, count: number, word: number): void {
  let state = word | 0;
  const end = offset + count;
  for (let index = offset; index < end; index++) {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    out[index] = ((mixed & 255) + ((mixed >>> 8) & 255) + ((mixed >>> 16) & 255) + (mixed >>> 24) - 510) * BYTES_TO_UNIT;
  }
}

/** One value between -1 and 1 for a place in a stream. */
export function noiseAt(word: number, place: number): number {
  return (noiseWord(word, place) >>> 0) / 2 ** 31 - 1;
}

/** A smooth curve through one random value per whole place, between -1 and 1. */
export function smoothNoiseAt(word: number, place: number): number {
  const before = Math.floor(place);
  const x = place - before;
  const weight = x * x * (3 - 2 * x);
  return noiseAt(word, before) * (1 - weight) + noiseAt(word, before + 1) * weight;
}

// The sum of four even bytes has the variance 4 (256² - 1) / 12.
const BYTES_TO_UNIT = 1 / Math.sqrt((4 * (256 * 256 - 1)) / 12);

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
