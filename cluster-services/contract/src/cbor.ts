import type { DecodeReason } from './decoded.ts';

// The part of CBOR (RFC 8949) we speak: definite lengths, shortest integers, float64 only for what is no safe integer,
// strict UTF-8, no tags. A schema drives the reader, so depth is fixed by our code and never by the input.

const MAX_SAFE_HIGH = 0x1fffff; // high half of Number.MAX_SAFE_INTEGER
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;
const FLOAT64 = 0xfb;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

/** Stops the reader. Caught at the package's border, where it becomes a `Decoded`; nothing outside ever sees it thrown. */
export class DecodeFailure extends Error {
  readonly reason: DecodeReason;
  readonly detail: string | undefined;

  constructor(reason: DecodeReason, detail?: string) {
    super(reason);
    this.reason = reason;
    this.detail = detail;
  }
}

export function fail(reason: DecodeReason, detail?: string): never {
  throw new DecodeFailure(reason, detail);
}

export class CborReader {
  readonly bytes: Uint8Array;
  readonly lenientFloats: boolean; // intakes take 100.0 for 100; stored messages have one spelling per value
  at: number;
  #view: DataView;

  constructor(bytes: Uint8Array, at = 0, lenientFloats = false) {
    this.bytes = bytes;
    this.at = at;
    this.lenientFloats = lenientFloats;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  /** The argument of the next head, which must have this major type. */
  #argument(major: number): number {
    const { bytes } = this;
    const head = bytes[this.at];
    if (head === undefined) return fail('truncated');
    if (head >>> 5 !== major) {
      if (head >>> 5 === 6 || (head & 31) > 27) fail('malformed', 'a tag, a reserved or an indefinite length');
      return fail('wrong-type');
    }
    const info = head & 31;
    if (info < 24) {
      this.at += 1;
      return info;
    }
    if (info > 27) return fail('malformed', 'a reserved or an indefinite length');
    const size = 1 << (info - 24);
    const from = this.at + 1;
    if (from + size > bytes.length) return fail('truncated');
    this.at = from + size;
    if (size === 1) return shortest(this.#view.getUint8(from), 24);
    if (size === 2) return shortest(this.#view.getUint16(from), 0x100);
    if (size === 4) return shortest(this.#view.getUint32(from), 0x10000);
    const high = this.#view.getUint32(from);
    if (high > MAX_SAFE_HIGH) return fail('out-of-range', 'an integer beyond 2^53');
    return shortest(high * 2 ** 32 + this.#view.getUint32(from + 4), 2 ** 32);
  }

  uint(max: number): number {
    const value = this.#argument(0);
    return value <= max ? value : fail('out-of-range');
  }

  int(): number {
    const head = this.bytes[this.at];
    if (head === undefined || head >>> 5 !== 1) return this.#argument(0);
    const value = -1 - this.#argument(1);
    return Number.isSafeInteger(value) ? value : fail('out-of-range');
  }

  /** A finite number: an integer where it is a safe one, else a float64. */
  number(): number {
    if (this.bytes[this.at] !== FLOAT64) return this.int();
    if (this.remaining < 9) return fail('truncated');
    const value = this.#view.getFloat64(this.at + 1);
    this.at += 9;
    if (!Number.isFinite(value)) return fail('out-of-range', 'not a finite number');
    if (Number.isSafeInteger(value)) return this.lenientFloats ? value + 0 : fail('not-deterministic', 'a whole number as float64');
    return value;
  }

  boolean(): boolean {
    const head = this.bytes[this.at];
    if (head === undefined) return fail('truncated');
    if (head !== TRUE && head !== FALSE) return fail('wrong-type');
    this.at += 1;
    return head === TRUE;
  }

  /** Takes a null if there is one. */
  null(): boolean {
    const head = this.bytes[this.at];
    if (head === undefined) return fail('truncated');
    if (head !== NULL) return false;
    this.at += 1;
    return true;
  }

  /** A byte string as a view of the input; whoever keeps it copies it. */
  byteView(maxBytes: number): Uint8Array {
    const length = this.#argument(2);
    if (length > maxBytes) return fail('too-many', `more than ${maxBytes} bytes`);
    if (length > this.remaining) return fail('truncated');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text(maxBytes: number): string {
    const length = this.#argument(3);
    if (length > maxBytes) return fail('too-many', `a text longer than ${maxBytes} bytes`);
    if (length > this.remaining) return fail('truncated');
    const from = this.at;
    const { bytes } = this;
    this.at = from + length;
    if (length <= 64) {
      let text = '';
      let index = from;
      for (; index < this.at; index += 1) {
        const byte = bytes[index] as number;
        if (byte > 0x7f) break;
        text += String.fromCharCode(byte);
      }
      if (index === this.at) return text;
    }
    try {
      return strictUtf8.decode(bytes.subarray(from, this.at));
    } catch {
      return fail('bad-utf8');
    }
  }

  /** The count of an array. Each element takes at least a byte, so a count beyond the input is refused before anything is allocated. */
  array(max: number): number {
    const count = this.#argument(4);
    if (count > max) return fail('too-many', `more than ${max} elements`);
    return count <= this.remaining ? count : fail('truncated');
  }

  map(): number {
    const count = this.#argument(5);
    return count * 2 <= this.remaining ? count : fail('truncated');
  }

  end(): void {
    if (this.at !== this.bytes.length) fail('trailing-bytes');
  }
}

function shortest(value: number, atLeast: number): number {
  return value >= atLeast ? value : fail('not-deterministic', 'an integer longer than needed');
}

/** Builds one value in memory; what it is given is checked, because a wrong byte would be quarantined far away from its cause. */
export class CborWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  reset(): void {
    this.#at = 0;
  }

  /** A copy of what was written. */
  result(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  #room(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, at + size));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#at = at + size;
    return at;
  }

  #head(major: number, argument: number): void {
    const type = major << 5;
    if (argument < 24) this.#view.setUint8(this.#room(1), type | argument);
    else if (argument < 0x100) {
      const at = this.#room(2);
      this.#view.setUint8(at, type | 24);
      this.#view.setUint8(at + 1, argument);
    } else if (argument < 0x10000) {
      const at = this.#room(3);
      this.#view.setUint8(at, type | 25);
      this.#view.setUint16(at + 1, argument);
    } else if (argument < 2 ** 32) {
      const at = this.#room(5);
      this.#view.setUint8(at, type | 26);
      this.#view.setUint32(at + 1, argument);
    } else {
      const at = this.#room(9);
      this.#view.setUint8(at, type | 27);
      this.#view.setUint32(at + 1, Math.floor(argument / 2 ** 32));
      this.#view.setUint32(at + 5, argument % 2 ** 32);
    }
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  uint64(value: number): void {
    const at = this.#room(8);
    this.#view.setUint32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value % 2 ** 32);
  }

  int(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${value}`);
    if (value >= 0) this.#head(0, value);
    else this.#head(1, -1 - value);
  }

  number(value: number): void {
    if (Number.isSafeInteger(value)) {
      this.int(value);
      return;
    }
    if (!Number.isFinite(value)) throw new RangeError(`not a finite number: ${value}`);
    const at = this.#room(9);
    this.#view.setUint8(at, FLOAT64);
    this.#view.setFloat64(at + 1, value);
  }

  boolean(value: boolean): void {
    this.#view.setUint8(this.#room(1), value ? TRUE : FALSE);
  }

  null(): void {
    this.#view.setUint8(this.#room(1), NULL);
  }

  byteString(bytes: Uint8Array): void {
    this.#head(2, bytes.length);
    this.raw(bytes);
  }

  text(text: string, maxBytes: number): void {
    // A lone surrogate would silently become U+FFFD: whoever takes text from outside refuses it at the border.
    if (!text.isWellFormed()) throw new RangeError('a text with a lone surrogate');
    const bytes = utf8.encode(text);
    if (bytes.length > maxBytes) throw new RangeError(`a text of ${bytes.length} bytes, at most ${maxBytes} allowed`);
    this.#head(3, bytes.length);
    this.raw(bytes);
  }

  array(count: number): void {
    this.#head(4, count);
  }

  map(count: number): void {
    this.#head(5, count);
  }
}
