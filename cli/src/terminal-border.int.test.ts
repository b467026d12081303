import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// Text from outside (labels, versions, alarm texts, file names, answers of servers) reaches a terminal only through functions that clean it.

const root = fileURLToPath(new URL('../..', import.meta.url));
const programs = ['cli/src', 'tui/src', 'edge-agent/src', 'datasets/src', ...servicePackages()];

/** What may write to a terminal itself, and why that is safe. */
const borders: Readonly<Record<string, string>> = {
  'cli/src/io.ts': 'the border: everything a verb prints is cleaned there',
  'cli/src/main.ts': 'cleans the sentence of an error, where there is no Io yet',
  'cli/src/program.ts': 'cleans what commander says, which repeats arguments',
  'tui/src/frame-output.ts': "blessed's own bytes: every text on the wall is a span, and spans are cleaned when they are made",
  'cluster-services/runtime/src/log.ts': 'pino writes whole lines that went through cleanJson',
};

test('nothing but the borders writes to a terminal', () => {
  const raw = /\b(stdout|stderr|terminal)\.write\(|\bconsole\.\w+\(|pino\.destination\(|writeSync\((1|2)\b/;
  const found = programs
    .flatMap(sourcesIn)
    .filter((file) => withoutStrings(readFileSync(path.join(root, file), 'utf8')).some((line) => raw.test(line)));
  expect(found.filter((file) => !(file in borders))).toEqual([]);
  expect(Object.keys(borders).filter((file) => !found.includes(file))).toEqual([]); // a border that is none any more is taken off the list
});

test('the borders clean: each of them calls the one function', () => {
  for (const file of ['cli/src/io.ts', 'cli/src/main.ts', 'cli/src/program.ts', 'tui/src/spans.ts', 'cluster-services/runtime/src/log.ts'])
    expect(readFileSync(path.join(root, file), 'utf8'), file).toMatch(/\bclean(Line|Text|Json)\(/);
});

test('what is drawn with Ink is cleaned where a text comes from outside', () => {
  const inked = programs.flatMap(sourcesIn).filter((file) => readFileSync(path.join(root, file), 'utf8').includes("from 'ink'"));
  expect(inked).toEqual(['cli/src/stack/up-view.ts']); // another one has to be looked at
});

function servicePackages(): string[] {
  const forTests = new Set(['testkit', 'e2e', 'bench']);
  return readdirSync(path.join(root, 'cluster-services'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !forTests.has(entry.name))
    .map(({ name }) => `cluster-services/${name}/src`);
}

function sourcesIn(directory: string): string[] {
  return readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !/\.test\.ts$|test-|(^|\/)page\//.test(file))
    .map((file) => path.join(directory, file));
}

/** Lines without their string literals: a script that another process runs writes to a pipe of ours. */
function withoutStrings(text: string): string[] {
  return text
    .replace(/`(?:[^`\\]|\\.)*`/gs, '``')
    .split('\n')
    .map((line) => line.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g, "''").replace(/\/\/.*$/, ''));
}
