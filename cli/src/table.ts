import { cleanLine } from '@vitalwire/contract';

/** Lines of a table with aligned columns; the first row is the header. */
export function tableLines(raw: readonly (readonly string[])[]): string[] {
  const rows = raw.map((row) => row.map(cleanLine)); // what is not shown must take no room either
  const widths: number[] = [];
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
