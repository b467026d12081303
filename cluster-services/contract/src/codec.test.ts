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
import { decodeReasons } from './decoded.ts';
import { bytesToUuid } from './ids.ts';
import { limits } from './limits.ts';
import {
  type AlarmEpisode,
  alarmConditions,
  alarmPriorities,
  alarmStates,
  alarmTransitions,
  baselines,
  clockSources,
  type EegChunk,
  endReasons,
  episodeEnds,
  gapReasons,
  type Hello,
  heartRateKinds,
  type LiveStatus,
  type Message,
  type SampleBits,
  verdicts,
} from './messages.ts';
import { decodeSampleBlock, encodeSampleBlock, type SampleBlock } from './sample-block.ts';
import { encodeChunkSamples } from './samples.ts';
import { dataStreams, streams } from './topics.ts';

// Every message the wire can carry.
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytesToUuid(bytes));
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
const count = fc.maxSafeNat();
const whole = fc.maxSafeInteger();
const number = fc.oneof(whole, fc.double({ noNaN: true, noDefaultInfinity: true })).map((value) => value + 0 || 0); // no -0: it has one spelling
const utf8 = new TextEncoder();
const text = (maxBytes: number) =>
  fc.string({ unit: 'binary', maxLength: maxBytes }).filter((one) => one.isWellFormed() && utf8.encode(one).length <= maxBytes);
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const hexDigits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const rate = fc.record({ num: fc.integer({ min: 1, max: limits.maxRatePart }), den: fc.integer({ min: 1, max: limits.maxRatePart }) });
const scale = fc.record({
  label: text(limits.maxLabelBytes),
  unit: text(limits.maxUnitBytes),
  digitalMin: whole,
  digitalMax: whole,
  physicalMin: number,
  physicalMax: number,
  reference: text(limits.maxReferenceBytes),
});
const replay = fc.record({ speed: number, source: text(limits.maxNameBytes) });
const clock = fc.record({ offsetUs: whole, uncertaintyUs: count, source: fc.constantFrom(...clockSources) });
const identified = { recordingId: uuid, seq: count, measuredAtUs: whole, clock };
const reason = text(limits.maxReasonBytes);

const eeg: fc.Arbitrary<EegChunk> = fc
  .record({
    ...identified,
    firstSample: count,
    rate,
    montageHash: hexDigits(16),
    channels: fc.integer({ min: 1, max: 5 }),
    samplesPerChannel: fc.integer({ min: 1, max: 70 }),
    sampleBits: fc.constantFrom<SampleBits>(16, 24),
    noise: fc.array(fc.integer(), { minLength: 1, maxLength: 40 }),
    quiet: fc.boolean(),
  })
  .map(({ noise, quiet, ...chunk }) => {
    const length = chunk.channels * chunk.samplesPerChannel;
    const samples = chunk.sampleBits === 16 ? new Int16Array(length) : new Int32Array(length);
    for (let index = 0; index < length; index += 1) {
      const value = noise[index % noise.length] ?? 0;
      samples[index] = quiet ? value & 63 : (value << (32 - chunk.sampleBits)) >> (32 - chunk.sampleBits);
    }
    const { codec, crc32 } = encodeChunkSamples(samples, chunk.channels, chunk.sampleBits);
    return { stream: 'eeg', ...chunk, codec, crc32, samples };
  });

const upTo = (a: number | null, b: number | null): [number | null, number | null] => (a !== null && b !== null && a > b ? [b, a] : [a, b]);

