import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32, portableCrc32 } from './crc32.ts';

test('the sum is the same in a browser as in Node, in one piece or continued', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (first, second) => {
      const whole = portableCrc32(Uint8Array.of(...first, ...second));
      expect(crc32(Uint8Array.of(...first, ...second))).toBe(whole);
      expect(crc32(second, crc32(first))).toBe(whole);
      expect(portableCrc32(second, portableCrc32(first))).toBe(whole);
    }),
  );
  expect(portableCrc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926); // the check value of the polynomial
});
