import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanJson, cleanLine, cleanText } from './clean-text.ts';

const wholes = fc.string({ unit: 'binary', maxLength: 40 });
const unsafe = /[\p{Cc}\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

test('no terminal acts on a cleaned line, whatever it was made of', () => {
  expect(cleanLine('\u001b]0;owned\u0007\u001b[2Jbed\n4\u009b31m \u202eevil')).toBe(']0;owned[2Jbed 431m evil');
  fc.assert(fc.property(wholes, (text) => !unsafe.test(cleanLine(text))));
});

test('harmless text comes through as it was', () => {
  expect(cleanLine('Bett 4 · Müller ● 脳波 🧠')).toBe('Bett 4 · Müller ● 脳波 🧠');
});

test('a text of several lines keeps them and nothing else', () => {
  expect(cleanText('one\n\ttwo\r\u001b[1m')).toBe('one\n\ttwo[1m');
});

test('cleaned JSON is the same value and acts on no terminal', () => {
  fc.assert(
    fc.property(wholes, (text) => {
      const json = cleanJson(JSON.stringify({ text }));
      expect(unsafe.test(json)).toBe(false);
      expect(JSON.parse(json)).toEqual({ text });
    }),
  );
});
