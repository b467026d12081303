import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { systemClock } from '@vitalwire/runtime';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { exitCodeOf } from './errors.ts';
import { exitCodes, type Io } from './io.ts';
import { buildProgram } from './program.ts';

const empty = pathToFileURL('/nonexistent/commands/');

function ioWith(said: string[]): Io {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said.push(chunk.toString());
      done();
    },
  });
  const signal = new AbortController().signal;
  return { env: {}, stdout: stream, stderr: stream, isTerminal: false, clock: systemClock, signal, exitCode: () => {} };
}

test('a verb whose file is missing is an error that says what to do, not the general help and exit code 0', async () => {
  const said: string[] = [];
  const error = await buildProgram(ioWith(said), ['status'], empty).catch((cause: unknown) => cause);
  expect(String(error)).toMatch(/this installation is incomplete: there is no file of the verb 'status': build it again/);
  expect(exitCodeOf(error)).toBe(exitCodes.unavailable);
  expect(said).toEqual([]);
});

test('without a verb the help names those that are there', async () => {
  const program = await buildProgram(ioWith([]), ['--help'], empty);
  expect(program.commands).toEqual([]);
});

test('no help shows a default as the program keeps it: an object, or a duration in milliseconds', async () => {
  const told: string[] = [];
  const look = (command: Command): void => {
    for (const { flags, defaultValue, defaultValueDescription } of command.options) {
      const isRaw = (typeof defaultValue === 'object' && !Array.isArray(defaultValue)) || /<(time|duration)>/.test(flags);
      if (defaultValue !== undefined && isRaw && defaultValueDescription === undefined) told.push(`${command.name()} ${flags}`);
    }
    command.commands.forEach(look);
  };
  look(await buildProgram(ioWith([]), ['--help']));
  expect(told).toEqual([]);
});
