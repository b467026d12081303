import { setTimeout as sleep } from 'node:timers/promises';

/** Something that can be killed at once and says how. */
export type Victim = { readonly name: string; kill(): Promise<void> };

/** Numbers in 0..1 from a seed, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Kills until every victim has been hit `rounds` times, in a seeded random order with seeded random pauses, so that the
 * moments fall everywhere: in a commit, in a start, in a reconnect. Returns the names in the order of their deaths.
 */
export async function killAtRandomMoments(
  victims: readonly Victim[],
  rounds: number,
  random: () => number,
  pauseMs: readonly [number, number],
): Promise<string[]> {
  const left = victims.flatMap((victim) => Array.from({ length: rounds }, () => victim));
  const killed: string[] = [];
  while (left.length > 0) {
    await sleep(pauseMs[0] + random() * (pauseMs[1] - pauseMs[0]));
    const [victim] = left.splice(Math.floor(random() * left.length), 1);
    if (victim === undefined) break;
    await victim.kill();
    killed.push(victim.name);
  }
  return killed;
}
