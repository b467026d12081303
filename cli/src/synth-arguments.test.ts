import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { parseArtefacts, parseBits, parseChannels, parseRate, parseSeizures } from './synth-arguments.ts';

test('rates are fractions without rounding', () => {
  expect(parseRate('256')).toEqual({ num: 256, den: 1 });
  expect(parseRate('173.61')).toEqual({ num: 17361, den: 100 });
  expect(parseRate('250.50')).toEqual({ num: 501, den: 2 });
  expect(parseRate('1000/3')).toEqual({ num: 1000, den: 3 });
});

test('channels are a number, the set of CHB-MIT or labels', () => {
  expect(parseChannels('19')).toBe(19);
  expect(parseChannels('CHB-MIT')).toBe('chb-mit');
  expect(parseChannels('Fp1, F7-T7')).toEqual(['Fp1', 'F7-T7']);
});

test('seizures and artefacts are rates or places', () => {
  expect(parseSeizures('2.5')).toBe(2.5);
  expect(parseSeizures('none')).toBe(0);
  expect(parseSeizures('120+40,900.5+30')).toEqual([
    { onsetS: 120, durationS: 40 },
    { onsetS: 900.5, durationS: 30 },
  ]);
  expect(parseArtefacts('usual')).toBe('usual');
  expect(parseArtefacts('blink=400,lead-off=0.5')).toEqual({ blink: 400, 'lead-off': 0.5 });
  expect(parseArtefacts('mains@60+30,pop@100+1')).toEqual([
    { kind: 'mains', onsetS: 60, durationS: 30 },
    { kind: 'pop', onsetS: 100, durationS: 1 },
  ]);
});

test.each<[(text: string) => unknown, string, RegExp]>([
  [parseRate, 'fast', /such as 256/],
  [parseRate, '-1', /such as 256/],
  [parseRate, '1.5/2', /such as 256/],
  [parseChannels, 'Fp1,,O1', /labels such as/],
  [parseSeizures, '120-40', /onset\+duration/],
  [parseSeizures, '', /per hour/],
  [parseArtefacts, 'blink', /blink: give kind=number/],
  [parseArtefacts, 'blnik=3', /the kinds are blink, muscle/],
  [parseArtefacts, 'mains@60', /mains@60: give kind@onset\+duration/],
  [parseBits, '12', /16 or 24/],
])('%o refuses %j in words', (parse, text, words) => {
  expect(() => parse(text)).toThrow(InvalidArgumentError);
  expect(() => parse(text)).toThrow(words);
});
