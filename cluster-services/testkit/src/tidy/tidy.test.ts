import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testOnly } from '../import-table.ts';
import { filesUnder, packageFolders, parsedFile, root, sourceTree } from '../source-tree.ts';
import { circles } from './circles.ts';
import { knownWords, unknownDocuments, unknownNames } from './cited-names.ts';
import { deadExports } from './dead-exports.ts';
import { errorsMarkdown, errorTables, refusals } from './error-list.ts';
import { silentCatches } from './silent-catches.ts';
import { tooLongFiles, tooLongFunctions } from './sizes.ts';

const sources = sourceTree();

test('no file is longer than a reader can hold in mind', () => {
  expect(tooLongFiles(sources)).toEqual([]);
});

test('no function is longer than a glance', () => {
  expect(tooLongFunctions(sources)).toEqual([]);
});

test('no files import one another', () => {
  expect(circles(sources)).toEqual([]);
});

test('what is exported is used by another file', () => {
  // The list of errors reads the tables of errors by their names.
  expect(deadExports(sources).filter((complaint) => !/ \w+Errors$/.test(complaint))).toEqual([]);
});

test('no failure is thrown away without a reason', () => {
  expect(silentCatches(sources)).toEqual([]);
});

test('every file, setting, flag and name that a document cites exists', () => {
  const named = ['README.md', 'DATA.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md'];
  const documents = [...named, ...packageFolders().map((folder) => `${folder}/README.md`)].map((path) => ({ path, text: textOf(path) }));
  const scripts = packageFolders().flatMap((folder) => filesUnder(join(root, folder, 'bin'), /\.js$/));
  const packages = ['package.json', ...packageFolders().map((folder) => `${folder}/package.json`)];
  const texts = [...scripts.map((file) => readFileSync(file, 'utf8')), ...packages.map(textOf), ...sources.map(({ text }) => text)];
  expect(unknownNames(documents, { words: knownWords(texts), files: sources.map(({ path }) => path) })).toEqual([]);
});

test('neither tests nor what they share is built and shipped', () => {
  const shipped = packageFolders().filter((folder) => !testOnly.includes(folder.split('/').at(-1) ?? ''));
  const without = shipped.filter((folder) => {
    const { exclude } = JSON.parse(textOf(`${folder}/tsconfig.json`)) as { exclude?: string[] };
    return !['src/**/*.test.ts', 'src/**/test-*.ts'].every((pattern) => exclude?.includes(pattern) === true);
  });
  expect(without).toEqual([]);
});

test('every document that a comment names exists', () => {
  expect(unknownDocuments(sources)).toEqual([]);
});

test('ERRORS.md is what the tables of errors say, and no table is left out', async () => {
  const tables = await errorTables(sources);
  const defined = sources.filter(
    ({ isTest, path, text }) => !isTest && !path.endsWith('runtime/src/errors.ts') && text.includes('defineErrors('),
  );
  expect(tables.map(({ file }) => file)).toEqual(expect.arrayContaining(defined.map(({ path }) => path)));
  const uses = sources.filter(({ isTest }) => !isTest).map(({ text }) => text);
  const isUsed = (code: string) => uses.some((text) => text.includes(`'${code}'`));
  const unused = tables.flatMap(({ rows }) => Object.keys(rows)).filter((code) => !isUsed(code));
  expect(unused, 'codes that nothing fails with').toEqual([]);
  await expect(errorsMarkdown(tables, refusals(sources))).toMatchFileSnapshot('../../../../ERRORS.md');
});

test('the rules see what they must refuse', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `  f(${index});`).join('\n');
  const of = (path: string, text: string) => parsedFile(path, text);
  expect(tooLongFiles([of('a/src/a.ts', lines(401))])).toHaveLength(1);
  expect(tooLongFiles([of('a/src/a.ts', lines(400))])).toEqual([]);
  expect(tooLongFunctions([of('a/src/a.ts', `const a = () => {\n${lines(69)}\n};`)])).toHaveLength(1);
  expect(tooLongFunctions([of('a/src/a.ts', `describe('a', () => {\n${lines(90)}\n});`)])).toEqual([]);
  expect(tooLongFunctions([of('a/src/a.ts', `describe.each([1])('a', () => {\n${lines(90)}\n});`)])).toEqual([]);
  const ring = [
    of('a/src/a.ts', "import './b.ts';"),
    of('a/src/b.ts', "export * from './c.ts';"),
    of('a/src/c.ts', "import type { A } from './a.ts';"),
  ];
  expect(circles(ring)).toEqual(['a/src/a.ts and a/src/b.ts and a/src/c.ts import one another']);
  expect(circles(ring.slice(0, 2))).toEqual([]);
  const dead = of('a/src/a.ts', 'export type Options = { a: 1 }; export function used(_: Options) {} export const unused = 1;');
  expect(deadExports([dead, of('a/src/b.ts', "import { used } from './a.ts'; used();")])).toEqual(['a/src/a.ts: nobody uses unused']);
  expect(silentCatches([of('a/src/a.ts', 'f().catch(() => {});\nf().catch(() => {}); // why')])).toHaveLength(1);
  expect(unknownDocuments([of('a/src/a.ts', '// see NOWHERE.md and README.md')])).toHaveLength(1);
  const known = { words: knownWords(['const maxFrames = 1; // --ends']), files: ['cli/src/commands/demo.ts'] };
  const text = '`maxFrames` `MAX_FRAMES` `commands/demo.ts` `--ends 3` are, `minFrames` `--begins` `gone.ts` are not';
  expect(unknownNames([{ path: 'cli/README.md', text }], known)).toHaveLength(3);
});

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
