import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ParseResult, parseSync } from 'oxc-parser';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

export type SourceFile = {
  readonly path: string; // from the root, with slashes
  readonly package: string;
  readonly isTest: boolean; // a test, or what the tests of one package share
  readonly text: string;
  readonly parsed: ParseResult;
};

/** The folders of all packages, from the root. */
export function packageFolders(): string[] {
  const services = readdirSync(join(root, 'cluster-services')).map((name) => `cluster-services/${name}`);
  return ['cli', 'edge-agent', 'tui', 'datasets', ...services.filter((folder) => isFolder(join(root, folder)))];
}

/** Every TypeScript file under a package's `src`, parsed. Throws for one that does not parse. */
export function sourceTree(): SourceFile[] {
  return packageFolders().flatMap((folder) =>
    filesUnder(join(root, folder, 'src'), /\.(ts|tsx)$/).map((file) => parsedFile(relative(root, file), readFileSync(file, 'utf8'))),
  );
}

/** @param path from the root */
export function parsedFile(path: string, text: string): SourceFile {
  const parsed = parseSync(path, text);
  if (parsed.errors.length > 0) throw new Error(`${path} does not parse: ${parsed.errors[0]?.message ?? ''}`);
  const isTest = /\.test\.tsx?$/.test(path) || /\/test-[a-z-]+\.ts$/.test(path);
  return { path: path.split(sep).join('/'), package: packageOf(path), isTest, text, parsed };
}

/** The package a path from the root lies in. */
export function packageOf(path: string): string {
  const [top = '', second = ''] = path.split(sep);
  return top === 'cluster-services' ? second : top;
}

/** Absolute paths of the files under a folder whose names match; none if there is no such folder. */
export function filesUnder(folder: string, name: RegExp): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => name.test(file))
    .map((file) => join(folder, file));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
