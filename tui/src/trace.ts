import type { Sweep } from '@vitalwire/vitals';

export type TraceStyle = 'braille' | 'ascii';

/** How many sweep columns a text width can show: braille cells are two dots wide. */
export function traceColumns(width: number, style: TraceStyle): number {
  return Math.max(2, style === 'braille' ? width * 2 : width);
}

// Dot bits of a braille cell, by row then column.
const dotBits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/**
 * Draws the sweep as `height` lines of `width` characters. Negative is up, as EEG is read; what is missing stays empty. Values
 * beyond the half range are drawn on the edge: a clipped trace is seen to be clipped.
 */
export function drawTrace(sweep: Sweep, width: number, height: number, halfRange: number, style: TraceStyle): string[] {
  return style === 'braille' ? drawBraille(sweep, width, height, halfRange) : drawAscii(sweep, width, height, halfRange);
}

function drawBraille(sweep: Sweep, width: number, height: number, halfRange: number): string[] {
  const cells = new Uint8Array(width * height);
  const dots = height * 4;
  for (let slot = 0; slot < Math.min(sweep.columns, width * 2); slot++) {
    const column = sweep.column(slot);
    if (column === null) continue;
    const top = toRow(column.min, halfRange, dots);
    const bottom = toRow(column.max, halfRange, dots);
    for (let dot = top; dot <= bottom; dot++) {
      const bit = dotBits[dot & 3]?.[slot & 1] ?? 0;
      const cell = (dot >> 2) * width + (slot >> 1);
      cells[cell] = (cells[cell] ?? 0) | bit;
    }
  }
  const lines: string[] = [];
  for (let row = 0; row < height; row++) {
    let line = '';
    for (const bits of cells.subarray(row * width, (row + 1) * width)) line += bits === 0 ? ' ' : String.fromCharCode(0x2800 + bits);
    lines.push(line);
  }
  return lines;
}

function drawAscii(sweep: Sweep, width: number, height: number, halfRange: number): string[] {
  const rows = Array.from({ length: height }, () => Array.from({ length: width }, () => ' '));
  for (let slot = 0; slot < Math.min(sweep.columns, width); slot++) {
    const column = sweep.column(slot);
    if (column === null) continue;
    // Three heights inside a character: ' at its top, - in its middle, . at its foot.
    const top = toRow(column.min, halfRange, height * 3);
    const bottom = toRow(column.max, halfRange, height * 3);
    const from = Math.floor(top / 3);
    const to = Math.floor(bottom / 3);
    for (let row = from; row <= to; row++) {
      const line = rows[row];
      if (line !== undefined) line[slot] = from === to ? ("'-."[Math.floor((top + bottom) / 2) - from * 3] ?? '-') : '|';
    }
  }
  return rows.map((row) => row.join(''));
}

/** The row of a value, 0 = top = most negative. */
function toRow(value: number, halfRange: number, rows: number): number {
  const share = (value / halfRange + 1) / 2;
  return Math.min(rows - 1, Math.max(0, Math.round(share * (rows - 1))));
}
