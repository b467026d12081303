import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gainOf, microvoltGainOf, toPhysical } from './units.ts';

const scale = { label: 'Fz', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -800, physicalMax: 800, reference: '' };

test('the ends of the digital range map to the ends of the physical range, also with an inverted gain', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -32768, max: -1 }),
      fc.integer({ min: 0, max: 32767 }),
      fc.integer({ min: -5000, max: 5000 }),
      fc.integer({ min: -5000, max: 5000 }),
      (digitalMin, digitalMax, physicalMin, physicalMax) => {
        fc.pre(physicalMin !== physicalMax);
        const line = gainOf({ ...scale, digitalMin, digitalMax, physicalMin, physicalMax });
        if (line === null) throw new Error('two different points make a line');
        const [low, high] = toPhysical([digitalMin, digitalMax], line);
        expect(low).toBeCloseTo(physicalMin, 6);
        expect(high).toBeCloseTo(physicalMax, 6);
      },
    ),
  );
});

test('every spelling of microvolt is one, millivolts are a thousand', () => {
  for (const unit of ['uV', ' uV ', '\u00b5V', '\u03bcV']) expect(microvoltGainOf({ ...scale, unit })?.gain).toBeCloseTo(1600 / 4095, 12);
  expect(microvoltGainOf({ ...scale, unit: 'mV' })?.gain).toBeCloseTo(1600e3 / 4095, 9);
});

test('a unit that is no voltage is refused, and so is a scale without a line', () => {
  for (const unit of ['', 'degC', 'UV', 'a.u.', 'toString', 'constructor']) expect(microvoltGainOf({ ...scale, unit })).toBeNull();
  expect(microvoltGainOf({ ...scale, digitalMax: -2048 })).toBeNull();
  expect(microvoltGainOf({ ...scale, physicalMax: -800 })).toBeNull();
});
