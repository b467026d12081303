import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { importTable, ownedLibraries, testOnly } from './import-table.ts';
import { packageOf, parsedFile, root, type SourceFile, sourceTree } from './source-tree.ts';

type Import = {
  readonly from: string;
  readonly file: string;
  readonly specifier: string;
  readonly dynamic: boolean;
  readonly isTest: boolean;
};

test('every import between packages is one the import table allows', () => {
  const wrong = allImports().flatMap((found) => complaint(found));
  expect(wrong).toEqual([]);
});

test('the checker sees what it must refuse: a service import, a driver outside its place, a way around through a path', () => {
  const at = (specifier: string, dynamic = false): Import => ({
    from: 'prediction',
    file: join(root, 'cluster-services/prediction/src/x.ts'),
    specifier,
    dynamic,
    isTest: false,
  });
  expect(complaint(at('@vitalwire/storage'))).toHaveLength(1);
  expect(complaint(at('mysql2/promise'))).toHaveLength(1);
  expect(complaint(at('../../storage/src/index.ts'))).toHaveLength(1);
  expect(complaint(at('@vitalwire/testkit'))).toHaveLength(1);
  expect(complaint(at('@vitalwire/detector'))).toHaveLength(0);
});

test('the parser finds imports, type imports, re-exports and dynamic imports, each once', () => {
  const source = `import a from '@vitalwire/a'; import type { B } from '@vitalwire/b'; export * from '@vitalwire/c'; const d = await import('@vitalwire/d'); export { a, d }; export type { B };`;
  expect(importsOf(parsedFile('x.ts', source)).map(({ specifier }) => specifier)).toEqual([
    '@vitalwire/a',
    '@vitalwire/b',
    '@vitalwire/c',
    '@vitalwire/d',
  ]);
});

test('what is imported for its types alone loads nothing, and one value among them does', () => {
  const loads = (source: string) => importsOf(parsedFile('x.ts', source)).map(({ dynamic }) => !dynamic);
  expect(loads("import type { A } from '@vitalwire/a'; export type B = A;")).toEqual([false]);
  expect(loads("import { type A, b } from '@vitalwire/a'; export const c: A = b;")).toEqual([true]);
  expect(loads("import '@vitalwire/a';")).toEqual([true]);
});

function complaint({ from, file, specifier, dynamic, isTest }: Import): string[] {
  const say = (why: string): string[] => [`${relative(root, file)} imports ${specifier}: ${why}`];
  if (specifier.startsWith('.')) {
    return packageOf(relative(root, resolve(dirname(file), specifier))) === from ? [] : say('a relative path into another package');
  }
  const library = Object.keys(ownedLibraries).find((name) => specifier === name || specifier.startsWith(`${name}/`));
  if (library !== undefined && !isTest && !testOnly.includes(from) && !(ownedLibraries[library] ?? []).includes(from))
    return say(`only ${ownedLibraries[library]?.join(' and ')} may`);
  if (!specifier.startsWith('@vitalwire/')) return [];
  const target = specifier.slice('@vitalwire/'.length);
  if (target === from || target.startsWith(`${from}/`) || testOnly.includes(from) || isTest) return [];
  if (testOnly.includes(target)) return say('it is for tests only');
  const rule = importTable[from];
  if (rule === undefined) return say(`the package ${from} is not in the import table`);
  const isIn = (places: readonly string[]): boolean => places.some((place) => target === place || target.startsWith(`${place}/`));
  if (isIn(rule.may)) return [];
  if (dynamic && isIn(rule.dynamically ?? [])) return [];
  return say('not in the import table');
}

function allImports(): Import[] {
  return sourceTree().flatMap((source) =>
    importsOf(source).map((found) => ({ ...found, from: source.package, file: join(root, source.path), isTest: source.isTest })),
  );
}

function importsOf({ text, parsed }: SourceFile): { specifier: string; dynamic: boolean }[] {
  const { module } = parsed;
  // Types alone load nothing: they may come from wherever a dynamic import may.
  const statics = module.staticImports.map((one) => ({
    specifier: one.moduleRequest.value,
    dynamic: one.entries.length > 0 && one.entries.every(({ isType }) => isType),
  }));
  const exported = module.staticExports.flatMap((one) =>
    one.entries.flatMap(({ moduleRequest, isType }) => (moduleRequest ? [{ specifier: moduleRequest.value, dynamic: isType }] : [])),
  );
  const dynamics = module.dynamicImports.flatMap(({ moduleRequest }) => {
    const written = text.slice(moduleRequest.start, moduleRequest.end);
    return /^['"`]/.test(written) ? [{ specifier: written.slice(1, -1), dynamic: true }] : [];
  });
  return [...new Map([...statics, ...exported, ...dynamics].map((one) => [`${one.specifier} ${one.dynamic}`, one])).values()];
}
