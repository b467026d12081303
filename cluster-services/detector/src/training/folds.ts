import { seededRandom, shuffled } from './seeded-random.ts';

/** What folds need of an item: its name is unique, its group is spread evenly over the folds. */
export type Foldable = { readonly name: string; readonly group: string };

/** Which fold each item is in, by name. Every group is dealt out evenly, so that no fold lacks a kind of recording. */
export function stratifiedFolds(items: readonly Foldable[], folds: number, seed: number): Map<string, number> {
  const random = seededRandom(seed);
  const fold = new Map<string, number>();
  let deal = 0; // carried from group to group, so that the first folds do not get every remainder
  for (const group of new Set(items.map((item) => item.group))) {
    for (const { name } of shuffled(
      items.filter((item) => item.group === group),
      random,
    )) {
      fold.set(name, deal++ % folds);
    }
  }
  return fold;
}
