import { createHash } from 'node:crypto';

/** A dense layer's numbers: `kernel` is inputs × units, row after row. */
export type DenseWeights = { readonly inputs: number; readonly units: number; readonly kernel: Float32Array; readonly bias: Float32Array };

/** What names a model: the first 16 hex digits of its file's SHA-256. */
export function modelHashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** Layers as base64 of float32, little endian: kernel and bias, layer after layer. */
export function packWeights(layers: readonly DenseWeights[]): string {
  const parts = layers.flatMap(({ kernel, bias }) => [kernel, bias]);
  const bytes = new DataView(new ArrayBuffer(parts.reduce((sum, part) => sum + part.length * 4, 0)));
  let at = 0;
  for (const part of parts) {
    for (const value of part) {
      bytes.setFloat32(at, value, true);
      at += 4;
    }
  }
  return Buffer.from(bytes.buffer).toString('base64');
}

/** The inverse of `packWeights`; throws when the bytes do not fit the layers. */
export function unpackWeights(text: string, units: readonly number[]): DenseWeights[] {
  const bytes = Buffer.from(text, 'base64');
  const numbers = units.slice(1).reduce((sum, unit, index) => sum + ((units[index] ?? 0) + 1) * unit, 0);
  if (bytes.length !== numbers * 4)
    throw new Error(`model weights have ${bytes.length} bytes, the layers ${units.join('-')} need ${numbers * 4}`);
  let at = 0;
  const take = (count: number) => {
    const values = Float32Array.from({ length: count }, (_, index) => bytes.readFloatLE(at + index * 4));
    at += count * 4;
    return values;
  };
  return units.slice(1).map((unit, index) => {
    const inputs = units[index] ?? 0;
    return { inputs, units: unit, kernel: take(inputs * unit), bias: take(unit) };
  });
}
