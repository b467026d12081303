import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, type SourceFile } from '../source-tree.ts';

type Document = { readonly path: string; readonly text: string };
type Known = {
  readonly words: ReadonlySet<string>;
  readonly files: readonly string[]; // of the source tree, from the root
};

/** What a document puts between backticks and the tree does not have: files, settings, flags and the names of code. */
export function unknownNames(documents: readonly Document[], known: Known): string[] {
  return documents.flatMap(({ path, text }) =>
    [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].flatMap(([, cited = '']) =>
      cited
        .split(/\s+/)
        .filter((word) => !isThere(word, dirname(path), known))
        .map((word) => `${path}: \`${word}\`${word === cited ? '' : ` in \`${cited}\``} is nowhere`),
    ),
  );
}

/** Documents that comments name and that are not there. */
export function unknownDocuments(sources: readonly SourceFile[]): string[] {
  return sources.flatMap(({ path, text, parsed }) =>
    parsed.comments.flatMap(({ start, end }) =>
      [...text.slice(start, end).matchAll(/[\w./-]+\.md\b/g)]
        .filter(([name]) => !foldersAbove(path).some((folder) => existsSync(join(root, folder, name))))
        .map(([name]) => `${path}: a comment names ${name}, which is not there`),
    ),
  );
}

/** The words that a document may cite: names of code, flags, file names in quotes, and settings as the environment spells them. */
export function knownWords(texts: readonly string[]): Set<string> {
  const words = texts.flatMap((text) => text.match(/[\w-]+\.json|--[a-z][a-z0-9-]*|[A-Za-z_$][\w$]*/g) ?? []);
  return new Set(words.flatMap((word) => [word, environmentSpelling(word)]));
}

const NAME = /^([a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*|[A-Z][A-Z0-9]*_[A-Z0-9_]+|--[a-z][a-z0-9-]*)$/;
const FILE = /^[\w.@-]+(\/[\w.@-]+)*\.(ts|tsx|js|md|json|cddl)$/;
const OF_A_SERVICE = /^VITALWIRE_[A-Z]+_(\w+?)(_FILE)?$/;

function isThere(cited: string, folder: string, { words, files }: Known): boolean {
  const word = cited.replace(/^[('"[{]+/, '').replace(/[(){}[\],;:=|'"]+.*$/, '');
  if (words.has(word)) return true;
  if (FILE.test(word)) {
    const places = ['', folder, join(folder, 'src'), join(folder, '..')].map((place) => join(root, place, word));
    return (
      places.some(existsSync) || files.some((file) => `/${file}`.replace('/src/', '/').endsWith(`/${word}`) || file.endsWith(`/${word}`))
    );
  }
  return !NAME.test(word) || words.has(OF_A_SERVICE.exec(word)?.[1] ?? '');
}

function environmentSpelling(word: string): string {
  return word.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function foldersAbove(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' ? ['.'] : [folder, ...foldersAbove(folder)];
}

function withoutBlocks(text: string): string {
  return text.replace(/```[\s\S]*?```/g, '');
}
