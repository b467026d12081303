import { parseDecimal } from '../decimal.ts';

export type Delimiter = ',' | ';' | '\t' | ' ';

/** The cells of a row. Quotes may hold a delimiter; two quotes inside quotes are one. */
export function cellsOf(row: string, delimiter: Delimiter): string[] {
  if (!row.includes('"')) return (delimiter === ' ' ? row.trim().split(/ +/) : row.split(delimiter)).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < row.length; at += 1) {
    const char = row[at] ?? '';
    if (char === '"' && quoted && row[at + 1] === '"') at += 1;
    else if (char === '"') {
      quoted = !quoted;
      continue;
    }
    if (char === delimiter && !quoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += char;
  }
  return [...cells, cell.trim()];
}

/** The delimiter that the first rows agree on; a comma when there is but one column. */
export function guessDelimiter(rows: readonly string[]): Delimiter {
  for (const delimiter of ['\t', ';', ',', ' '] as const) {
    const counts = new Set(rows.map((row) => cellsOf(row, delimiter).length));
    if (counts.size === 1 && !counts.has(1)) return delimiter;
  }
  return ',';
}

/** A cell's number as a whole number of 10^-decimals, null when nothing was measured, undefined when it is no number. */
export type Cell = { readonly units: number; readonly decimals: number } | null | undefined;

/** So many digits a double holds exactly. */
const EXACT_DIGITS = 15;

export function parseCell(text: string | undefined): Cell {
  if (text === undefined || text === '' || /^(?:nan|n\/a|na|null|-)$/i.test(text)) return null;
  const point = text.replace(',', '.');
  const plain = /^[+-]?(\d*)(?:\.(\d*))?$/.exec(point);
  const [, whole = '', fraction = ''] = plain ?? [];
  if (plain !== null && whole + fraction === '') return undefined;
  const kept = fraction.replace(/0+$/, '');
  if (plain !== null && whole.length + kept.length <= EXACT_DIGITS) {
    return { units: Math.round(Number(point) * 10 ** kept.length), decimals: kept.length };
  }
  const decimal = parseDecimal(point);
  if (decimal === null) return undefined;
  let { units, scale } = decimal;
  while (scale > 0 && units % 10n === 0n) [units, scale] = [units / 10n, scale - 1];
  return { units: Number(units), decimals: scale };
}
