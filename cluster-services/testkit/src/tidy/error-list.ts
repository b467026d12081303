import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { testOnly } from '../import-table.ts';
import { root, type SourceFile } from '../source-tree.ts';

type Row = { readonly retry: 'yes' | 'no'; readonly summary: string; readonly next: string };
export type ListedTable = { readonly package: string; readonly file: string; readonly rows: Readonly<Record<string, Row>> };

/** Every table of errors in the tree: what `defineErrors` was given, and what has the same shape. */
export async function errorTables(sources: readonly SourceFile[]): Promise<ListedTable[]> {
  const files = sources.filter(({ isTest, text }) => !isTest && /\bretry: '(yes|no)',\s+summary: /.test(text));
  const tables = await Promise.all(
    files.map(async ({ path, package: from }) => {
      const exported: Record<string, unknown> = await import(pathToFileURL(join(root, path)).href);
      return Object.entries(exported)
        .filter(([name, rows]) => name.endsWith('Errors') && typeof rows === 'object')
        .map(([, rows]) => ({ package: from, file: path, rows: rows as ListedTable['rows'] }));
    }),
  );
  return tables.flat().sort((a, b) => a.file.localeCompare(b.file));
}

/** What the APIs refuse with: status and code as written where they are thrown. */
export function refusals(sources: readonly SourceFile[]): { readonly code: string; readonly status: string; readonly package: string }[] {
  const found = sources
    .filter(({ isTest, package: from }) => !isTest && !testOnly.includes(from))
    .flatMap(({ text, package: from }) =>
      [...text.matchAll(/new ApiError\(\s*(\d{3}),\s*'([A-Z_]+)'/g)].map(([, status = '', code = '']) => ({ code, status, package: from })),
    );
  return [...new Map(found.map((one) => [`${one.code} ${one.status} ${one.package}`, one])).values()].sort((a, b) =>
    `${a.code} ${a.package}`.localeCompare(`${b.code} ${b.package}`),
  );
}

/** The document ERRORS.md. */
export function errorsMarkdown(tables: readonly ListedTable[], refused: ReturnType<typeof refusals>): string {
  const count = tables.reduce((sum, { rows }) => sum + Object.keys(rows).length, 0);
  const sections = tables.map(
    ({ package: from, file, rows }) =>
      `## ${from}\n\nFrom \`${file}\`.\n\n| code | what happened | again? | what to do |\n|---|---|---|---|\n${Object.entries(rows)
        .map(([code, { summary, retry, next }]) => `| \`${code}\` | ${summary} | ${retry} | ${next} |`)
        .join('\n')}\n`,
  );
  return `# Errors

Made from the tables of errors; a test compares, and \`npx vitest run --project unit tidy -u\` writes it anew. Do not edit by hand.

An error's code is stable. "Again" says whether trying the same thing again is safe and may help. Messages add what, where and which value;
the command ends with 1 when its answer is no, 2 for a wrong argument, 3 when it cannot run here and now, 70 for a bug of ours.
${count} codes in ${tables.length} tables.

${sections.join('\n')}
## Refused requests

What the HTTP APIs answer, beside the codes above: \`{ "error": { "code", "message", "next" } }\`; \`next\` says what to do.

| code | status | from |
|---|---|---|
${refused.map(({ code, status, package: from }) => `| \`${code}\` | ${status} | ${from} |`).join('\n')}
`;
}
