import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '@vitalwire/runtime';
import { CommanderError } from 'commander';
import { afterAll, expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

const root = mkdtempSync(path.join(tmpdir(), 'vw-replay-verb-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(path.join(root, name), text);
  return path.join(root, name);
};
const empty = path.join(root, 'empty');
mkdirSync(empty);

// What can be known without a stack is told without one.
test.each([
  [['replay'], /missing required argument 'source'/],
  [['replay', 'synth', '--speed', '1001'], /0\.1 to 1000, or max/],
  [['replay', 'synth', '--speed', '0.05'], /0\.1 to 1000, or max/],
  [['replay', 'synth', '--start', 'later'], /Give a duration/],
  [['replay', 'synth', '--duration', '0s'], /duration between 1ms/],
  [['replay', 'synth', '--stagger', '-1s'], /Give a duration|argument missing/],
  [['replay', 'synth', '--channels', 'Fp1,,Fp2'], /labels with commas between/],
  [['replay', 'synth', '--patients', '501'], /whole number from 1 to 500/],
  [['replay', 'synth', './x.edf'], /'synth' does not go with '\.\/x\.edf': built-in sources stand alone or beside each other/],
  [['replay', 'synth', 'synth'], /'synth' does not go with 'synth'/],
  [['replay', './nowhere.edf'], /'\.\/nowhere\.edf': there is no such file, and the built-in sources are synth, demo and bonn/],
  [['replay', empty], /holds no recording/],
  [['replay', 'synth', '--synth', 'channels'], /--synth: 'channels' is no setting; write channels=23/],
  [['replay', 'synth', '--synth', 'colour=red'], /--synth: .*colour/],
  [['replay', 'synth', '--synth', 'channels=0'], /--synth: channels/],
  [['replay', 'synth', '--synth', 'rate=fast'], /--synth: rate/],
  [['replay', 'synth', '--faults', '/nowhere/f.yaml'], /--faults: .* cannot be read \(ENOENT\)/],
  [['replay', 'synth', '--faults', file('f.yaml', 'faults: 1\nscript:\n  - { fault: gap }\n')], /f\.yaml:3: script\.1\.at: /],
  [['replay', 'synth'], /no stack is running here: .*start one with 'vitalwire up/],
  [['replay', 'control', 'x', 'dance'], /'dance' is not understood; say pause, resume, seek/],
  [['replay', 'control', 'x', 'seek'], /seek needs to be told where to: seek 2m/],
  [['replay', 'control', 'x', 'seek', 'soon'], /seek soon: Give a duration/],
  [['replay', 'control', 'x', 'speed'], /speed needs to be told how fast/],
  [['replay', 'control', 'x', 'speed', '0'], /speed 0: Give a number from 0\.1/],
  [['replay', 'control', 'x', 'pause', 'now'], /pause takes nothing after it, not 'now'/],
  [['replay', 'control', 'x', 'pause'], /no such replay is running: x; none is running here/],
  [['replay', 'control', '../../etc/passwd', 'status'], /no such replay is running/],
  [['verify', '--source', 'tape'], /Allowed choices are bonn, synth, file/],
  [
    ['verify', '--manifest', file('old.json', '{"manifest":1,"id":"bonn-1","source":"bonn"}')],
    /old\.json has version 1, this release reads 2: compare with the release/,
  ],
  [['verify', '--manifest', file('odd.json', '{"manifest":2,"id":7}')], /is not the manifest of a replay \(id: /],
  [['verify', '--manifest', '/nowhere/m.json'], /cannot be read; 'vitalwire replay' writes one/],
])('vitalwire %j is refused in a sentence', async (words, says) => {
  expect(await said(words)).toMatch(says);
});

async function said(words: readonly string[]): Promise<string> {
  let text = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const io: Io = {
    env: { VITALWIRE_DATA: path.join(root, 'data') },
    stdout: sink,
    stderr: sink,
    isTerminal: false,
    clock: systemClock,
    signal: new AbortController().signal,
    exitCode: () => {},
  };
  try {
    await (await buildProgram(io, words)).parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) text += error instanceof Error ? error.message : String(error);
  }
  return text;
}
