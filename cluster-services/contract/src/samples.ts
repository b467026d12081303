import { crc32 } from './crc32.ts';
import { type Decoded, refused } from './decoded.ts';
import { limits } from './limits.ts';
import type { SampleBits, Samples } from './messages.ts';

// Codec 0: the integers, little endian, channel after channel, 2 or 3 bytes each.
// Codec 1, per channel: the first sample as in codec 0, then its n - 1 deltas in blocks of 32 (the last may be shorter):
//   1 byte  bits 0-4 width w, bits 5-7 length b of the base in bytes (0-4)
//   b bytes base: the block's smallest delta, two's complement, little endian, shortest form (0 bytes for 0)
//   ceil(m * w / 8) bytes: the m differences delta - base, w bits each, lowest bit first; spare bits are 0
// An int16 delta needs 17 bits, an int24 delta 25; so does a difference, as both bounds come from the same range.

const BLOCK = 32;
const LIMIT_OF = { 16: 0x8000, 24: 0x800000 } as const;
const MAX_WIDTH_OF = { 16: 17, 24: 25 } as const;

export type PackedSamples = { readonly codec: 0 | 1; readonly block: Uint8Array<ArrayBuffer>; readonly crc32: number };

// Encoding is synchronous, so one scratch serves all calls; a block that outgrows the raw samples is given up before it can overflow.
const scratch = new Uint8Array(limits.maxBlockBytes + 256);
const words = new DataView(scratch.buffer);
const deltas = new Int32Array(BLOCK);
// Nearly every machine keeps int16 in memory as it is on the wire: there codec 0 is one copy, six times cheaper than byte by byte.
const isLittleEndian = new Uint8Array(Int16Array.of(1).buffer)[0] === 1;

/** How many samples per channel fit into one chunk. */
export function maxSamplesPerChannel(channels: number, bits: SampleBits): number {
  return Math.floor(limits.maxBlockBytes / (channels * (bits / 8)));
}

/** Packs a chunk's samples (channel after channel): codec 1, or codec 0 where codec 1 is not smaller or when it is asked for. */
export function encodeChunkSamples(samples: Samples, channels: number, bits: SampleBits, codec?: 0 | 1): PackedSamples {
  const samplesPerChannel = samples.length / channels;
  const rawBytes = samples.length * (bits / 8);
  if (!Number.isInteger(channels) || channels < 1 || channels > limits.maxChannels) throw new RangeError(`${channels} channels`);
  if (!Number.isInteger(samplesPerChannel) || samplesPerChannel < 1)
    throw new RangeError(`${samples.length} samples for ${channels} channels`);
  if (rawBytes > limits.maxBlockBytes) throw new RangeError(`${rawBytes} bytes of samples, at most ${limits.maxBlockBytes} in a chunk`);
  if (bits === 16 ? !(samples instanceof Int16Array) : !(samples instanceof Int32Array))
    throw new RangeError(`${bits}-bit samples in the wrong kind of array`);
  if (bits === 24) checkRange24(samples);
  const packedBytes = codec === 0 ? -1 : packDeltas(samples, channels, samplesPerChannel, bits, rawBytes);
  const block = packedBytes === -1 ? packRaw(samples, bits) : scratch.slice(0, packedBytes);
  return { codec: packedBytes === -1 ? 0 : 1, block, crc32: crc32(block) };
}

/** Unpacks a block into a fresh array. Sizes are checked before anything is allocated; every value is checked against its range. */
export function decodeChunkSamples(
  block: Uint8Array,
  codec: number,
  channels: number,
  samplesPerChannel: number,
  bits: SampleBits,
): Decoded<Samples> {
  const rawBytes = channels * samplesPerChannel * (bits / 8);
  if (channels < 1 || channels > limits.maxChannels || samplesPerChannel < 1) return refused('out-of-range', 'no channels or no samples');
  if (rawBytes > limits.maxBlockBytes)
    return refused('too-many', `${rawBytes} bytes of samples, at most ${limits.maxBlockBytes} in a chunk`);
  if (codec === 0)
    return block.length === rawBytes
      ? { ok: true, value: unpackRaw(block, bits) }
      : refused('bad-block', `${block.length} bytes, expected ${rawBytes}`);
  if (codec !== 1) return refused('unknown-codec');
  if (block.length >= rawBytes) return refused('bad-block', 'codec 1 must be smaller than codec 0');
  if (block.length < leastPackedBytes(channels, samplesPerChannel, bits)) return refused('bad-block', 'shorter than its block headers');
  return unpackDeltas(block, channels, samplesPerChannel, bits);
}

