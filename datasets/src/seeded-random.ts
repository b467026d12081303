/** A stream of numbers in [0, 1) that depends on the seed words alone: the same on every machine. */
export type Random = () => number;

/** Weyl sequence through a 32-bit mixing function; the words are mixed in one after the other. */
export function seededRandom(...words: readonly number[]): Random {
  let state = 0x243f6a88;
  for (const word of words) state = mix32((state ^ (word >>> 0)) + 0x9e3779b9);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix32(state) >>> 0) / 2 ** 32;
  };
}

/** A shuffled copy. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}

/** An integer from `from` to `to`, both included. */
export function integerBetween(from: number, to: number, random: Random): number {
  return from + Math.floor(random() * (to - from + 1));
}

function mix32(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
