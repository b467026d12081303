/** What to do with a value that begins: look inside, hand it over whole, or pass over it. Scalars cannot be walked. */
export type Visit = 'walk' | 'keep' | 'skip';
export type JsonKind = 'object' | 'list' | 'scalar';

export type JsonVisitor = {
  /** A value begins: under `key` of the walked object, or with `null` as the root or in a walked list. */
  begin(key: string | null, kind: JsonKind): Visit;
  /** A kept value; `undefined` when it was longer than may be kept. */
  value(key: string | null, value: unknown): void;
  /** The walked value that began last has ended. */
  end(): void;
};

/** Text that is no JSON, and at which byte it stops being some. */
export class JsonProblem extends Error {
  override readonly name = 'JsonProblem';
}

const MAX_DEPTH = 128;
const MAX_KEY_BYTES = 1_024;
const MAX_KEPT_BYTES = 256 * 1024;

type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/**
 * Reads JSON as its bytes arrive, in memory that does not grow with it: walks the containers that a visitor wants to look into, hands over
 * the values it wants, one by one and parsed by JSON.parse, and passes over the rest. Of what is passed over only the brackets and
 * strings are checked.
 */
export class JsonScanner {
  readonly #visitor: JsonVisitor;
  readonly #walked: boolean[] = []; // the walked containers around this place: whether it is an object
  readonly #open = new Uint8Array(MAX_DEPTH); // the brackets that are open inside the value that is kept or passed over
  #expected: Expected = 'value';
  #key: string | null = null;
  #position = 0; // bytes before this chunk
  #bom = 0;
  // the value that is kept or passed over, or the key that is read
  #raw: 'no' | 'key' | 'keep' | 'skip' = 'no';
  #kind: 'string' | 'plain' | 'container' = 'plain';
  #depth = 0;
  #inString = false;
  #escaped = false;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(visitor: JsonVisitor) {
    this.#visitor = visitor;
  }

  write(chunk: Uint8Array): void {
    let at = 0;
    while (
      this.#position + at < byteOrderMark.length &&
      this.#bom === this.#position + at &&
      chunk[at] === byteOrderMark[at + this.#position]
    ) {
      this.#bom += 1;
      at += 1;
      if (at >= chunk.length) break;
    }
    while (at < chunk.length) at = this.#raw === 'no' ? this.#step(chunk, at) : this.#rawStep(chunk, at);
    this.#position += chunk.length;
  }

  /** Nothing follows. */
  end(): void {
    if (this.#raw !== 'no' && this.#kind === 'plain') this.#finish(new Uint8Array(0), 0, 0); // a number at the very end
    if (this.#expected !== 'nothing')
      throw new JsonProblem(this.#position === 0 ? 'the body is empty' : `it ends at byte ${this.#position} inside a value`);
  }

  #step(chunk: Uint8Array, at: number): number {
    const byte = chunk[at] ?? 0;
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return at + 1;
    switch (this.#expected) {
      case 'value':
      case 'value-or-end':
        if (byte === CLOSE_LIST && this.#expected === 'value-or-end') return this.#leave(at);
        return this.#beginValue(byte, chunk, at);
      case 'key':
      case 'key-or-end':
        if (byte === CLOSE_OBJECT && this.#expected === 'key-or-end') return this.#leave(at);
        if (byte !== QUOTE) return this.#fail(at, 'a key is expected');
        this.#beginRaw('key', 'string');
        return this.#rawStep(chunk, at);
      case 'colon':
        if (byte !== COLON) return this.#fail(at, 'a colon is expected');
        this.#expected = 'value';
        return at + 1;
      case 'comma-or-end': {
        const isObject = this.#walked.at(-1) === true;
        if (byte === (isObject ? CLOSE_OBJECT : CLOSE_LIST)) return this.#leave(at);
        if (byte !== COMMA) return this.#fail(at, 'a comma or an end is expected');
        this.#expected = isObject ? 'key' : 'value';
        return at + 1;
      }
      case 'nothing':
        return this.#fail(at, 'something follows the end');
    }
  }

  #beginValue(byte: number, chunk: Uint8Array, at: number): number {
    const kind: JsonKind = byte === OPEN_OBJECT ? 'object' : byte === OPEN_LIST ? 'list' : 'scalar';
    if (kind === 'scalar' && byte !== QUOTE && !isPlain(byte)) return this.#fail(at, 'a value is expected');
    const visit = this.#visitor.begin(this.#key, kind);
    if (visit === 'walk' && kind !== 'scalar') {
      if (this.#walked.length >= MAX_DEPTH) return this.#fail(at, `deeper than ${MAX_DEPTH} levels`);
      this.#walked.push(kind === 'object');
      this.#key = null;
      this.#expected = kind === 'object' ? 'key-or-end' : 'value-or-end';
      return at + 1;
    }
    this.#beginRaw(visit === 'keep' ? 'keep' : 'skip', kind !== 'scalar' ? 'container' : byte === QUOTE ? 'string' : 'plain');
    return this.#rawStep(chunk, at);
  }

  #beginRaw(raw: 'key' | 'keep' | 'skip', kind: 'string' | 'plain' | 'container'): void {
    this.#raw = raw;
    this.#kind = kind;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    this.#parts = [];
    this.#bytes = 0;
  }

  /** Goes through the bytes of one value; returns where it stopped. */
  #rawStep(chunk: Uint8Array, from: number): number {
    if (this.#kind === 'plain') {
      let at = from;
      while (at < chunk.length && isPlain(chunk[at] ?? 0)) at += 1;
      if (at === chunk.length) return this.#collect(chunk, from, at);
      return this.#finish(chunk, from, at);
    }
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) {
          inString = false;
          if (depth === 0) return this.#finish(chunk, from, at + 1);
        }
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        if (depth + this.#walked.length >= MAX_DEPTH) return this.#fail(at, `deeper than ${MAX_DEPTH} levels`);
        this.#open[depth] = byte;
        depth += 1;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        depth -= 1;
        if (this.#open[depth] !== byte - 2) return this.#fail(at, 'a bracket closes what another opened'); // { and }, [ and ] are two apart
        if (depth === 0) return this.#finish(chunk, from, at + 1);
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
    return this.#collect(chunk, from, chunk.length);
  }

  #collect(chunk: Uint8Array, from: number, to: number): number {
    if (this.#raw === 'skip') return to;
    this.#bytes += to - from;
    if (this.#bytes > this.#most) this.#parts = [];
    else this.#parts.push(chunk.slice(from, to)); // a copy: the chunk is not ours
    return to;
  }

  get #most(): number {
    return this.#raw === 'key' ? MAX_KEY_BYTES : MAX_KEPT_BYTES;
  }

  #finish(chunk: Uint8Array, from: number, to: number): number {
    const raw = this.#raw;
    const key = this.#key;
    const isTooLong = this.#bytes + to - from > this.#most;
    const text = raw === 'skip' || isTooLong ? null : this.#textOf(chunk, from, to);
    this.#raw = 'no';
    this.#parts = [];
    if (raw === 'key') {
      this.#key = text === null ? '' : String(this.#parse(text, from));
      this.#expected = 'colon';
      return to;
    }
    this.#key = null;
    this.#expected = this.#walked.length === 0 ? 'nothing' : 'comma-or-end';
    if (raw === 'keep') this.#visitor.value(key, text === null ? undefined : this.#parse(text, from));
    return to;
  }

  #textOf(chunk: Uint8Array, from: number, to: number): string {
    const last = Buffer.from(chunk.buffer, chunk.byteOffset + from, to - from);
    return this.#parts.length === 0 ? last.toString('utf8') : Buffer.concat([...this.#parts, last]).toString('utf8');
  }

  #parse(text: string, at: number): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return this.#fail(at, 'a value cannot be read');
    }
  }

  #leave(at: number): number {
    this.#walked.pop();
    this.#key = null;
    this.#expected = this.#walked.length === 0 ? 'nothing' : 'comma-or-end';
    this.#visitor.end();
    return at + 1;
  }

  // Never with the text around it: it may hold a name.
  #fail(at: number, what: string): never {
    throw new JsonProblem(`${what} at byte ${this.#position + at}`);
  }
}

/** Part of a number or of true, false, null. */
function isPlain(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e
  );
}
