import { expect, test } from 'vitest';
import { coloursOf, lookOf } from './look.ts';

test.each([
  ['tmux-256color', 256],
  ['screen-256color', 256],
  ['xterm-256color', 256],
  ['xterm-kitty', 256],
  ['alacritty', 256],
  ['wezterm', 256],
  ['xterm-ghostty', 256],
  ['foot', 256],
  ['tmux', 256],
  ['xterm', 16],
  ['screen', 16],
  ['linux', 8],
  ['never-heard-of', 8],
  ['vt220', 0],
  ['dumb', 0],
  ['', 0],
] as const)('TERM=%s has %i colours, whatever terminfo files are installed', (TERM, colours) => {
  expect(coloursOf({ TERM })).toBe(colours);
  expect(coloursOf({ TERM, NO_COLOR: '1' })).toBe(0);
  expect(coloursOf({ TERM, COLORTERM: 'truecolor' })).toBe(colours === 0 ? 0 : 256);
});

test('symbols need a UTF-8 locale, and the console of Linux has no braille', () => {
  expect(lookOf({ TERM: 'foot', LANG: 'C.UTF-8' }).unicode).toBe(true);
  expect(lookOf({ TERM: 'linux', LANG: 'C.UTF-8' }).unicode).toBe(false);
  expect(lookOf({ TERM: 'foot', LANG: 'C' }).unicode).toBe(false);
  expect(lookOf({ TERM: 'foot', LC_ALL: 'C', LANG: 'C.UTF-8' }).unicode).toBe(false);
});
