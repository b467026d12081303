import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonProblem, JsonScanner, type Visit } from './json-scanner.ts';

test('whatever JSON is cut into whatever pieces comes out as JSON.parse gives it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }), fc.nat(4), (text, cuts, depth) => {
      expect(rebuilt(text, cuts, depth)).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('strings with every kind of escape, quotes and letters of several bytes survive the cuts', () => {
  const value = { 'k"ey\\': ['\\', '"', '\u202f“é😀', '\\"}]', 'a\nb', ''], empty: {}, list: [[], {}, [1.5e-3, -7, true, null]] };
  const text = `\ufeff \n${JSON.stringify(value, null, 2)}\t`;
  for (let cut = 1; cut < 12; cut += 1) expect(rebuilt(text, [cut], 9)).toEqual(value);
});

test('damaged text never does worse than a JsonProblem, and what JSON.parse takes is taken', () => {
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 4 }),
      fc.array(fc.tuple(fc.nat(200), fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', ' ', '1', 'x', '')), { maxLength: 4 }),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
      (good, damages, cuts) => {
        let text = good;
        for (const [at, by] of damages) text = text.slice(0, at) + by + text.slice(at + 1);
        const parsed = parse(text);
        const scanned = scan(text, cuts);
        if (parsed !== undefined) expect(scanned).toEqual(parsed);
      },
    ),
    { numRuns: 2_000 },
  );
});

test.each(['', '  ', '{', '[1,]', '{"a":1,}', '{"a" 1}', '[1 2]', '{]', '[}', '1 2', '"open', '[nul]', '{"a":[1}', `${'['.repeat(200)}`])(
  '%j is refused',
  (text) => {
    expect(() => rebuilt(text, [3], 200)).toThrow(JsonProblem);
  },
);

test('what is passed over is not kept, however long it is, and what is too long to be kept says so', () => {
  const long = 'x'.repeat(400_000);
  const seen: unknown[] = [];
  const scanner = new JsonScanner({
    begin: (key, kind) => (kind === 'object' ? 'walk' : key === 'skip' ? 'skip' : 'keep'),
    value: (key, value) => seen.push([key, value]),
    end: () => {},
  });
  for (const piece of pieces(JSON.stringify({ skip: [long, { long }], keep: long, after: 1 }), [1_000])) scanner.write(piece);
  scanner.end();
  expect(seen).toEqual([
    ['keep', undefined],
    ['after', 1],
  ]);
});

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function scan(text: string, cuts: number[]): unknown {
  try {
    return rebuilt(text, cuts, 9);
  } catch (error) {
    if (error instanceof JsonProblem) return undefined;
    throw error;
  }
}

/** Walks `depth` levels and keeps what lies deeper, then puts it together again. */
function rebuilt(text: string, cuts: number[], depth: number): unknown {
  type Frame = { readonly list: unknown[] | null; readonly entries: [string, unknown][]; readonly key: string | null };
  const stack: Frame[] = [];
  let root: unknown;
  const put = (key: string | null, value: unknown): void => {
    const frame = stack.at(-1);
    if (frame === undefined) root = value;
    else if (frame.list !== null) frame.list.push(value);
    else frame.entries.push([key ?? '', value]);
  };
  const scanner = new JsonScanner({
    begin(key, kind): Visit {
      if (kind === 'scalar' || stack.length >= depth) return 'keep';
      stack.push({ list: kind === 'list' ? [] : null, entries: [], key });
      return 'walk';
    },
    value: put,
    end() {
      const frame = stack.pop();
      if (frame === undefined) throw new Error('an end without a beginning');
      put(frame.key, frame.list ?? Object.fromEntries(frame.entries));
    },
  });
  for (const piece of pieces(text, cuts)) scanner.write(piece);
  scanner.end();
  return root;
}

function* pieces(text: string, cuts: readonly number[]): Generator<Uint8Array> {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, cuts[turn % cuts.length] ?? 1);
    yield new Uint8Array(bytes.subarray(at, at + size));
    at += size;
  }
}
