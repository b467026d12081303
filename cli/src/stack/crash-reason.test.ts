import { expect, test } from 'vitest';
import { crashReason } from './crash-reason.ts';

test('a killed child is named by its signal, and by what it said last', () => {
  expect(crashReason({ code: null, signal: 'SIGKILL', lastLines: [] })).toBe('SIGKILL');
  expect(crashReason({ code: null, signal: 'SIGKILL', lastLines: ['listening'] })).toBe('SIGKILL (last said: listening)');
});

test('of a log line the message and the error are told, not the JSON', () => {
  const line = JSON.stringify({ level: 'fatal', msg: 'cannot write', err: { message: 'database or disk is full' } });
  expect(crashReason({ code: 3, signal: null, lastLines: ['{"msg":"started"}', line] })).toBe(
    'exit code 3: cannot write: database or disk is full',
  );
});

test("of Node's stack the error itself is told", () => {
  const lines = [
    'file:///app/main.js:10',
    '    throw new TypeError("x is not a function");',
    '          ^',
    '',
    'TypeError: x is not a function',
    '    at main (file:///app/main.js:10:11)',
    '    at Module._compile (node:internal/modules/cjs/loader:1554:14) {',
    "  code: 'ERR',",
    '}',
    '',
    'Node.js v24.21.0',
  ];
  expect(crashReason({ code: 1, signal: null, lastLines: lines })).toBe('exit code 1: TypeError: x is not a function');
});

test('a long line is cut', () => {
  expect(crashReason({ code: 1, signal: null, lastLines: ['x'.repeat(5_000)] }).length).toBeLessThan(400);
});
