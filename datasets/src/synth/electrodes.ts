import { cosine, sine } from './exact-math.ts';

/** A place on the head seen from above: x to the right, y to the nose, both -1 to 1. */
export type Electrode = { readonly name: string; readonly x: number; readonly y: number };

/** What one channel shows: the first electrode against the second, or against nothing (referential). */
export type Derivation = { readonly label: string; readonly plus: Electrode; readonly minus: Electrode | null };

const rows: Readonly<Record<string, number>> = {
  FP: 0.9,
  AF: 0.7,
  F: 0.5,
  FC: 0.25,
  FT: 0.25,
  C: 0,
  T: 0,
  CP: -0.25,
  TP: -0.25,
  P: -0.5,
  PO: -0.7,
  O: -0.9,
};
const prefixes: Readonly<Record<string, string>> = {
  FP: 'Fp',
  AF: 'AF',
  F: 'F',
  FC: 'FC',
  FT: 'FT',
  C: 'C',
  T: 'T',
  CP: 'CP',
  TP: 'TP',
  P: 'P',
  PO: 'PO',
  O: 'O',
};
const olderNames: Readonly<Record<string, string>> = { T3: 'T7', T4: 'T8', T5: 'P7', T6: 'P8' };

/** The 19 of the 10-20 system, in the usual order of a referential montage. */
export const tenTwenty: readonly string[] = 'Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2'.split(' ');
// Which of the 19 to take when fewer are wanted, and which further ones when more are.
const mostWanted = 'C3 C4 O1 O2 Fp1 Fp2 T7 T8 Fz Pz F3 F4 P3 P4 F7 F8 P7 P8 Cz'.split(' ');
const further =
  'F9 F10 T9 T10 P9 P10 Fpz Oz AF3 AF4 FC1 FC2 FC5 FC6 CP1 CP2 CP5 CP6 PO3 PO4 AF7 AF8 FT7 FT8 TP7 TP8 PO7 PO8 AFz FCz CPz POz F1 F2 F5 F6 FC3 FC4 C1 C2 C5 C6 CP3 CP4 P1 P2 P5 P6 FT9 FT10 TP9 TP10'.split(
    ' ',
  );

/** The longitudinal bipolar set of CHB-MIT, 23 channels in the order and the spelling of its files: T8-P8 is there twice. */
export const chbMitLabels: readonly string[] =
  'FP1-F7 F7-T7 T7-P7 P7-O1 FP1-F3 F3-C3 C3-P3 P3-O1 FP2-F4 F4-C4 C4-P4 P4-O2 FP2-F8 F8-T8 T8-P8 P8-O2 FZ-CZ CZ-PZ P7-T7 T7-FT9 FT9-FT10 FT10-T8 T8-P8'.split(
    ' ',
  );

/** `count` referential channels: 10-20 names first, then 10-10, then X01, X02, … on a spiral. */
export function referentialLabels(count: number): string[] {
  if (count <= tenTwenty.length) {
    const chosen = new Set(mostWanted.slice(0, count));
    return tenTwenty.filter((name) => chosen.has(name));
  }
  const named = [...tenTwenty, ...further].slice(0, count);
  return [...named, ...Array.from({ length: count - named.length }, (_, index) => `X${String(index + 1).padStart(2, '0')}`)];
}

/** The channel a label means, or null when an electrode in it has no known place. Letter case and T3-T6 for T7-P8 do not matter. */
export function derivationOf(label: string): Derivation | null {
  const [plusName = '', minusName, ...rest] = label.trim().split('-');
  const plus = electrodeOf(plusName);
  if (plus === null || rest.length > 0) return null;
  if (minusName === undefined) return { label: label.trim(), plus, minus: null };
  const minus = electrodeOf(minusName);
  return minus === null ? null : { label: label.trim(), plus, minus };
}

function electrodeOf(name: string): Electrode | null {
  const spiral = /^X(\d{2,3})$/i.exec(name);
  if (spiral?.[1] !== undefined) return spiralPlace(Number(spiral[1]), name.toUpperCase());
  const known = olderNames[name.toUpperCase()] ?? name;
  const match = /^([A-Z]{1,2})(Z|10|[1-9])$/i.exec(known);
  const row = match?.[1]?.toUpperCase() ?? '';
  const column = match?.[2]?.toUpperCase() ?? '';
  const y = rows[row];
  if (y === undefined) return null;
  const side = column === 'Z' ? 0 : Number(column) % 2 === 1 ? -1 : 1;
  const out = column === 'Z' ? 0 : Math.ceil(Number(column) / 2) / 5; // 1, 2: 0.2 … 9, 10: 1
  const width = Math.sqrt(1 - 0.9 * y * y); // the head is narrow at both ends
  return { name: `${prefixes[row]}${column === 'Z' ? 'z' : column}`, x: side * out * width, y };
}

function spiralPlace(index: number, name: string): Electrode {
  const radius = Math.sqrt(((index * 7) % 64) / 64);
  return { name, x: radius * sine(index * 0.381966), y: radius * cosine(index * 0.381966) };
}
