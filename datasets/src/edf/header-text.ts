import type { ChannelScale } from '@vitalwire/contract';
import { signalFields } from './layout.ts';

const FIELD_CHARS = 8;

/** A number in eight characters, without an exponent; null when it does not fit at all. */
function numberText(value: number): { readonly text: string; readonly exact: boolean } | null {
  const whole = String(value);
  if (whole.length <= FIELD_CHARS && !whole.includes('e')) return { text: whole, exact: true };
  for (let decimals = FIELD_CHARS - 2; decimals >= 0; decimals -= 1) {
    const text = value.toFixed(decimals);
    const short = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
    if (short.length <= FIELD_CHARS && !short.includes('e')) return { text: short, exact: Number(short) === value };
  }
  return null;
}

export type WrittenScale = {
  readonly label: string;
  readonly unit: string;
  readonly digitalMin: string;
  readonly digitalMax: string;
  readonly physicalMin: string;
  readonly physicalMax: string;
};

/** What a channel's line between counts and values looks like in the header, and what is told when it is not exactly the same. */
export function writtenScale(
  scale: ChannelScale,
  bits: 16 | 24,
): { readonly written: WrittenScale; readonly notes: readonly string[] } | null {
  const notes: string[] = [];
  const label = fitted(scale.label, signalFields.label);
  if (label !== scale.label) notes.push(`label '${scale.label}' is written as '${label}'`);
  const unit = fitted(scale.unit, signalFields.unit);
  if (unit !== scale.unit) notes.push(`unit '${scale.unit}' of ${label} is written as '${unit}'`);
  const names = { label: /^[EB]DF Annotations$/.test(label) ? `${label.slice(0, 14)}.` : label, unit };
  for (const line of sameLines(scale, bits)) {
    const [low, high] = [numberText(line.physicalMin), numberText(line.physicalMax)];
    if (low?.exact === true && high?.exact === true && low.text !== high.text)
      return { written: asText(names, line, low.text, high.text), notes };
  }
  const bounded = withinBits(scale, bits);
  const [low, high] = [numberText(bounded.physicalMin), numberText(bounded.physicalMax)];
  if (low === null || high === null || low.text === high.text) return null;
  notes.push(`physical range of ${label}, ${bounded.physicalMin} to ${bounded.physicalMax}, is rounded to ${low.text} to ${high.text}`);
  return { written: asText(names, bounded, low.text, high.text), notes };
}

function asText(names: { label: string; unit: string }, line: ChannelScale, physicalMin: string, physicalMax: string): WrittenScale {
  return { ...names, digitalMin: String(line.digitalMin), digitalMax: String(line.digitalMax), physicalMin, physicalMax };
}

/** The same line through other points: the given ones first, then rounder counts, whose values have fewer digits. */
function* sameLines(scale: ChannelScale, bits: 16 | 24): Generator<ChannelScale> {
  const bounded = withinBits(scale, bits);
  yield bounded;
  const gain = (scale.physicalMax - scale.physicalMin) / (scale.digitalMax - scale.digitalMin);
  const value = (digital: number) => Number((scale.physicalMin + (digital - scale.digitalMin) * gain).toPrecision(12));
  for (let step = 10; step <= 1_000_000; step *= 10) {
    const digitalMin = Math.ceil(bounded.digitalMin / step) * step;
    const digitalMax = Math.floor(bounded.digitalMax / step) * step;
    if (digitalMin >= digitalMax) return;
    yield { ...bounded, digitalMin, digitalMax, physicalMin: value(digitalMin), physicalMax: value(digitalMax) };
  }
}

/** Declared counts that the format cannot hold are moved along the line to those it can. */
function withinBits(scale: ChannelScale, bits: 16 | 24): ChannelScale {
  const limit = 2 ** (bits - 1);
  if (scale.digitalMin >= -limit && scale.digitalMax < limit) return scale;
  const gain = (scale.physicalMax - scale.physicalMin) / (scale.digitalMax - scale.digitalMin);
  const digitalMin = Math.max(scale.digitalMin, -limit);
  const digitalMax = Math.min(scale.digitalMax, limit - 1);
  const value = (digital: number) => Number((scale.physicalMin + (digital - scale.digitalMin) * gain).toPrecision(12));
  return { ...scale, digitalMin, digitalMax, physicalMin: value(digitalMin), physicalMax: value(digitalMax) };
}

/** Printable ASCII, as the format asks, and no longer than its field. */
export function fitted(text: string, chars: number): string {
  const ascii = text
    .replace(/^[µμ]/, 'u')
    .replace(/[^\x20-\x7e]/g, '?')
    .trim();
  return ascii.slice(0, chars).trim();
}
