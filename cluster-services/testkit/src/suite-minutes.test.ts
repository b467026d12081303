import { expect, test } from 'vitest';

type File = { name: string; startTime: number; endTime: number; assertionResults?: { status: string }[] };
const module = new URL('../bin/suite-minutes.js', import.meta.url).href;
type Lines = (report: { testResults: File[] }, root: string) => string[];
const { suiteMinutes, skippedSuites } = (await import(module)) as { suiteMinutes: Lines; skippedSuites: Lines };

const file = (name: string, seconds: number): File => ({ name: `/repo/${name}`, startTime: 5_000, endTime: 5_000 + seconds * 1000 });

test('a suite is a package and a kind of test; the longest comes first, and the slowest files by name', () => {
  const files = [
    file('cli/src/a.test.ts', 3),
    file('cli/src/b.int.test.ts', 60),
    file('cluster-services/storage/src/c.int.test.ts', 150),
    file('cluster-services/storage/src/deep/d.int.test.ts', 30),
    file('cluster-services/web/src/page/e.test.tsx', 6),
  ];
  expect(suiteMinutes({ testResults: files }, '/repo')).toEqual([
    'minutes of each suite  unit   int',
    'storage                      3.00',
    'cli                    0.05  1.00',
    'web                    0.10',
    'all                    0.15  4.00',
    'the slowest files',
    '  cluster-services/storage/src/c.int.test.ts       2.50',
    '  cli/src/b.int.test.ts                            1.00',
    '  cluster-services/storage/src/deep/d.int.test.ts  0.50',
    '  cluster-services/web/src/page/e.test.tsx         0.10',
    '  cli/src/a.test.ts                                0.05',
  ]);
});

test('only ten files are named, slow tests have a column of their own, and nothing run says nothing', () => {
  const many = Array.from({ length: 14 }, (_, index) => file(`e2e/src/${index}.slow.test.ts`, index + 1));
  const lines = suiteMinutes({ testResults: many }, '/repo');
  expect(lines[0]).toBe('minutes of each suite  slow');
  expect(lines.slice(lines.indexOf('the slowest files') + 1)).toHaveLength(10);
  expect(suiteMinutes({ testResults: [] }, '/repo')).toEqual([]);
});

test('skipped tests are counted file by file', () => {
  const of = (...status: string[]) => ({ assertionResults: status.map((one) => ({ status: one })) });
  const testResults = [
    { ...file('datasets/src/a.test.ts', 1), ...of('passed', 'pending', 'skipped') },
    { ...file('datasets/src/b.test.ts', 1), ...of('passed') },
    { ...file('cli/src/c.test.ts', 1), ...of('todo') },
  ];
  expect(skippedSuites({ testResults }, '/repo')).toEqual(['  2 of 3 in datasets/src/a.test.ts', '  1 of 1 in cli/src/c.test.ts']);
});
