import { seizureMeaning } from '../annotations/seizure-words.ts';
import { decimalText } from '../decimal.ts';
import type { SourceAnnotation } from '../signal-source.ts';

const utf8 = new TextEncoder();

/** Less than this is asking for trouble: EDFlib reads it, other programs expect some room. */
const MIN_AREA_BYTES = 114;

/** `+1799.5`: seconds with as many decimals as it takes. */
export function onsetText(us: number): string {
  const text = decimalText({ units: BigInt(us), scale: 6 });
  return text.startsWith('-') ? text : `+${text}`;
}

/** The first list of a record: when it begins. */
function timeKeepingTal(onsetUs: number): Uint8Array {
  return utf8.encode(`${onsetText(onsetUs)}\x14\x14\0`);
}

/** An annotation as lists: one for each channel it speaks of, because other programs understand one `@@label` only. */
export function annotationTals({ onsetUs, durationUs, type, text, channels }: SourceAnnotation, shiftUs = 0): Uint8Array[] {
  const duration = durationUs === null ? '' : `\x15${decimalText({ units: BigInt(durationUs), scale: 6 })}`;
  const words = writable(type === 'seizure' ? seizureText(text) : text === '' ? 'annotation' : text).replaceAll('@@', '@ @');
  const places = channels.length === 0 ? [''] : channels.map((label) => `@@${writable(label)}`);
  return places.map((place) => utf8.encode(`${onsetText(onsetUs + shiftUs)}${duration}\x14${words}${place}\x14\0`));
}

/** A seizure must read as one again, however its own text is put. */
function seizureText(text: string): string {
  const reads = (candidate: string) => ['whole', 'start'].includes(seizureMeaning(candidate) ?? '');
  if (reads(text)) return text;
  return text !== '' && reads(`Seizure: ${text}`) ? `Seizure: ${text}` : 'Seizure';
}

/** The three bytes that end a list, a text and an onset cannot stand in a text. */
function writable(text: string): string {
  return ['\0', '\x14', '\x15'].reduce((words, ending) => words.replaceAll(ending, ' '), text.toWellFormed());
}

/** What stands in the annotation area of each record, and how large that area is. */
export type PackedTals = { readonly areaBytes: number; readonly perRecord: readonly (readonly Uint8Array[])[] };

/**
 * Puts every annotation into the record it begins in, or a later one where that is full, so that the area, which all records have, stays small.
 * `records` are their onsets; each area begins with the time of its record. `annotations` are in order of onset.
 */
export function packTals(
  records: readonly number[],
  annotations: readonly { readonly onsetUs: number; readonly tal: Uint8Array }[],
): PackedTals {
  const keeping = records.map(timeKeepingTal);
  const longest = keeping.reduce((most, { length }) => Math.max(most, length), 0);
  const largest = annotations.reduce((most, { tal }) => Math.max(most, tal.length), 0);
  const total = annotations.reduce((sum, { tal }) => sum + tal.length, 0);
  let areaBytes = Math.max(MIN_AREA_BYTES, longest + largest, longest + Math.ceil(total / Math.max(1, records.length)));
  for (;;) {
    const packed = packInto(areaBytes, records, keeping, annotations);
    if (packed !== null) return { areaBytes, perRecord: packed };
    areaBytes = Math.ceil(areaBytes * 1.5);
  }
}

function packInto(
  areaBytes: number,
  records: readonly number[],
  keeping: readonly Uint8Array[],
  annotations: readonly { readonly onsetUs: number; readonly tal: Uint8Array }[],
): Uint8Array[][] | null {
  const perRecord = keeping.map((tal) => [tal]);
  const used = keeping.map(({ length }) => length);
  let record = 0;
  for (const { onsetUs, tal } of annotations) {
    while (record + 1 < records.length && (records[record + 1] ?? 0) <= onsetUs) record += 1;
    while (record < records.length && (used[record] ?? 0) + tal.length > areaBytes) record += 1;
    const list = perRecord[record];
    if (list === undefined) return null;
    list.push(tal);
    used[record] = (used[record] ?? 0) + tal.length;
  }
  return perRecord;
}
