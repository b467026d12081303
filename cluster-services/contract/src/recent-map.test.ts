import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentMap } from './recent-map.ts';

test('beyond the limit the entry that was not renewed for longest is forgotten, and whoever asked is told', () => {
  const forgotten: unknown[] = [];
  const map = new RecentMap<string, number>(2, (...entry) => forgotten.push(entry));
  map.renew('a', 1).renew('b', 2).renew('a', 3).renew('c', 4);
  expect([...map]).toEqual([
    ['a', 3],
    ['c', 4],
  ]);
  expect(forgotten).toEqual([['b', 2]]);
});

test('what is set again keeps its place, and is forgotten by when it came first', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
  expect([...map.keys()]).toEqual(['b', 'c']);
});

test('it never holds more than its limit, always the newest, and says goodbye to each of the others once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(20), { maxLength: 200 }), (limit, keys) => {
      const forgotten: number[] = [];
      const map = new RecentMap<number, number>(limit, (_key, at) => forgotten.push(at));
      for (const [at, key] of keys.entries()) map.renew(key, at);
      const newest = [...new Set(keys.toReversed())].slice(0, limit).toReversed();
      expect([...map.keys()]).toEqual(newest);
      expect(new Set(forgotten).size).toBe(forgotten.length);
      expect(forgotten.some((at) => [...map.values()].includes(at))).toBe(false);
    }),
  );
});
