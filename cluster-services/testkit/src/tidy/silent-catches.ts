import type { SourceFile } from '../source-tree.ts';

const SILENT = /\.catch\(\s*\(\)\s*=>\s*(\{\s*\}|undefined)\s*\)/;

/** Failures that are thrown away without a word why: the reason stands on the same line or on the one above. */
export function silentCatches(sources: readonly SourceFile[]): string[] {
  return sources
    .filter(({ isTest }) => !isTest)
    .flatMap(({ path, text }) => {
      const lines = text.split('\n');
      return lines.flatMap((line, index) => {
        const isExplained = line.includes('//') || /^\s*(\/\/|\*)/.test(lines[index - 1] ?? '');
        return SILENT.test(line) && !isExplained ? [`${path}:${index + 1}: a failure is thrown away, and no comment says why`] : [];
      });
    });
}