const episodes: fc.Arbitrary<AlarmEpisode[]> = fc.array(
  fc.record({
    onsetUs: whole,
    seenUntilUs: whole,
    end: fc.constantFrom(...episodeEnds),
    endUs: nullable(whole),
    peak: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value || 0),
    channel: fc.nat(255),
  }),
  { maxLength: limits.maxEpisodesPerAlarm },
);
const others: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    stream: fc.constant('heart-rate' as const),
    ...identified,
    firstSample: count,
    kind: fc.constantFrom(...heartRateKinds),
    readings: fc.array(fc.record({ atUs: whole, bpm: number, minBpm: nullable(number), maxBpm: nullable(number) }), {
      minLength: 1,
      maxLength: 9,
    }),
  }),
  fc.record({
    stream: fc.constant('event' as const),
    ...identified,
    firstSample: count,
    events: fc.array(
      fc.record({
        atUs: whole,
        durationUs: nullable(count),
        type: text(limits.maxNameBytes),
        text: text(limits.maxTextBytes),
        source: text(limits.maxNameBytes),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  fc.record({
    stream: fc.constant('quality' as const),
    ...identified,
    firstSample: count,
    items: fc.array(fc.record({ atUs: whole, channel: fc.nat(255), metric: text(limits.maxNameBytes), value: number }), {
      minLength: 1,
      maxLength: 9,
    }),
  }),
  fc.record({
    stream: fc.constant('recording' as const),
    ...identified,
    seq: fc.constant(0),
    kind: fc.constant('start' as const),
    subject: uuid,
    gateway: id,
    device: id,
    of: fc.constantFrom(...dataStreams),
    rate: nullable(rate),
    channels: fc.array(scale, { maxLength: 5 }),
    montageHash: hexDigits(16),
    predecessor: nullable(uuid),
    captureId: text(limits.maxCaptureIdBytes),
    captureFirstSample: count,
    replay: nullable(replay),
    source: reason,
  }),
  fc.record({
    stream: fc.constant('recording' as const),
    ...identified,
    seq: fc.constant(1),
    kind: fc.constant('end' as const),
    subject: uuid,
    lastSeq: fc.oneof(fc.constant(-1), count),
    readings: count,
    reason: fc.constantFrom(...endReasons),
  }),
  fc
    .record({
      stream: fc.constant('gap' as const),
      ...identified,
      subject: uuid,
      of: fc.constantFrom(...streams),
      device: id,
      seqs: fc.tuple(nullable(count), nullable(count)),
      times: fc.tuple(nullable(whole), nullable(whole)),
      reason: fc.constantFrom(...gapReasons),
    })
    .map(({ seqs, times, ...gap }) => {
      const [fromSeq, toSeq] = upTo(...seqs);
      const [fromUs, toUs] = upTo(...times);
      return { ...gap, fromSeq, toSeq, fromUs, toUs };
    }),
  fc
    .record({
      stream: fc.constant('status' as const),
      ...identified,
      subject: uuid,
      gateway: id,
      birth: fc.boolean(),
      version: text(64),
      reason,
    })
    .chain(({ birth, ...status }) =>
      nullable(uuid).map((previousSession) => ({
        ...status,
        seq: birth ? 0 : 1,
        kind: birth ? ('birth' as const) : ('death' as const),
        previousSession,
      })),
    ),
  fc
    .record({
      stream: fc.constant('detection' as const),
      ...identified,
      subject: uuid,
      gateway: id,
      device: id,
      channel: fc.nat(255),
      modelHash: hexDigits(64),
      modelVersion: text(64),
      firstSample: count,
      samples: count,
      probability: nullable(fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value || 0)),
      verdict: fc.constantFrom(...verdicts),
      reason: nullable(reason),
      baseline: nullable(fc.constantFrom(...baselines)),
      channelProbabilities: fc.array(nullable(fc.nat(10_000).map((value) => value / 10_000)), { maxLength: 256 }),
      channelBaselines: fc.option(fc.array(nullable(fc.nat(65_535)), { maxLength: 256 }), { nil: undefined }),
      fence: count,
    })
    .map(({ channelBaselines, ...detection }) => (channelBaselines === undefined ? detection : { ...detection, channelBaselines }))
    .chain((detection) => fc.constantFrom(detection, { ...detection, everyS: 4 })),
  fc
    .record({
      stream: fc.constant('alarm' as const),
      ...identified,
      subject: uuid,
      sender: id,
      device: id,
      alarmId: text(64),
      condition: nullable(fc.constantFrom(...alarmConditions)),
      priority: fc.constantFrom(...alarmPriorities),
      state: fc.constantFrom(...alarmStates),
      transition: fc.constantFrom(...alarmTransitions),
      onsetUs: nullable(count),
      endedUs: nullable(count),
      value: nullable(fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value || 0)),
      limit: nullable(fc.nat(300)),
      channel: nullable(fc.nat(255)),
      untilUs: nullable(count),
      by: text(64),
      mergedInto: nullable(text(64)),
      replay: fc.constant(null),
      text: text(limits.maxTextBytes),
      fence: count,
    })
    .chain((alarm) => episodes.map((list) => (list.length === 0 ? alarm : { ...alarm, episodes: list }))),
);
const messages: fc.Arbitrary<Message> = fc.oneof({ weight: 1, arbitrary: eeg }, { weight: 4, arbitrary: others });

const liveStatuses: fc.Arbitrary<LiveStatus> = fc.record(
  {
    stream: fc.constant('live-status' as const),
    gateway: id,
    session: uuid,
    online: fc.boolean(),
    version: text(64),
    depthChunks: count,
    depthBytes: count,
    oldestAgeMs: nullable(number),
    lastPubackUs: nullable(whole),
    chunksPerSecondIn: number,
    chunksPerSecondOut: number,
    secondsUntilFull: nullable(number),
    certificateDaysLeft: nullable(number),
    clock,
    measuredAtUs: whole,
    problem: text(limits.maxReasonBytes),
  },
  {
    requiredKeys: [
      'stream',
      'gateway',
      'session',
      'online',
      'version',
      'depthChunks',
      'depthBytes',
      'oldestAgeMs',
      'lastPubackUs',
      'chunksPerSecondIn',
      'chunksPerSecondOut',
      'secondsUntilFull',
      'certificateDaysLeft',
      'clock',
      'measuredAtUs',
    ],
  },
);
const hellos: fc.Arbitrary<Hello> = fc.record(
  { generation: uuid, nowUs: whole, version: text(64), rival: fc.constant(true as const) },
  { requiredKeys: ['generation', 'nowUs', 'version'] },
);
const sampleBlocks: fc.Arbitrary<SampleBlock> = fc
  .record({
    device: id,
    captureId: text(limits.maxCaptureIdBytes).filter((one) => one !== ''),
    firstSample: count,
    measuredAtUs: whole,
    rate,
    channels: fc.array(scale, { minLength: 1, maxLength: 4 }),
    perChannel: fc.array(fc.integer(), { maxLength: 50 }),
    sampleBits: fc.constantFrom<SampleBits>(16, 24),
    replay: nullable(replay),
    source: reason,
    end: fc.boolean(),
  })
  .map(({ perChannel, ...block }) => {
    const values = block.channels.flatMap(() => perChannel).map((value) => (value << (32 - block.sampleBits)) >> (32 - block.sampleBits));
    return {
      ...block,
      samplesPerChannel: perChannel.length,
      samples: block.sampleBits === 16 ? Int16Array.from(values) : Int32Array.from(values),
    };
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
const changes = fc.array(fc.tuple(fc.nat(5), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
const known = new Set<string>(decodeReasons);

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
    const clockNow = { offsetUs: -Number.MAX_SAFE_INTEGER, uncertaintyUs: Number.MAX_SAFE_INTEGER, source: 'ntp' } as const;
    const front = { recordingId: 'ffffffff-ffff-ffff-ffff-ffffffffffff', measuredAtUs: -Number.MAX_SAFE_INTEGER, clock: clockNow };
    const subject = { subject: front.recordingId, gateway: 'x'.repeat(63), device: 'x'.repeat(63) };
    const wide = { digitalMin: -Number.MAX_SAFE_INTEGER, digitalMax: Number.MAX_SAFE_INTEGER, physicalMin: 0.1, physicalMax: 0.2 };
    const channel = {
      label: 'x'.repeat(limits.maxLabelBytes),
      unit: 'x'.repeat(limits.maxUnitBytes),
      ...wide,
      reference: 'x'.repeat(limits.maxReferenceBytes),
    };
    const start = encodeMessage({
      ...front,
      ...subject,
      stream: 'recording',
      kind: 'start',
      seq: 0,
      of: 'eeg',
      rate: { num: limits.maxRatePart, den: limits.maxRatePart },
      channels: Array.from({ length: limits.maxChannels }, () => channel),
      montageHash: 'f'.repeat(16),
      predecessor: front.recordingId,
      captureId: 'x'.repeat(limits.maxCaptureIdBytes),
      captureFirstSample: Number.MAX_SAFE_INTEGER,
      replay: { speed: 0.1, source: 'x'.repeat(limits.maxNameBytes) },
      source: 'x'.repeat(limits.maxReasonBytes),
    });
    expect(start.length).toBeLessThanOrEqual(limits.maxMessageBytes);
    const seq = Number.MAX_SAFE_INTEGER;
    const name = 'x'.repeat(limits.maxNameBytes);
    const reading = { atUs: -seq, bpm: 0.1, minBpm: 0.1, maxBpm: 0.1 };
    const event = { atUs: -seq, durationUs: seq, type: name, text: 'x'.repeat(limits.maxTextBytes), source: name };
    const item = { atUs: -seq, channel: 255, metric: name, value: 0.1 };
    const chunks = [
      encodeMessage({
        ...front,
        seq,
        stream: 'heart-rate',
        firstSample: seq,
        kind: 'phone',
        readings: Array.from({ length: limits.maxReadingsPerChunk }, () => reading),
      }),
      encodeMessage({
        ...front,
        seq,
        stream: 'event',
        firstSample: seq,
        events: Array.from({ length: limits.maxEventsPerChunk }, () => event),
      }),
      encodeMessage({
        ...front,
        seq,
        stream: 'quality',
        firstSample: seq,
        items: Array.from({ length: limits.maxQualityItemsPerChunk }, () => item),
      }),
      encodeMessage({
        ...front,
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
    for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(limits.maxChunkBytes);
    for (const bytes of [start, ...chunks]) expect(decodeMessage(bytes).ok).toBe(true);
  });
});

test('random bytes of any length are refused by name', () => {
  const random = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ minLength: 24, maxLength: 24 }).map((prefix) => Uint8Array.of(...prefix, 0xb9, 0xff, 0xff)),
  );
  fc.assert(
    fc.property(random, (bytes) => {
      for (const decoded of [decodeMessage(bytes), decodeLiveStatus(bytes), decodeHello(bytes), decodeSampleBlock(bytes)])
        if (!decoded.ok) expect(known).toContain(decoded.reason);
    }),
    { numRuns: 3000 },
  );
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

describe('a message is refused', () => {
  const clockNow = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
  const recordingId = '019aaaac-2600-7102-8304-0506e11eea07';
  const end = {
    stream: 'recording',
    kind: 'end',
    recordingId,
    subject: recordingId,
    seq: 1,
    measuredAtUs: 5,
    clock: clockNow,
    lastSeq: 3,
    readings: 9,
    reason: 'crash',
  } as const;
  const good = Array.from(encodeMessage(end));
  const body = good.slice(24);
  const decodeBody = (...bytes: number[]) => decodeMessage(Uint8Array.from([...good.slice(0, 24), ...bytes]));
  const id16 = body.slice(4, 21); // head and bytes of the id, after map, version and key

  test('when prefix and body name different identities', () => {
    for (const at of [0, 15, 23]) {
      const bytes = Uint8Array.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(decodeMessage(bytes)).toMatchObject({ ok: false, reason: 'prefix-disagrees' });
    }
  });

  test('when it is shorter than a prefix, longer than a packet, or its seq is beyond counting', () => {
    expect(decodeMessage(Uint8Array.from(good.slice(0, 23)))).toMatchObject({ reason: 'truncated' });
    expect(decodeMessage(Uint8Array.from(good.slice(0, 24)))).toMatchObject({ reason: 'truncated' });
    expect(decodeMessage(Uint8Array.from(good.slice(0, -1)))).toMatchObject({ reason: 'truncated' });
    expect(decodeMessage(new Uint8Array(limits.maxMessageBytes + 1))).toMatchObject({ reason: 'oversize' });
    expect(decodeMessage(Uint8Array.from([...good.slice(0, 16), 0xff, ...good.slice(17)]))).toMatchObject({ reason: 'out-of-range' });
    expect(readPrefix(Uint8Array.from([...good.slice(0, 16), 0xff, ...good.slice(17)]))).toBeNull();
    expect(readPrefix(new Uint8Array(23))).toBeNull();
  });

  test('when it spells something in a second way', () => {
    expect(body.slice(0, 3)).toEqual([0xab, 0x00, 0x01]); // 11 entries; version 1
    expect(decodeBody(0xb8, 0x0b, ...body.slice(1))).toMatchObject({ reason: 'not-deterministic' }); // long map head
    expect(decodeBody(0xab, 0x00, 0x18, 0x01, ...body.slice(3))).toMatchObject({ reason: 'not-deterministic' }); // long integer
    expect(decodeBody(0xbf, ...body.slice(1), 0xff)).toMatchObject({ reason: 'malformed' }); // indefinite length
    expect(decodeBody(0xab, 0x00, 0xc1, 0x01, ...body.slice(3))).toMatchObject({ reason: 'malformed' }); // a tag
    expect(decodeBody(...body, 0x00)).toMatchObject({ reason: 'trailing-bytes' });
  });

  test('when its keys are doubled, out of order, missing or too many', () => {
    expect(decodeBody(0xab, 0x00, 0x01, 0x00, 0x01)).toMatchObject({ reason: 'truncated' });
    expect(decodeBody(0xac, 0x00, 0x01, 0x00, ...body.slice(2))).toMatchObject({ reason: 'duplicate-key' });
    expect(decodeBody(0xac, 0x00, 0x01, 0x01, ...id16, 0x00, ...body.slice(2))).toMatchObject({ reason: 'unordered-keys' });
    expect(decodeBody(0xaa, ...body.slice(1, -2))).toMatchObject({ reason: 'missing-field', detail: 'readings' });
    expect(decodeBody(0xaa, 0x00, 0x01, ...body.slice(21))).toMatchObject({ reason: 'missing-field', detail: 'recordingId' });
    expect(decodeBody(0xac, ...body.slice(1), 0x18, 0x30, 0x00)).toMatchObject({ reason: 'unexpected-field' });
  });

  test('when its version, stream or kind is unknown', () => {
    expect(decodeBody(0xab, 0x00, 0x02, ...body.slice(3))).toMatchObject({ reason: 'unknown-version' });
    const stream = body.indexOf(0x03, 21); // key of the stream, behind id and seq
    expect(decodeBody(...body.slice(0, stream + 1), 0x17, ...body.slice(stream + 2))).toMatchObject({ reason: 'unknown-stream' });
    expect(decodeBody(...body.slice(0, stream + 3), 0x02, ...body.slice(stream + 4))).toMatchObject({ reason: 'bad-field' });
    expect(decodeMessage(encodeLiveStatus({ ...liveStatus, session: recordingId }))).toMatchObject({ reason: 'unknown-stream' });
    expect(decodeLiveStatus(Uint8Array.from(good))).toMatchObject({ reason: 'unknown-stream' });
  });

  test('when a text is not UTF-8 or a number is not a number', () => {
    const alarm = {
      ...end,
      stream: 'alarm',
      seq: 0,
      sender: 'g',
      device: 'd',
      alarmId: 'a',
      condition: 'seizure',
      priority: 'high',
      state: 'active',
      transition: 'raised',
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: 'é\u{feff}',
      replay: null,
      fence: 0,
      text: '',
    } as const;
    const bytes = encodeMessage(alarm);
    expect(decodeMessage(bytes)).toMatchObject({ ok: true, value: { mergedInto: 'é\u{feff}' } });
    bytes[bytes.length - 1] = 0x41;
    expect(decodeMessage(bytes)).toMatchObject({ reason: 'bad-utf8' });
    const status = encodeLiveStatus({ ...liveStatus, certificateDaysLeft: 0.5 });
    const float = (bits: number[]) => decodeLiveStatus(Uint8Array.from([...status.slice(0, -8), ...bits]));
    expect(float([0x7f, 0xf8, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'out-of-range' }); // NaN
    expect(float([0x7f, 0xf0, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'out-of-range' }); // infinite
    expect(float([0x40, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'not-deterministic' }); // 2.0
    expect(float([0x80, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({ reason: 'not-deterministic' }); // -0
  });

  test('when its sample block is not what was sent', () => {
    const chunk = {
      stream: 'eeg',
      recordingId,
      seq: 7,
      measuredAtUs: 1,
      clock: clockNow,
      firstSample: 0,
      channels: 1,
      samplesPerChannel: 4,
    } as const;
    const samples = Int16Array.of(1, 2, 3, 4);
    const bytes = encodeMessage({ ...chunk, rate: { num: 4, den: 1 }, montageHash: '0123456789abcdef', sampleBits: 16, samples });
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 0x80;
    expect(decodeMessage(bytes)).toMatchObject({ reason: 'damaged' });
  });

  test('before it is sent, if it contradicts itself or would change on the way', () => {
    expect(() => encodeMessage({ ...end, seq: 2 })).toThrow('seq 1');
    expect(() => encodeMessage({ ...end, readings: -1 })).toThrow('readings');
    expect(() => encodeMessage({ ...end, readings: 1.5 })).toThrow('readings');
    expect(() => encodeMessage({ ...end, measuredAtUs: 2 ** 53 })).toThrow('measuredAtUs');
    expect(() => encodeMessage({ ...end, recordingId: 'x' })).toThrow('UUID');
    const gap = {
      ...end,
      stream: 'gap',
      seq: 0,
      of: 'eeg',
      device: 'd',
      fromSeq: 5,
      toSeq: 4,
      fromUs: null,
      toUs: null,
      reason: 'evicted',
    } as const;
    expect(() => encodeMessage(gap)).toThrow('fromSeq');
    expect(() => encodeMessage({ ...gap, toSeq: 5, device: 'a/b' })).toThrow('device');
    const alarm = {
      ...end,
      stream: 'alarm',
      seq: 0,
      sender: 'g',
      device: 'd',
      alarmId: 'a',
      condition: 'seizure',
      priority: 'high',
      state: 'active',
      transition: 'raised',
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: null,
      replay: null,
      fence: 0,
      text: '\ud800',
    } as const;
    expect(() => encodeMessage(alarm)).toThrow('lone surrogate');
    expect(() => encodeMessage({ ...alarm, text: 'x'.repeat(1025) })).toThrow('1024');
    expect(() => encodeMessage({ ...end, stream: 'heart-rate', seq: 0, firstSample: 0, kind: 'ecg', readings: [] })).toThrow(
      'at least one',
    );
  });

  const liveStatus: LiveStatus = {
    stream: 'live-status',
    gateway: 'g',
    session: recordingId,
    online: true,
    version: '1',
    depthChunks: 0,
    depthBytes: 0,
    oldestAgeMs: null,
    lastPubackUs: null,
    chunksPerSecondIn: 0,
    chunksPerSecondOut: 0,
    secondsUntilFull: null,
    certificateDaysLeft: null,
    clock: clockNow,
    measuredAtUs: 0,
  };
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

test('hostile counts and lengths cost nothing: a thousand of each in a moment', () => {
  const prefix = encodeMessage({
    stream: 'gap',
    recordingId: '019aaaac-2600-7102-8304-0506e11eea07',
    seq: 0,
    measuredAtUs: 0,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    subject: '019aaaac-2600-7102-8304-0506e11eea07',
    of: 'eeg',
    device: 'd',
    fromSeq: null,
    toSeq: null,
    fromUs: null,
    toUs: null,
    reason: 'unknown',
  }).subarray(0, 24);
  const nested = new Uint8Array(limits.maxMessageBytes).fill(0x81);
  nested.set(prefix);
  const heads = [0x9b, 0xbb, 0x5b, 0x7b].map((head) => Uint8Array.from([...prefix, head, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  const before = performance.now();
  for (let run = 0; run < 1000; run += 1) for (const bytes of [nested, ...heads]) expect(decodeMessage(bytes).ok).toBe(false);
  expect(performance.now() - before).toBeLessThan(5_000);
});
