import { dirname, join } from 'node:path/posix';
import type { SourceFile } from '../source-tree.ts';

/** Files that import one another, directly or by others; what is imported for its types alone counts too. */
export function circles(sources: readonly SourceFile[]): string[] {
  const imports = new Map(sources.map((source) => [source.path, relativeImports(source)]));
  const reached = new Map([...imports.keys()].map((path) => [path, reachableFrom(path, imports)]));
  const rings = [...reached].flatMap(([path, its]) =>
    its.has(path) ? [[...its].filter((other) => reached.get(other)?.has(path) === true).sort()] : [],
  );
  return [...new Set(rings.map((ring) => ring.join(' and ')))].map((ring) => `${ring} import one another`);
}

function relativeImports({ path, parsed }: SourceFile): string[] {
  const { staticImports, staticExports } = parsed.module;
  const imported = staticImports.map(({ moduleRequest }) => moduleRequest.value);
  const handedOn = staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []));
  return [...imported, ...handedOn].filter((to) => to.startsWith('.')).map((to) => join(dirname(path), to));
}

function reachableFrom(start: string, imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const ahead = [...(imports.get(start) ?? [])];
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    ahead.push(...(imports.get(next) ?? []));
  }
  return reached;
}
