import type { CborReader, CborWriter } from './cbor.ts';
import { fail } from './cbor.ts';
import { bytesToHex, bytesToUuid, isId, isUuid, uuidToBytes } from './ids.ts';

/** How one kind of value is written and read: the building block from which every body is described once, for both directions. */
export type Wire<T> = {
  write(to: CborWriter, value: T): void;
  read(from: CborReader): T;
  /** As a field of a map it may be absent: a field added to a version must be, so that its older bytes stay what they are. */
  readonly optional?: true;
};

export function uint(max: number = Number.MAX_SAFE_INTEGER): Wire<number> {
  return {
    write(to, value) {
      if (!(value >= 0 && value <= max)) throw new RangeError(`${value} is not within 0..${max}`);
      to.int(value);
    },
    read: (from) => from.uint(max),
  };
}

export const int: Wire<number> = { write: (to, value) => to.int(value), read: (from) => from.int() };

export const number: Wire<number> = { write: (to, value) => to.number(value), read: (from) => from.number() };

export const boolean: Wire<boolean> = { write: (to, value) => to.boolean(value), read: (from) => from.boolean() };

/** Text of at most this many UTF-8 bytes. */
export function text(maxBytes: number): Wire<string> {
  return { write: (to, value) => to.text(value, maxBytes), read: (from) => from.text(maxBytes) };
}

export const id: Wire<string> = {
  write(to, value) {
    if (!isId(value)) throw new RangeError(`not an id: '${value}'`);
    to.text(value, 63);
  },
  read(from) {
    const value = from.text(63);
    return isId(value) ? value : fail('bad-field', 'not an id');
  },
};

export const uuid: Wire<string> = {
  write(to, value) {
    if (!isUuid(value)) throw new RangeError(`not a UUID: '${value}'`);
    to.byteString(uuidToBytes(value));
  },
  read(from) {
    const bytes = from.byteView(16);
    return bytes.length === 16 ? bytesToUuid(bytes) : fail('bad-field', 'not 16 bytes');
  },
};

/** Hexadecimal text in JS, exactly `size` bytes on the wire. */
export function hex(size: number): Wire<string> {
  const pattern = new RegExp(`^[0-9a-f]{${2 * size}}$`);
  return {
    write(to, value) {
      if (!pattern.test(value)) throw new RangeError(`expected ${2 * size} hex digits, got '${value}'`);
      to.byteString(Uint8Array.from({ length: size }, (_, index) => Number.parseInt(value.slice(2 * index, 2 * index + 2), 16)));
    },
    read(from) {
      const bytes = from.byteView(size);
      return bytes.length === size ? bytesToHex(bytes) : fail('bad-field', `not ${size} bytes`);
    },
  };
}

/** A byte string that stays a view of the input: only for blocks that are unpacked at once. */
export function block(maxBytes: number): Wire<Uint8Array> {
  return {
    write(to, value) {
      if (value.length > maxBytes) throw new RangeError(`${value.length} bytes, at most ${maxBytes}`);
      to.byteString(value);
    },
    read: (from) => from.byteView(maxBytes),
  };
}

/** One of a few names, as its index. New names go to the end of the list: the index is the wire. */
export function oneOf<const T extends string>(names: readonly T[]): Wire<T> {
  return {
    write(to, value) {
      const index = names.indexOf(value);
      if (index === -1) throw new RangeError(`'${value}' is none of ${names.join(', ')}`);
      to.int(index);
    },
    read(from) {
      const name = names[from.uint(0xff)];
      return name === undefined ? fail('bad-field', `none of ${names.join(', ')}`) : name;
    },
  };
}

/** One of a few names, as the number it has here. */
export function oneOfNumbered<T extends string>(numbers: Readonly<Record<T, number>>): Wire<T> {
  const names = new Map((Object.keys(numbers) as T[]).map((name) => [numbers[name], name]));
  return {
    write(to, value) {
      const number = numbers[value];
      if (number === undefined) throw new RangeError(`'${value}' is none of ${Object.keys(numbers).join(', ')}`);
      to.int(number);
    },
    read: (from) => names.get(from.uint(0xff)) ?? fail('bad-field', `none of ${Object.keys(numbers).join(', ')}`),
  };
}

/** One of a few integers, as itself. */
export function oneOfNumbers<const T extends number>(values: readonly T[]): Wire<T> {
  return {
    write(to, value) {
      if (!values.includes(value)) throw new RangeError(`${value} is none of ${values.join(', ')}`);
      to.int(value);
    },
    read(from) {
      const got = from.int();
      const found = values.find((value) => value === got);
      return found === undefined ? fail('bad-field', `none of ${values.join(', ')}`) : found;
    },
  };
}

/** A field that is written only where it has a value. */
export function optional<T>(wire: Wire<T>): Wire<T> {
  return { ...wire, optional: true };
}

