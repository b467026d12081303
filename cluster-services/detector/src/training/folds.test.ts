import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stratifiedFolds } from './folds.ts';

test('every segment is in exactly one fold, groups and folds are even, and the seed decides', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 2, max: 6 }),
      fc.integer(),
      (sizes, folds, seed) => {
        const items = sizes.flatMap((size, group) =>
          Array.from({ length: size }, (_, index) => ({ name: `${group}-${index}`, group: String(group) })),
        );
        const foldOf = stratifiedFolds(items, folds, seed);
        expect(foldOf.size).toBe(items.length);
        expect(foldOf).toEqual(stratifiedFolds(items, folds, seed));
        const sizesOf = (of: typeof items) =>
          Array.from({ length: folds }, (_, fold) => of.filter(({ name }) => foldOf.get(name) === fold).length);
        for (const some of [items, ...sizes.map((_, group) => items.filter((item) => item.group === String(group)))]) {
          const counts = sizesOf(some);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});
