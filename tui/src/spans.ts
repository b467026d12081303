import { cleanLine } from '@vitalwire/contract';
import type { AlarmKey } from '@vitalwire/vitals';

/** How a piece of text looks, by meaning. What colour that is, or whether there are colours at all, is decided where it is drawn. */
export type Tone =
  | 'plain'
  | 'strong'
  | 'pointer'
  | 'soft'
  | 'stale'
  | 'seizure'
  | 'focal'
  | 'quiet'
  | 'unsure'
  | 'not-scorable'
  | 'calibrating'
  | 'no-data'
  | 'not-judged'
  | 'replay'
  | 'good'
  | 'warning'
  | 'bad'
  | AlarmKey // filled: it asks for attention
  | `${AlarmKey}-text`; // the same colour without filling

export type Span = { readonly text: string; readonly tone: Tone };
export type Line = readonly Span[];

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text: cleanLine(text), tone }; // the border of this screen: whoever made the text, no terminal acts on it
}

export function widthOf(line: Line): number {
  return line.reduce((width, { text }) => width + text.length, 0);
}

/**
 * Text from outside, made safe for a terminal: nothing it acts on, and only characters that take one cell, so that columns stay columns.
 */
export function clean(text: string): string {
  let safe = '';
  for (const character of cleanLine(text)) {
    const code = character.codePointAt(0) ?? 0;
    if (isCombining(code)) continue;
    safe += code < 0x1100 ? character : '·';
  }
  return safe;
}

/** Exactly `width` cells: cut with a `~`, or filled with spaces. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  if (width <= 0) return '';
  if (text.length > width) return width === 1 ? text.slice(0, 1) : `${text.slice(0, width - 1)}~`;
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

/**
 * A name in exactly `width` cells. What tells patients apart stands at the end as often as at the beginning, "Synthetic 10" and "Synthetic 11":
 * both are kept, and the middle gives way.
 */
export function fitName(name: string, width: number): string {
  const kept = Math.min(4, Math.floor((width - 1) / 2));
  if (name.length <= width || kept < 1) return fit(name, width);
  return `${name.slice(0, width - 1 - kept)}~${name.slice(-kept)}`;
}

/** A line of exactly `width` cells with `right` at its right edge; when there is no room, the left side gives way, a space before the right. */
export function spread(left: Line, right: Line, width: number): Line {
  const room = width - widthOf(right);
  const cut = widthOf(left) <= room ? left : cutLine(left, Math.max(0, right.length === 0 ? room : room - 1));
  return [...cut, span(' '.repeat(Math.max(0, room - widthOf(cut)))), ...cutLine(right, width)];
}

/** At most `width` cells. Half a sentence says that it is one: what was cut ends with a `~`. */
export function cutLine(line: Line, width: number): Line {
  const isCut = widthOf(line) > width;
  const kept: Span[] = [];
  let room = width;
  for (const one of line) {
    if (room <= 0) break;
    const isLast = isCut && one.text.length >= room;
    kept.push(isLast ? { ...one, text: fit(`${one.text.slice(0, room)} `, room) } : one);
    room -= one.text.length;
  }
  return kept;
}

// Combining marks stack instead of taking a cell.
function isCombining(code: number): boolean {
  return code >= 0x0300 && code <= 0x036f;
}
