import { expect, test } from 'vitest';
import { describeGroup, distanceFrom, distanceReferenceOf } from './distance.ts';
import { seededRandom } from './training/seeded-random.ts';

const random = seededRandom(5);
const gaussian = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());

test('two features by hand: the distance is per feature, along the covariance', () => {
  // Covariance [[4, 2], [2, 5]], mean [1, 1]; for d = [2, 1]: d' S⁻¹ d = (5·4 - 2·2·2·1 + 4·1) / 16 = 1.
  const reference = distanceReferenceOf({ limit: 1, groups: [{ name: 'a', mean: [1, 1], covariance: [4, 2, 5] }] });
  expect(distanceFrom(reference, [3, 2])).toBeCloseTo(Math.sqrt(1 / 2), 12);
  expect(distanceFrom(reference, [1, 1])).toBe(0);
});

test('the nearest group counts', () => {
  const group = (name: string, centre: number) =>
    describeGroup(
      name,
      Array.from({ length: 500 }, () => [centre + gaussian(), centre + gaussian()]),
    );
  const reference = distanceReferenceOf({ limit: 3, groups: [group('low', -10), group('high', 10)] });
  expect(distanceFrom(reference, [10, 10])).toBeLessThan(0.3);
  expect(distanceFrom(reference, [-10, -10])).toBeLessThan(0.3);
  expect(distanceFrom(reference, [0, 0])).toBeGreaterThan(8);
});

test('features that are copies of each other do not break it', () => {
  const windows = Array.from({ length: 200 }, () => {
    const value = gaussian();
    return [value, value, value];
  });
  const reference = distanceReferenceOf({ limit: 3, groups: [describeGroup('copies', windows)] });
  expect(distanceFrom(reference, [0, 0, 0])).toBeLessThan(0.3);
  expect(distanceFrom(reference, [3, -3, 3])).toBeGreaterThan(5);
});
