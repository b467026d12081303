import { expect, test } from 'vitest';
import { Bell, type Sounding } from './alarm-bell.ts';

const high = (id: string): Sounding => ({ id, pattern: 'high', everyMs: 10_000 });
const technical = (id: string): Sounding => ({ id, pattern: 'technical', everyMs: 30_000 });

function record() {
  const bell = new Bell();
  const rings: string[] = [];
  return {
    rings,
    at: (ms: number, ...sounding: Sounding[]) => {
      const pattern = bell.ring(sounding, ms);
      if (pattern !== null) rings.push(`${ms} ${pattern}`);
    },
  };
}

test('it rings at once for a new alarm, again every 10 s while it goes on, and never without one', () => {
  const { at, rings } = record();
  at(0);
  at(1_000, high('a'));
  at(2_000, high('a'));
  at(3_000, high('a'), high('b'));
  at(12_999, high('a'), high('b'));
  at(13_000, high('a'), high('b'));
  at(14_000, high('b')); // one was acknowledged
  at(15_000);
  at(40_000);
  at(41_000, high('b')); // and came back
  expect(rings).toEqual(['1000 high', '3000 high', '13000 high', '41000 high']);
});

test('what is technical has a pattern and a pace of its own, is covered by a worse one, and never delays it', () => {
  const { at, rings } = record();
  at(0, technical('t'));
  at(1_000, technical('t'), high('a'));
  at(2_000, technical('t'), high('a'));
  at(11_000, technical('t'), high('a'));
  at(12_000, technical('t'));
  at(40_999, technical('t'));
  at(41_000, technical('t'));
  expect(rings).toEqual(['0 technical', '1000 high', '11000 high', '41000 technical']);
});
