import { composeTexts, heartDigits, viewOf } from './compose.ts';
import { type Layout, layOut, type Rect } from './layout.ts';
import type { Look } from './look.ts';
import { type Line, span } from './spans.ts';
import { drawTrace } from './trace.ts';
import type { WallModel } from './wall-model.ts';

/** One moment of the wall as plain text, exactly `width` × `height` characters: what `--snapshot` prints and tests read. */
export function drawFrame(model: WallModel, width: number, height: number, nowUs: number, look: Look): string[] {
  const layout = layOut(viewOf(model, width, height, nowUs));
  const texts = composeTexts(model, layout, nowUs, look);
  const grid = Array.from({ length: height }, () => ' '.repeat(width));
  put(grid, layout.header, [texts.header]);
  put(grid, layout.system, [texts.system]);
  put(grid, layout.list, texts.list);
  put(grid, layout.stripTitle, [texts.stripTitle]);
  put(grid, layout.alarms, texts.alarms);
  putRows(grid, layout.strip, drawStrip(model, layout, look));
  put(grid, layout.facts, texts.facts);
  putRows(grid, layout.trend, drawTrend(model, layout.trend, look));
  put(grid, layout.heart, [texts.heartTitle, [], [span(`  ${heartDigits(model, nowUs).digits}`)]]);
  put(grid, layout.notice, [texts.notice]);
  put(grid, layout.footer, [texts.footer]);
  return grid.map((row) => row.trimEnd());
}

export function drawStrip(model: WallModel, layout: Layout, look: Look): string[] {
  const { width, height } = layout.strip;
  if (height < 1) return [];
  return drawTrace(model.trace.sweep, width, height, model.trace.halfRange(), look.unicode ? 'braille' : 'ascii');
}

/** The probabilities of the latest windows on a scale that is always 0 to 100 %: noise near zero must look like nothing. */
export function drawTrend(model: WallModel, { width, height }: Rect, look: Look): string[] {
  if (height < 2) return [];
  const axis = ['100 % ', '      ', '  0 % '];
  const columns = Math.max(0, width - 6);
  const points = model.trend().slice(-columns);
  const rows = height - 1;
  const steps = look.unicode ? ' ▁▂▃▄▅▆▇█' : ' .:-=+*#@';
  const lines = [`seizure probability, latest ${points.length} windows`];
  for (let row = 0; row < rows; row++) {
    const label = row === 0 ? axis[0] : row === rows - 1 ? axis[2] : axis[1];
    const cells = points.map(({ probability }) => {
      if (probability === null) return row === rows - 1 ? 'x' : ' ';
      const fill = Math.max(probability * rows * 8, row === rows - 1 ? 1 : 0) - (rows - 1 - row) * 8;
      return steps[Math.max(0, Math.min(8, Math.round(fill)))] ?? ' ';
    });
    lines.push(`${label}${cells.join('')}`);
  }
  return lines;
}

function put(grid: string[], rect: Rect, lines: readonly Line[]): void {
  putRows(
    grid,
    rect,
    lines.map((line) => line.map(({ text }) => text).join('')),
  );
}

function putRows(grid: string[], { left, top, width, height }: Rect, rows: readonly string[]): void {
  for (const [index, text] of rows.slice(0, height).entries()) {
    const row = grid[top + index];
    if (row !== undefined) grid[top + index] = row.slice(0, left) + text.slice(0, width).padEnd(width) + row.slice(left + width);
  }
}
