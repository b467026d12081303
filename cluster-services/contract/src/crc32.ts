// IEEE 802.3 CRC-32 (reflected polynomial 0xEDB88320), eight bytes per step with one table per byte position.
const POLYNOMIAL = 0xedb88320;
const tables = makeTables();

type Crc32 = (bytes: Uint8Array, before?: number) => number;

/** CRC-32 (IEEE) as an unsigned 32-bit number; `before` continues an earlier sum. Node's own where there is one: a third of the time. */
export const crc32: Crc32 = nodeCrc32() ?? portableCrc32;

/** The same in plain JavaScript, for browsers. */
export function portableCrc32(bytes: Uint8Array, before = 0): number {
  const table = tables;
  const length = bytes.length;
  let crc = ~before;
  let at = 0;
  for (const end = length - 7; at < end; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24));
    crc =
      (table[1792 + (low & 0xff)] as number) ^
      (table[1536 + ((low >>> 8) & 0xff)] as number) ^
      (table[1280 + ((low >>> 16) & 0xff)] as number) ^
      (table[1024 + (low >>> 24)] as number) ^
      (table[768 + (bytes[at + 4] as number)] as number) ^
      (table[512 + (bytes[at + 5] as number)] as number) ^
      (table[256 + (bytes[at + 6] as number)] as number) ^
      (table[bytes[at + 7] as number] as number);
  }
  for (; at < length; at += 1) crc = (table[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

// Asked of the running process, not imported: this package must load in a browser.
function nodeCrc32(): Crc32 | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => { crc32?: Crc32 } | undefined } };
  return process?.getBuiltinModule?.('zlib')?.crc32;
}

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[byte] = crc;
  }
  for (let index = 256; index < made.length; index += 1) {
    const previous = made[index - 256] as number;
    made[index] = (made[previous & 0xff] as number) ^ (previous >>> 8);
  }
  return made;
}
