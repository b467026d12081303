import { crc32, decodeChunkSamples, encodeChunkSamples } from '@vitalwire/contract';
import { type BonnSet, bonnSets } from '@vitalwire/datasets';
import { BenchError } from './bench-error.ts';
import { bonnChunk, CHANNELS, SAMPLES } from './bonn-chunks.ts';
import { median } from './median.ts';

export type CodecSide = {
  readonly name: string;
  readonly bytes: number; // per chunk, mean over all of them
  readonly seizureBytes: number; // the same of the ictal set alone
  readonly encodeUs: number; // CPU per chunk, median of the rounds
  readonly decodeUs: number;
};
export type CodecResult = {
  readonly bench: 'codec';
  readonly chunks: number;
  readonly rawBytes: number;
  readonly sides: readonly CodecSide[];
  readonly bytesRatio: number; // JSON's over codec 1's
  readonly cpuRatio: number;
  readonly bars: { readonly bytes: number; readonly cpu: number };
  readonly isGood: boolean;
};

type Packed = { readonly bytes: Uint8Array; readonly checksum: number } | string;
type Way = { readonly name: string; encode(samples: Int16Array): Packed; decode(packed: Packed): Int16Array };

const CHUNKS_PER_SET = 60; // 300 in all
const SAMPLE_BITS = 16;
const BARS = { bytes: 3.5, cpu: 3 } as const;

const json: Way = {
  name: 'JSON, an array per channel',
  encode: (samples) =>
    JSON.stringify(
      Array.from({ length: CHANNELS }, (_, channel) => Array.from(samples.subarray(channel * SAMPLES, (channel + 1) * SAMPLES))),
    ),
  decode(packed) {
    if (typeof packed !== 'string') throw new BenchError('no JSON');
    const samples = new Int16Array(CHANNELS * SAMPLES);
    for (const [channel, values] of (JSON.parse(packed) as number[][]).entries()) samples.set(values, channel * SAMPLES);
    return samples;
  },
};

const ways: readonly Way[] = [json, codecWay(1, 'codec 1: deltas, bit-packed, with CRC-32'), codecWay(0, 'codec 0: int16, with CRC-32')];

/** Bytes and CPU of a chunk's samples in our two codecs and in JSON, on real EEG; every chunk must come back as it was. */
export function benchCodec(rounds: number, say: (line: string) => void): CodecResult {
  const sets = bonnSets.map((set) => ({ set, chunks: Array.from({ length: CHUNKS_PER_SET }, (_, index) => bonnChunk(set, index)) }));
  const chunks = sets.flatMap((one) => one.chunks);
  const sizes = new Map(ways.map((way) => [way, sets.map(({ set, chunks: some }) => ({ set, bytes: checkedBytes(way, some) }))]));
  const times = new Map(ways.map((way) => [way, { encode: [] as number[], decode: [] as number[] }]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const [way, { encode, decode }] of times) {
      const packed: Packed[] = [];
      const encodeUs = cpuUsOf(() => {
        for (const samples of chunks) packed.push(way.encode(samples));
      });
      const decodeUs = cpuUsOf(() => {
        for (const one of packed) way.decode(one);
      });
      if (round === 0) continue; // the compiler's round
      encode.push(encodeUs / chunks.length);
      decode.push(decodeUs / chunks.length);
    }
    if (round > 0) say(`codec round ${round}/${rounds}`);
  }
  const sides = ways.map((way) => sideOf(way, sizes.get(way) ?? [], times.get(way) ?? { encode: [], decode: [] }));
  const [asJson, packed] = sides;
  if (asJson === undefined || packed === undefined) throw new BenchError('nothing was measured');
  const bytesRatio = asJson.bytes / packed.bytes;
  const cpuRatio = (asJson.encodeUs + asJson.decodeUs) / (packed.encodeUs + packed.decodeUs);
  return {
    bench: 'codec',
    chunks: chunks.length,
    rawBytes: CHANNELS * SAMPLES * (SAMPLE_BITS / 8),
    sides,
    bytesRatio,
    cpuRatio,
    bars: BARS,
    isGood: bytesRatio >= BARS.bytes && cpuRatio >= BARS.cpu,
  };
}

function codecWay(codec: 0 | 1, name: string): Way {
  return {
    name,
    encode(samples) {
      const packed = encodeChunkSamples(samples, CHANNELS, SAMPLE_BITS, codec);
      if (packed.codec !== codec) throw new BenchError(`codec ${codec} was asked for, codec ${packed.codec} came`);
      return { bytes: packed.block, checksum: packed.crc32 };
    },
    decode(packed) {
      if (typeof packed === 'string' || crc32(packed.bytes) !== packed.checksum) throw new BenchError('a block is damaged');
      const decoded = decodeChunkSamples(packed.bytes, codec, CHANNELS, SAMPLES, SAMPLE_BITS);
      if (!decoded.ok || !(decoded.value instanceof Int16Array)) throw new BenchError('a block does not decode');
      return decoded.value;
    },
  };
}

/** Mean size of the packed chunks, after each was unpacked and found to be what went in. */
function checkedBytes(way: Way, chunks: readonly Int16Array[]): number {
  let bytes = 0;
  for (const samples of chunks) {
    const packed = way.encode(samples);
    bytes += typeof packed === 'string' ? Buffer.byteLength(packed) : packed.bytes.byteLength;
    if (!Buffer.from(way.decode(packed).buffer).equals(Buffer.from(samples.buffer))) throw new BenchError(`${way.name} is not lossless`);
  }
  return bytes / chunks.length;
}

function sideOf(
  { name }: Way,
  sizes: readonly { set: BonnSet; bytes: number }[],
  times: { encode: number[]; decode: number[] },
): CodecSide {
  return {
    name,
    bytes: sizes.reduce((total, { bytes }) => total + bytes, 0) / sizes.length,
    seizureBytes: sizes.find(({ set }) => set === 'S')?.bytes ?? Number.NaN,
    encodeUs: median(times.encode),
    decodeUs: median(times.decode),
  };
}

function cpuUsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
