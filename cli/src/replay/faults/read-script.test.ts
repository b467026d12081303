import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Fault, FaultScript } from './fault-script.ts';
import { parseFaultScript, readFaultScript } from './read-script.ts';

const examples = fileURLToPath(new URL('../../../../datasets/faults/', import.meta.url));

test('every example script is a script, and one of them has every fault', () => {
  const kinds = new Set<Fault['fault']>();
  for (const name of readdirSync(examples)) {
    for (const { fault } of readFaultScript(path.join(examples, name)).script) if (name === 'everything.yaml') kinds.add(fault);
  }
  expect([...kinds].sort()).toEqual(
    ['device-restart', 'drift', 'duplicate', 'gap', 'hum', 'lead-off', 'link-cut', 'noise', 'reorder', 'saturation'].sort(),
  );
});

test('moments are read as µs and defaults filled in; what a manifest keeps is read back as it is', () => {
  const script = parseFaultScript(
    'faults: 1\nscript:\n  - { fault: hum, at: 0, for: 1m }\n  - { fault: gap, at: 2.5, for: 500ms }\n',
    'a.yaml',
  );
  expect(script).toEqual({
    faults: 1,
    seed: 1,
    script: [
      { fault: 'hum', at: 0, for: 60_000_000, amplitudeUv: 200, hz: 50 },
      { fault: 'gap', at: 2_500_000, for: 500_000 },
    ],
  });
  expect(FaultScript.parse(JSON.parse(JSON.stringify(script)))).toEqual(script);
});

test.each([
  ['no YAML at all', 'faults: 1\nscript:\n  - { fault: gap, at: 1s\n', /a\.yaml:[34]: /],
  ['not a script', 'just words\n', /a\.yaml:1: .*expected object/],
  ['another version', 'faults: 2\nscript:\n  - { fault: gap, at: 1s, for: 1s }\n', /a\.yaml:1: faults: /],
  ['no faults', 'faults: 1\nscript: []\n', /a\.yaml:2: script: /],
  [
    'an unknown fault',
    'faults: 1\nscript:\n  - fault: gap\n    at: 1s\n    for: 1s\n  - fault: gremlins\n    at: 1s\n',
    /a\.yaml:6: script\.2\.fault: /,
  ],
  ['an unknown setting', 'faults: 1\nscript:\n  - fault: gap\n    at: 1s\n    for: 1s\n    loud: true\n', /a\.yaml:6: script\.1: .*loud/],
  ['no duration', 'faults: 1\nscript:\n  - fault: gap\n    at: soon\n    for: 1s\n', /a\.yaml:4: script\.1\.at: expected a duration/],
  ['no time at all', 'faults: 1\nscript:\n  - fault: gap\n    at: 1s\n    for: 0s\n', /a\.yaml:5: script\.1\.for: expected more than 0/],
  ['a missing setting', 'faults: 1\nscript:\n  - fault: drift\n    at: 1s\n    for: 1s\n', /a\.yaml:3: script\.1\.ppm: /],
  ['too much of it', 'faults: 1\nscript:\n  - { fault: duplicate, at: 1s, for: 1s, chance: 2 }\n', /a\.yaml:3: script\.1\.chance: /],
  ['the same key twice', 'faults: 1\nfaults: 1\nscript: []\n', /a\.yaml:2: /],
  ['an anchor that grows', 'faults: &a [1]\nscript: [*a, *a]\n', /alias/i],
])('%s is refused, with its line', (_what, text, says) => {
  expect(() => parseFaultScript(text, 'a.yaml')).toThrow(says);
});

test('a file that is not there is named', () => {
  expect(() => readFaultScript('/nowhere/faults.yaml')).toThrow(/--faults: \/nowhere\/faults.yaml cannot be read \(ENOENT\)/);
});
