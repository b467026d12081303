import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SendWindow } from './send-window.ts';

test('the mark moves only over what is acknowledged without a hole', () => {
  const window = new SendWindow(8, 1_000);
  for (const id of [1, 2, 5]) window.add(id, 10);
  expect(window.acknowledge(2)).toBeNull();
  expect(window.acknowledge(1)).toBe(2);
  expect(window.acknowledge(5)).toBe(5);
  expect(window.acknowledge(5)).toBeNull();
  expect([window.packets, window.bytes]).toEqual([0, 0]);
});

test('neither bound is ever passed, except by one message that is larger than the window', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: fc.nat(150), ack: fc.boolean() })), (steps) => {
      const window = new SendWindow(4, 200);
      const sent: number[] = [];
      for (const [id, { bytes, ack }] of steps.entries()) {
        if (window.fits(bytes)) {
          window.add(id, bytes);
          sent.push(id);
        }
        expect(window.packets).toBeLessThanOrEqual(4);
        if (window.packets > 1) expect(window.bytes).toBeLessThanOrEqual(200);
        const oldest = sent[0];
        if (ack && oldest !== undefined) {
          expect(window.acknowledge(oldest)).toBe(oldest);
          sent.shift();
        }
      }
    }),
  );
});

test('an empty window takes any message', () => {
  expect(new SendWindow(1, 10).fits(1_000_000)).toBe(true);
});
