import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeHello,
  decodeLiveStatus,
  decodeMessage,
  encodeHello,
  encodeLiveStatus,
  encodeMessage,
  hashMontage,
  readPrefix,
} from './codec.ts';
import { limits } from './limits.ts';
import { decodeSampleBlock, encodeSampleBlock, type SampleBlock } from './sample-block.ts';
import { changes, eeg, hellos, known, liveStatuses, messages, sampleBlocks } from './test-messages.ts';

describe('every message', () => {
  test('comes back as it went in, and its bytes are one and the same', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeMessage(message);
        expect(readPrefix(bytes)).toEqual({ recordingId: message.recordingId, seq: message.seq });
        const decoded = decodeMessage(bytes);
        expect(decoded).toEqual({ ok: true, value: message });
        if (decoded.ok) expect(encodeMessage(decoded.value)).toEqual(bytes);
      }),
      { numRuns: 600 },
    );
  });

  test('when damaged gives a value or a named reason, and a value that is accepted has no second spelling', () => {
    fc.assert(
      fc.property(messages, changes, (message, how) => {
        const bytes = mutated(encodeMessage(message), how);
        const decoded = decodeMessage(bytes);
        if (!decoded.ok) expect(known).toContain(decoded.reason);
        // Codec 1 leaves an encoder the choice of a block's width and base; everything around the block is exact.
        else if (decoded.value.stream !== 'eeg') expect(encodeMessage(decoded.value)).toEqual(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  test('keeps its samples when the buffer it came in is used again', () => {
    fc.assert(
      fc.property(eeg, (chunk) => {
        const slab = new Uint8Array(64 * 1024);
        const bytes = encodeMessage(chunk);
        slab.set(bytes, 77);
        const decoded = decodeMessage(slab.subarray(77, 77 + bytes.length));
        slab.fill(0xff);
        expect(decoded).toEqual({ ok: true, value: chunk });
        if (decoded.ok && decoded.value.stream === 'eeg') expect(decoded.value.samples.buffer).not.toBe(slab.buffer);
      }),
      { numRuns: 50 },
    );
  });

  test('of the largest size its limits allow still fits a packet, whatever is in it', () => {
    const start = widestStart();
    expect(start.length).toBeLessThanOrEqual(limits.maxMessageBytes);
    const chunks = widestChunks();
    for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(limits.maxChunkBytes);
    for (const bytes of [start, ...chunks]) expect(decodeMessage(bytes).ok).toBe(true);
  });
});

test('live status, hello and sample block come back as they went in, and damaged ones are refused by name', () => {
  fc.assert(
    fc.property(liveStatuses, hellos, sampleBlocks, changes, (status, hello, block, how) => {
      expect(decodeLiveStatus(encodeLiveStatus(status))).toEqual({ ok: true, value: status });
      expect(readPrefix(encodeLiveStatus(status))).toEqual({ recordingId: status.session, seq: 0 });
      expect(decodeHello(encodeHello(hello))).toEqual({ ok: true, value: hello });
      expect(decodeSampleBlock(encodeSampleBlock(block))).toEqual({ ok: true, value: block });
      for (const decoded of [
        decodeLiveStatus(mutated(encodeLiveStatus(status), how)),
        decodeHello(mutated(encodeHello(hello), how)),
        decodeSampleBlock(mutated(encodeSampleBlock(block), how)),
      ])
        if (!decoded.ok) expect(known).toContain(decoded.reason);
    }),
    { numRuns: 500 },
  );
});

test('a sample block may spell whole numbers as floats, as some CBOR libraries do, and needs channels and a capture', () => {
  const block: SampleBlock = {
    device: 'd',
    captureId: 'c',
    firstSample: 0,
    measuredAtUs: 1,
    rate: { num: 1, den: 1 },
    channels: [{ label: 'L', unit: 'uV', digitalMin: -1, digitalMax: 1, physicalMin: -1.5, physicalMax: 1, reference: '' }],
    sampleBits: 16,
    samplesPerChannel: 1,
    samples: Int16Array.of(9),
    replay: null,
    source: '',
    end: false,
  };
  const bytes = Array.from(encodeSampleBlock(block));
  const at = bytes.indexOf(0xfb); // physicalMin
  const two = [...bytes.slice(0, at + 1), 0xc0, 0, 0, 0, 0, 0, 0, 0, ...bytes.slice(at + 9)];
  expect(decodeSampleBlock(Uint8Array.from(two))).toMatchObject({ ok: true, value: { channels: [{ physicalMin: -2 }] } });
  expect(decodeSampleBlock(encodeSampleBlock({ ...block, channels: [], samplesPerChannel: 0, samples: new Int16Array(0) }))).toMatchObject({
    reason: 'bad-field',
  });
  expect(decodeSampleBlock(encodeSampleBlock({ ...block, captureId: '' }))).toMatchObject({ reason: 'bad-field' });
  expect(decodeSampleBlock(Uint8Array.from(bytes.with(bytes.length - 3, 0x43).concat(0)))).toMatchObject({ reason: 'bad-block' });
});

test('equal montages have equal hashes; a label, a scale or the order makes another', () => {
  const a = { label: 'Fp1', unit: 'µV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: 'Cz' };
  const b = { ...a, label: 'Fp2' };
  expect(hashMontage([a, b])).toMatch(/^[0-9a-f]{16}$/);
  expect(hashMontage([{ ...a }, { ...b }])).toBe(hashMontage([a, b]));
  const all = [[a, b], [b, a], [a], [{ ...a, physicalMax: 3276.8 }, b], [{ ...a, reference: '' }, b], []];
  expect(new Set(all.map(hashMontage)).size).toBe(all.length);
});

/** Some bytes of a good message changed, cut off, added, doubled or taken out. */
function mutated(bytes: Uint8Array, changes: readonly (readonly [kind: number, at: number, byte: number])[]): Uint8Array {
  let result = Array.from(bytes);
  for (const [kind, at, byte] of changes) {
    const index = at % (result.length + 1);
    if (kind === 0) result[index] = byte;
    else if (kind === 1) result = result.slice(0, index);
    else if (kind === 2) result.splice(index, 0, byte);
    else if (kind === 3) result.splice(index, 1 + (byte % 8));
    else if (kind === 4 && index < result.length) result[index] = (result[index] ?? 0) ^ (1 << (byte & 7));
    else result.push(...result.slice(index, index + byte));
  }
  return Uint8Array.from(result);
}

const clockNow = { offsetUs: -Number.MAX_SAFE_INTEGER, uncertaintyUs: Number.MAX_SAFE_INTEGER, source: 'ntp' } as const;
const widest = { recordingId: 'ffffffff-ffff-ffff-ffff-ffffffffffff', measuredAtUs: -Number.MAX_SAFE_INTEGER, clock: clockNow };

function widestStart(): Uint8Array {
  const subject = { subject: widest.recordingId, gateway: 'x'.repeat(63), device: 'x'.repeat(63) };
  const wide = { digitalMin: -Number.MAX_SAFE_INTEGER, digitalMax: Number.MAX_SAFE_INTEGER, physicalMin: 0.1, physicalMax: 0.2 };
  const channel = {
    label: 'x'.repeat(limits.maxLabelBytes),
    unit: 'x'.repeat(limits.maxUnitBytes),
    ...wide,
    reference: 'x'.repeat(limits.maxReferenceBytes),
  };
  return encodeMessage({
    ...widest,
    ...subject,
    stream: 'recording',
    kind: 'start',
    seq: 0,
    of: 'eeg',
    rate: { num: limits.maxRatePart, den: limits.maxRatePart },
    channels: Array.from({ length: limits.maxChannels }, () => channel),
    montageHash: 'f'.repeat(16),
    predecessor: widest.recordingId,
    captureId: 'x'.repeat(limits.maxCaptureIdBytes),
    captureFirstSample: Number.MAX_SAFE_INTEGER,
    replay: { speed: 0.1, source: 'x'.repeat(limits.maxNameBytes) },
    source: 'x'.repeat(limits.maxReasonBytes),
  });
}

function widestChunks(): Uint8Array[] {
  const seq = Number.MAX_SAFE_INTEGER;
  const name = 'x'.repeat(limits.maxNameBytes);
  const reading = { atUs: -seq, value: 0.1, least: 0.1, most: 0.1 };
  const event = { atUs: -seq, durationUs: seq, type: name, text: 'x'.repeat(limits.maxTextBytes), source: name };
  const item = { atUs: -seq, channel: 255, metric: name, value: 0.1 };
  return [
    encodeMessage({
      ...widest,
      seq,
      stream: 'heart-rate',
      firstSample: seq,
      kind: 'phone',
      readings: Array.from({ length: limits.maxReadingsPerChunk }, () => reading),
    }),
    encodeMessage({
      ...widest,
      seq,
      stream: 'event',
      firstSample: seq,
      events: Array.from({ length: limits.maxEventsPerChunk }, () => event),
    }),
    encodeMessage({
      ...widest,
      seq,
      stream: 'quality',
      firstSample: seq,
      items: Array.from({ length: limits.maxQualityItemsPerChunk }, () => item),
    }),
    encodeMessage({
      ...widest,
      seq,
      stream: 'eeg',
      firstSample: seq,
      channels: 1,
      samplesPerChannel: limits.maxBlockBytes / 2,
      rate: { num: limits.maxRatePart, den: limits.maxRatePart },
      montageHash: 'f'.repeat(16),
      sampleBits: 16,
      codec: 0,
      samples: new Int16Array(limits.maxBlockBytes / 2),
    }),
  ];
}