export function nullable<T>(wire: Wire<T>): Wire<T | null> {
  return {
    write(to, value) {
      if (value === null) to.null();
      else wire.write(to, value);
    },
    read: (from) => (from.null() ? null : wire.read(from)),
  };
}

/** A value with a rule of its own; breaking it is a bug when writing and 'bad-field' when reading. */
export function checked<T>(wire: Wire<T>, rule: (value: T) => boolean, expectation: string): Wire<T> {
  return {
    write(to, value) {
      if (!rule(value)) throw new RangeError(`expected ${expectation}`);
      wire.write(to, value);
    },
    read(from) {
      const value = wire.read(from);
      return rule(value) ? value : fail('bad-field', `expected ${expectation}`);
    },
  };
}

export function listOf<T>(wire: Wire<T>, max: number): Wire<readonly T[]> {
  return {
    write(to, values) {
      if (values.length > max) throw new RangeError(`${values.length} elements, at most ${max}`);
      to.array(values.length);
      for (const value of values) wire.write(to, value);
    },
    read(from) {
      const count = from.array(max);
      const values: T[] = [];
      for (let index = 0; index < count; index += 1) values.push(wire.read(from));
      return values;
    },
  };
}

type Fields<T> = { readonly [K in keyof T & string]-?: Wire<T[K]> };

/** A small record as an array, in the order of its fields here. */
export function rowOf<T extends object>(fields: Fields<T>): Wire<T> {
  const entries = Object.entries(fields) as [keyof T & string, Wire<T[keyof T & string]>][];
  return {
    write(to, value) {
      to.array(entries.length);
      for (const [name, wire] of entries) wire.write(to, value[name]);
    },
    read(from) {
      if (from.array(0xff) !== entries.length) fail('bad-field', `expected ${entries.length} elements`);
      const value: Partial<T> = {};
      for (const [name, wire] of entries) value[name] = wire.read(from);
      return value as T;
    },
  };
}

/** Fields of a map with small unsigned keys, ready to be written and read in ascending order of their keys. */
export type MapFields<T> = {
  readonly entries: readonly { readonly key: number; readonly name: keyof T & string; readonly wire: Wire<T[keyof T & string]> }[];
};

export function fieldsOf<T extends object>(keys: Readonly<Record<keyof T & string, number>>, fields: Fields<T>): MapFields<T> {
  const entries = (Object.entries(fields) as [keyof T & string, Wire<T[keyof T & string]>][])
    .map(([name, wire]) => ({ key: keys[name], name, wire }))
    .sort((a, b) => a.key - b.key);
  return { entries };
}

export function writeFields<T extends object>(to: CborWriter, fields: MapFields<T>, value: T): void {
  for (const { key, name, wire } of fields.entries) {
    if (isAbsent(wire, value[name])) continue;
    to.int(key);
    try {
      wire.write(to, value[name]);
    } catch (cause) {
      if (cause instanceof RangeError) throw new RangeError(`${name}: ${cause.message}`, { cause });
      throw cause;
    }
  }
}

/** How many of these fields this value has: the size of the map it is written as. */
export function countFields<T extends object>(fields: MapFields<T>, value: T): number {
  return fields.entries.reduce((count, { name, wire }) => count + (isAbsent(wire, value[name]) ? 0 : 1), 0);
}

function isAbsent<T>(wire: Wire<T>, value: T | undefined): boolean {
  return wire.optional === true && value === undefined;
}

/** Walks the keys of one map: each must be the expected one, and the map must end with the last. */
export class MapReader {
  readonly #from: CborReader;
  #left: number;
  #lastKey = -1;

  constructor(from: CborReader) {
    this.#from = from;
    this.#left = from.map();
  }

  /** Takes the next key if it is this one; an optional field may be absent. */
  key(expected: number, name: string, optional = false): boolean {
    if (this.#left === 0) return optional ? false : fail('missing-field', name);
    const before = this.#from.at;
    const key = this.#from.uint(0xffff);
    if (key === this.#lastKey) fail('duplicate-key', String(key));
    if (key < this.#lastKey) fail('unordered-keys', String(key));
    if (key < expected) fail('unexpected-field', `key ${key}`);
    if (key > expected) {
      if (!optional) return fail('missing-field', name);
      this.#from.at = before;
      return false;
    }
    this.#lastKey = key;
    this.#left -= 1;
    return true;
  }

  /** Reads these fields in order, into a value that may already hold others. */
  fields<T extends object>(fields: MapFields<T>, into: object = {}): T {
    const value: Partial<T> = into;
    for (const { key, name, wire } of fields.entries) {
      if (!this.key(key, name, wire.optional === true)) continue;
      value[name] = wire.read(this.#from);
    }
    return value as T;
  }

  end(): void {
    if (this.#left > 0) fail('unexpected-field', `${this.#left} more`);
  }
}
