export * from './decimate.ts';
export * from './freshness.ts';
export * from './quality.ts';
export * from './recent-verdict.ts';
export { type StateWord, stateWord } from './screen-words.ts';
export * from './spectrum.ts';
export * from './sweep.ts';
export * from './units.ts';
export * from './windows.ts';
