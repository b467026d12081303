import { type Decimal, parseDecimal } from '../decimal.ts';
import { type ProblemList, quoted } from '../problem-list.ts';
import type { SourceProblem } from '../signal-source.ts';

/** Text fields at fixed places of an EDF header; whatever reads only with goodwill is told. */
export class HeaderFields {
  readonly #bytes: Uint8Array;
  readonly #problems: ProblemList;

  constructor(bytes: Uint8Array, problems: ProblemList) {
    this.#bytes = bytes;
    this.#problems = problems;
  }

  /** Latin-1, without the padding: spaces as the format says, zero bytes as some programs write. */
  text(offset: number, length: number): string {
    const text = latin1.decode(this.#bytes.subarray(offset, offset + length));
    return text.replace(padding, '');
  }

  /** A whole number, or null with a problem. */
  whole(field: string, offset: number, length: number): number | null {
    const decimal = this.decimal(field, offset, length, 'a whole number');
    if (decimal === null) return null;
    const value = Number(decimal.units) / 10 ** decimal.scale;
    if (Number.isSafeInteger(value)) return value;
    return this.tell(field, offset, this.text(offset, length), 'a whole number');
  }

  /** A decimal number exactly as written, or null with a problem. A comma is read as a point. */
  decimal(field: string, offset: number, length: number, expected = 'a number'): Decimal | null {
    const text = this.text(offset, length);
    const exact = parseDecimal(text.trim());
    if (exact !== null) return exact;
    const lenient = parseDecimal(text.trim().replace(',', '.'));
    this.tell(field, offset, text, expected);
    return lenient;
  }

  tell(field: string, offset: number, found: string, expected: string): null {
    this.problem({ field, at: offset, unit: 'byte', found: quoted(found), expected });
    return null;
  }

  problem(problem: SourceProblem): void {
    this.#problems.add(problem);
  }
}

const latin1 = new TextDecoder('latin1');
const padding = new RegExp(`[ ${String.fromCharCode(0)}]+$`);
