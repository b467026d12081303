import type { SourceFile } from '../source-tree.ts';

/**
 * Exported names that no other file uses. A type counts as used where an export of its own file needs it to be said (a parameter, a field, a result):
 * whoever calls that may want its name. A file that only hands a name on is no user.
 */
export function deadExports(sources: readonly SourceFile[]): string[] {
  const words = new Map(sources.map(({ path, text }) => [path, wordsOf(text.replace(HANDED_ON, ''))]));
  const users = new Map<string, string[]>();
  for (const [path, its] of words) for (const word of its) users.set(word, [...(users.get(word) ?? []), path]);
  return sources
    .filter(({ isTest }) => !isTest)
    .flatMap((source) =>
      exportsOf(source)
        .filter(({ name, isType }) => {
          const others = (users.get(name) ?? []).filter((path) => path !== source.path);
          return others.length === 0 && !(isType && isSaidByAnother(source, name));
        })
        .map(({ name }) => `${source.path}: nobody uses ${name}`),
    );
}

const HANDED_ON = /^export (type )?(\*|\{[^}]*\}) from '[^']+';/gm;

type Exported = { readonly name: string; readonly isType: boolean; readonly text: string };

function exportsOf({ parsed, text }: SourceFile): Exported[] {
  return parsed.module.staticExports.flatMap(({ start, end, entries }) =>
    entries.flatMap(({ moduleRequest, exportName, isType }) => {
      const isDefault = exportName.name === null || exportName.name === 'default';
      return moduleRequest === null && !isDefault && exportName.name !== null
        ? [
            {
              name: exportName.name,
              isType: isType || /^export (declare )?(type|interface)\b/.test(text.slice(start, end)),
              text: text.slice(start, end),
            },
          ]
        : [];
    }),
  );
}

function isSaidByAnother(source: SourceFile, name: string): boolean {
  return exportsOf(source).some((other) => other.name !== name && wordsOf(other.text).has(name));
}

function wordsOf(text: string): Set<string> {
  return new Set(text.match(/[A-Za-z_$][\w$]*/g) ?? []);
}
