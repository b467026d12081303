import { Visitor } from 'oxc-parser';
import type { SourceFile } from '../source-tree.ts';

/** Most files fit two screens, most functions one glance; beyond these a room is looked for. Lines. */
const sizeLimits = { file: 400, function: 70 } as const;

type Span = { readonly start: number; readonly end: number };

export function tooLongFiles(sources: readonly SourceFile[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = linesIn(text.trimEnd());
    return lines > sizeLimits.file ? [`${path}: ${lines} lines, ${sizeLimits.file} are the limit`] : [];
  });
}

/** A block that groups tests (`describe`) is no function to understand: only what stands in it counts. */
export function tooLongFunctions(sources: readonly SourceFile[]): string[] {
  return sources.flatMap(({ path, text, parsed }) => {
    const groups = new Set<number>();
    const long: string[] = [];
    const measure = ({ start, end }: Span): void => {
      const lines = linesIn(text.slice(start, end));
      if (lines <= sizeLimits.function || groups.has(start)) return;
      long.push(`${path}:${linesIn(text.slice(0, start))}: a function of ${lines} lines, ${sizeLimits.function} are the limit`);
    };
    new Visitor({
      CallExpression: ({ callee, arguments: given }) => {
        if (/^describe\b/.test(text.slice(callee.start, callee.end))) for (const { start } of given) groups.add(start);
      },
      FunctionDeclaration: measure,
      FunctionExpression: measure,
      ArrowFunctionExpression: measure,
    }).visit(parsed.program);
    return long;
  });
}

function linesIn(text: string): number {
  return text.split('\n').length;
}
