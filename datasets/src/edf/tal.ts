import { parseDecimal, toMicros } from '../decimal.ts';

/** One time-stamped annotation list of a data record. The first text of a time-keeping list is empty. */
export type Tal = {
  readonly onsetUs: number;
  readonly durationUs: number | null;
  readonly texts: readonly string[];
  readonly offset: number; // bytes since the start of the annotation signal's part of the record
};

export type TalFault = { readonly offset: number; readonly found: string; readonly expected: string };

const END = 0;
const TEXT_ENDS = 0x14;
const DURATION_FOLLOWS = 0x15;

const utf8 = new TextDecoder('utf-8', { fatal: true });
const latin1 = new TextDecoder('latin1');

/** Reads the annotation bytes of one record; what is no list is told and skipped up to the next zero byte. */
export function parseTals(bytes: Uint8Array): { readonly tals: Tal[]; readonly faults: TalFault[] } {
  const tals: Tal[] = [];
  const faults: TalFault[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === END) {
      at += 1;
      continue;
    }
    const zero = bytes.indexOf(END, at);
    const end = zero === -1 ? bytes.length : zero;
    const list = parseOne(bytes.subarray(at, end), at, faults);
    if (list !== null) tals.push(list);
    at = end + 1;
  }
  return { tals, faults };
}

function parseOne(bytes: Uint8Array, offset: number, faults: TalFault[]): Tal | null {
  const refuse = (found: string, expected: string): null => {
    faults.push({ offset, found, expected });
    return null;
  };
  const head = bytes.indexOf(TEXT_ENDS);
  if (head === -1) return refuse('a list without the byte 20', 'onset, byte 20, texts that end with byte 20');
  const [onsetText = '', durationText] = latin1.decode(bytes.subarray(0, head)).split(String.fromCharCode(DURATION_FOLLOWS));
  const onsetUs = microsOf(onsetText);
  if (onsetUs === null) return refuse(JSON.stringify(onsetText.slice(0, 24)), 'an onset such as +12.5');
  if (!/^[+-]/.test(onsetText)) faults.push({ offset, found: JSON.stringify(onsetText.slice(0, 24)), expected: 'an onset with a sign' });
  let durationUs: number | null = null;
  if (durationText !== undefined && durationText !== '') {
    durationUs = microsOf(durationText);
    if (durationUs === null || durationUs < 0) {
      faults.push({ offset, found: JSON.stringify(durationText.slice(0, 24)), expected: 'a duration such as 12.5' });
      durationUs = null;
    }
  }
  const texts: string[] = [];
  let at = head + 1;
  while (at < bytes.length) {
    const next = bytes.indexOf(TEXT_ENDS, at);
    if (next === -1) faults.push({ offset: offset + at, found: 'a text without an end', expected: 'byte 20 after every text' });
    const end = next === -1 ? bytes.length : next;
    texts.push(decodeText(bytes.subarray(at, end), offset + at, faults));
    at = end + 1;
  }
  return { onsetUs, durationUs, texts, offset };
}

/** UTF-8 as EDF+ asks; older programs wrote Latin-1. */
function decodeText(bytes: Uint8Array, offset: number, faults: TalFault[]): string {
  try {
    return utf8.decode(bytes);
  } catch {
    faults.push({ offset, found: 'bytes that are no UTF-8, read as Latin-1', expected: 'UTF-8' });
    return latin1.decode(bytes);
  }
}

function microsOf(text: string): number | null {
  const decimal = parseDecimal(text.trim());
  return decimal === null ? null : toMicros(decimal);
}