/** Raw little-endian bytes of the samples. */
export function packRaw(samples: Samples, bits: SampleBits): Uint8Array<ArrayBuffer> {
  if (isLittleEndian && samples instanceof Int16Array && bits === 16)
    return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength).slice();
  const size = bits / 8;
  const bytes = new Uint8Array(samples.length * size);
  let at = 0;
  if (size === 2) {
    for (let index = 0; index < samples.length; index += 1, at += 2) {
      const value = samples[index] as number;
      bytes[at] = value;
      bytes[at + 1] = value >> 8;
    }
    return bytes;
  }
  for (let index = 0; index < samples.length; index += 1, at += 3) {
    const value = samples[index] as number;
    bytes[at] = value;
    bytes[at + 1] = value >> 8;
    bytes[at + 2] = value >> 16;
  }
  return bytes;
}

/** The samples of raw little-endian bytes, whose length is a multiple of the sample's. */
export function unpackRaw(bytes: Uint8Array, bits: SampleBits): Samples {
  if (bits === 16) {
    const samples = new Int16Array(bytes.length >> 1);
    if (isLittleEndian) {
      new Uint8Array(samples.buffer).set(bytes.length % 2 === 0 ? bytes : bytes.subarray(0, -1));
      return samples;
    }
    for (let index = 0, at = 0; index < samples.length; index += 1, at += 2)
      samples[index] = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    return samples;
  }
  const samples = new Int32Array(Math.floor(bytes.length / 3));
  for (let index = 0, at = 0; index < samples.length; index += 1, at += 3) {
    samples[index] = (((bytes[at] as number) << 8) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 24)) >> 8;
  }
  return samples;
}

function checkRange24(samples: Samples): void {
  for (let index = 0; index < samples.length; index += 1) {
    const value = samples[index] as number;
    if ((value << 8) >> 8 !== value) throw new RangeError(`sample ${value} needs more than 24 bits`);
  }
}

/** Bytes written into the scratch, or -1 as soon as they are not fewer than the raw samples'. */
function packDeltas(samples: Samples, channels: number, perChannel: number, bits: SampleBits, rawBytes: number): number {
  const out = scratch;
  const block = deltas;
  const wide = bits === 24;
  let at = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const start = channel * perChannel;
    const end = start + perChannel;
    let previous = samples[start] as number;
    out[at++] = previous;
    out[at++] = previous >> 8;
    if (wide) out[at++] = previous >> 16;
    for (let from = start + 1; from < end; from += BLOCK) {
      const count = end - from < BLOCK ? end - from : BLOCK;
      let least = 0x7fffffff;
      let most = -0x80000000;
      for (let index = 0; index < count; index += 1) {
        const value = samples[from + index] as number;
        const delta = (value - previous) | 0;
        previous = value;
        block[index] = delta;
        if (delta < least) least = delta;
        if (delta > most) most = delta;
      }
      const width = 32 - Math.clz32(most - least);
      const baseBytes = bytesOfBase(least);
      if (at + 1 + baseBytes + ((count * width + 7) >> 3) >= rawBytes) return -1;
      out[at++] = width | (baseBytes << 5);
      for (let index = 0, base = least; index < baseBytes; index += 1, base >>= 8) out[at++] = base;
      if (width === 0) continue;
      let pending = 0;
      let pendingBits = 0;
      for (let index = 0; index < count; index += 1) {
        pending |= ((block[index] as number) - least) << pendingBits; // at most 7 + 25 bits
        pendingBits += width;
        // Four bytes at once, of which the whole ones stay: no branch that depends on the data.
        words.setUint32(at, pending, true);
        at += pendingBits >> 3;
        pending = pendingBits === 32 ? 0 : pending >>> (pendingBits & 24);
        pendingBits &= 7;
      }
      if (pendingBits > 0) out[at++] = pending;
    }
  }
  return at < rawBytes ? at : -1;
}

