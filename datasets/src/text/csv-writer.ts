import type { ChannelScale } from '@vitalwire/contract';
import { szcoreTsv } from '../annotations/szcore-tsv.ts';
import { DatasetError } from '../dataset-error.ts';
import { physicalValue } from '../physical.ts';
import type { SignalSource } from '../signal-source.ts';
import { writeWhole } from '../whole-file.ts';

export type WriteCsvOptions = {
  /** Which group, when there is more than one. */
  readonly group?: number;
  readonly signal?: AbortSignal;
};

const ROWS_PER_BLOCK = 4_096;

/** A scale with at most so many digits after the point is written without rounding. */
const MAX_EXACT_PLACES = 6;

/** Digits below one count, where a scale has no short decimal form. */
const EXTRA_PLACES = 2;

/** Writes a group as CSV: the time of each row in seconds, then the physical value of each channel, its unit in the header. */
export async function writeCsv(path: string, source: SignalSource, options: WriteCsvOptions = {}): Promise<{ readonly rows: number }> {
  const { groups, name } = source;
  if (options.group === undefined && groups.length > 1) {
    const rates = groups.map(({ rate, channels }, index) => `${index} (${channels.length} channels at ${rate.num / rate.den} Hz)`);
    throw new DatasetError('OPTION_NEEDED', `${name} as CSV: it has several rates; choose one group of ${rates.join(', ')}`);
  }
  const index = options.group ?? 0;
  const group = groups[index];
  if (group === undefined) throw new DatasetError('OPTION_REFUSED', `${name} as CSV: group ${index}; there are ${groups.length}`);
  const places = group.channels.map(placesOf);
  let rows = 0;
  await writeWhole(path, async (handle) => {
    await handle.write(`${['time (s)', ...group.channels.map(heading)].join(',')}\n`);
    for (const stretch of group.stretches) {
      for (let from = 0; from < stretch.samples; from += ROWS_PER_BLOCK) {
        options.signal?.throwIfAborted();
        const count = Math.min(ROWS_PER_BLOCK, stretch.samples - from);
        const arrays = await source.read(index, stretch.firstSample + from, count);
        let text = '';
        for (let at = 0; at < count; at += 1) {
          text += (stretch.onsetUs / 1e6 + ((from + at) * group.rate.den) / group.rate.num).toFixed(6);
          for (const [channel, scale] of group.channels.entries()) {
            text += `,${physicalValue(scale, arrays[channel]?.[at] ?? 0).toFixed(places[channel])}`;
          }
          text += '\n';
        }
        await handle.write(text);
        rows += count;
      }
    }
  });
  return { rows };
}

/** Writes the seizures of a source as a SzCORE events file. */
export async function writeSzcoreTsv(path: string, source: SignalSource): Promise<void> {
  const text = szcoreTsv(await source.annotations(), source);
  await writeWhole(path, async (handle) => {
    await handle.write(text);
  });
}

function heading({ label, unit }: ChannelScale): string {
  const text = `${label} (${unit === '' ? 'counts' : unit})`;
  return /[",;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Digits after the point: as many as make every value exact, where that is possible. */
function placesOf(scale: ChannelScale): number {
  const gain = Math.abs((scale.physicalMax - scale.physicalMin) / (scale.digitalMax - scale.digitalMin));
  for (let places = 0; places <= MAX_EXACT_PLACES; places += 1) {
    if ([gain, scale.physicalMin].every((value) => isWhole(value * 10 ** places))) return places;
  }
  return Math.min(20, Math.max(0, Math.ceil(-Math.log10(gain))) + EXTRA_PLACES);
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) <= 1e-9 * Math.max(1, Math.abs(value));
}
