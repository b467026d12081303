import { type BonnSet, bonnKnownSegments, bonnSegmentSamples, readBonnSegment } from '@vitalwire/datasets';

export const CHANNELS = 23;
export const SAMPLES = 256; // 11,776 bytes of int16, the 12 KB of every figure

/** Real EEG in the shape of a clinical chunk: each channel a stretch of another segment of the set, channel after channel. */
export function bonnChunk(set: BonnSet, index: number): Int16Array {
  const samples = new Int16Array(CHANNELS * SAMPLES);
  const stretches = Math.floor(bonnSegmentSamples / SAMPLES);
  const from = (index % stretches) * SAMPLES;
  for (let channel = 0; channel < CHANNELS; channel += 1) {
    const number = ((index * CHANNELS + channel) % bonnKnownSegments) + 1;
    samples.set(segment(set, number).subarray(from, from + SAMPLES), channel * SAMPLES);
  }
  return samples;
}

const read = new Map<string, Int16Array>();

function segment(set: BonnSet, number: number): Int16Array {
  const known = read.get(`${set}${number}`);
  if (known !== undefined) return known;
  const samples = readBonnSegment(set, number);
  read.set(`${set}${number}`, samples);
  return samples;
}
