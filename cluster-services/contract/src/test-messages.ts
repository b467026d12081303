import fc from 'fast-check';
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
  type LiveStatus,
  type Message,
  type SampleBits,
  verdicts,
} from './messages.ts';
import { numericKinds, numericStreams } from './numerics.ts';
import type { SampleBlock } from './sample-block.ts';
import { encodeChunkSamples } from './samples.ts';
import { dataStreams, streams } from './topics.ts';

// Every message the wire can carry.
export const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytesToUuid(bytes));
export const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
export const count = fc.maxSafeNat();
export const whole = fc.maxSafeInteger();
export const number = fc.oneof(whole, fc.double({ noNaN: true, noDefaultInfinity: true })).map((value) => value + 0 || 0); // no -0: it has one spelling
const utf8 = new TextEncoder();
export const text = (maxBytes: number) =>
  fc.string({ unit: 'binary', maxLength: maxBytes }).filter((one) => one.isWellFormed() && utf8.encode(one).length <= maxBytes);
export const hexDigits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
export const rate = fc.record({
  num: fc.integer({ min: 1, max: limits.maxRatePart }),
  den: fc.integer({ min: 1, max: limits.maxRatePart }),
});
export const replay = fc.record({ speed: number, source: text(limits.maxNameBytes) });
export const clock = fc.record({ offsetUs: whole, uncertaintyUs: count, source: fc.constantFrom(...clockSources) });
export const identified = { recordingId: uuid, seq: count, measuredAtUs: whole, clock };
export const reason = text(limits.maxReasonBytes);

export const eeg: fc.Arbitrary<EegChunk> = fc
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
export const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
export const scale = fc.record({
  label: text(limits.maxLabelBytes),
  unit: text(limits.maxUnitBytes),
  digitalMin: whole,
  digitalMax: whole,
  physicalMin: number,
  physicalMax: number,
  reference: text(limits.maxReferenceBytes),
});

export const upTo = (a: number | null, b: number | null): [number | null, number | null] =>
  a !== null && b !== null && a > b ? [b, a] : [a, b];

export const episodes: fc.Arbitrary<AlarmEpisode[]> = fc.array(
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
export const others: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    stream: fc.constantFrom(...numericStreams),
    ...identified,
    firstSample: count,
    kind: fc.constantFrom(...numericKinds),
    readings: fc.array(fc.record({ atUs: whole, value: number, least: nullable(number), most: nullable(number) }), {
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
export const messages: fc.Arbitrary<Message> = fc.oneof({ weight: 1, arbitrary: eeg }, { weight: 4, arbitrary: others });

export const liveStatuses: fc.Arbitrary<LiveStatus> = fc.record(
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
export const hellos: fc.Arbitrary<Hello> = fc.record(
  { generation: uuid, nowUs: whole, version: text(64), rival: fc.constant(true as const) },
  { requiredKeys: ['generation', 'nowUs', 'version'] },
);
export const sampleBlocks: fc.Arbitrary<SampleBlock> = fc
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
export const changes = fc.array(fc.tuple(fc.nat(5), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });

export const known = new Set<string>(decodeReasons);
