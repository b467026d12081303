import { expect, test } from 'vitest';
import { KnownIdentities } from './known-identities.ts';

test('at the limit the oldest is forgotten, never the newest', () => {
  const known = new KnownIdentities(3);
  for (const id of ['a', 'b', 'c', 'd']) known.add(id);
  expect(['a', 'b', 'c', 'd'].map((id) => known.has(id))).toEqual([false, true, true, true]);
  known.clear();
  expect(known.has('d')).toBe(false);
});