function bytesOfBase(base: number): number {
  if (base === 0) return 0;
  if ((base << 24) >> 24 === base) return 1;
  if ((base << 16) >> 16 === base) return 2;
  return (base << 8) >> 8 === base ? 3 : 4;
}

function leastPackedBytes(channels: number, perChannel: number, bits: SampleBits): number {
  return channels * (bits / 8 + Math.ceil((perChannel - 1) / BLOCK));
}

function unpackDeltas(bytes: Uint8Array, channels: number, perChannel: number, bits: SampleBits): Decoded<Samples> {
  const samples = bits === 16 ? new Int16Array(channels * perChannel) : new Int32Array(channels * perChannel);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bits === 24;
  const length = bytes.length;
  const limit = LIMIT_OF[bits];
  const excess = ~(2 * limit - 1); // bits that no sample, made positive, can have
  const maxWidth = MAX_WIDTH_OF[bits];
  let at = 0;
  let outside = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const start = channel * perChannel;
    const end = start + perChannel;
    if (at + (wide ? 3 : 2) > length) return refused('bad-block', 'ends inside a channel');
    let value = wide
      ? (((bytes[at] as number) << 8) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 24)) >> 8
      : (((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 24)) >> 16;
    at += wide ? 3 : 2;
    samples[start] = value;
    for (let from = start + 1; from < end; from += BLOCK) {
      const to = end - from < BLOCK ? end : from + BLOCK;
      const header = bytes[at++];
      if (header === undefined) return refused('bad-block', 'ends before a block');
      const width = header & 31;
      const baseBytes = header >> 5;
      if (width > maxWidth || baseBytes > 4) return refused('bad-block', `a width of ${width} bits, a base of ${baseBytes} bytes`);
      const packedEnd = at + baseBytes + (((to - from) * width + 7) >> 3);
      if (packedEnd > length) return refused('bad-block', 'ends inside a block');
      let base = 0;
      for (let index = 0; index < baseBytes; index += 1) base |= (bytes[at++] as number) << (8 * index);
      if (baseBytes > 0) base = (base << (32 - 8 * baseBytes)) >> (32 - 8 * baseBytes);
      if (bytesOfBase(base) !== baseBytes) return refused('bad-block', 'a base longer than needed');
      if (width === 0) {
        for (let index = from; index < to; index += 1) {
          value = (value + base) | 0;
          outside |= (value + limit) & excess;
          samples[index] = value;
        }
        continue;
      }
      const mask = (1 << width) - 1;
      const spareBits = ((packedEnd - at) << 3) - (to - from) * width;
      if (spareBits > 0 && (bytes[packedEnd - 1] as number) >>> (8 - spareBits) !== 0)
        return refused('bad-block', 'spare bits that are not 0');
      let bit = at << 3;
      // Four bytes at once while there are four behind every value; the last blocks go byte by byte.
      const fastTo = packedEnd + 3 <= length ? to : from;
      let index = from;
      for (; index < fastTo; index += 1) {
        value = (value + base + ((view.getInt32(bit >> 3, true) >>> (bit & 7)) & mask)) | 0;
        bit += width;
        outside |= (value + limit) & excess;
        samples[index] = value;
      }
      for (; index < to; index += 1) {
        const byte = bit >> 3;
        const word =
          (bytes[byte] as number) | ((bytes[byte + 1] ?? 0) << 8) | ((bytes[byte + 2] ?? 0) << 16) | ((bytes[byte + 3] ?? 0) << 24);
        value = (value + base + ((word >>> (bit & 7)) & mask)) | 0;
        bit += width;
        outside |= (value + limit) & excess;
        samples[index] = value;
      }
      at = packedEnd;
    }
    // Once a value left its range the bit stays set, so looking at the end of each channel is enough.
    if (outside !== 0) return refused('bad-block', `a sample outside ${bits} bits`);
  }
  return at === length ? { ok: true, value: samples } : refused('bad-block', 'bytes after the last block');
}
