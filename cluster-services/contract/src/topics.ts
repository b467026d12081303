import { type Decoded, refused } from './decoded.ts';
import { isId } from './ids.ts';
import { limits } from './limits.ts';
import { type NumericStream, numericFacts, numericStreams } from './numerics.ts';

// 2 and 10 to 57 are the numbers of numeric vitals, 9 is a gateway's live status.
const ownNumbers = { recording: 0, eeg: 1, event: 3, quality: 4, gap: 5, status: 6, detection: 7, alarm: 8 } as const;
export type Stream = keyof typeof ownNumbers | NumericStream;

/** The streams that a recording can be of. */
export type DataStream = 'eeg' | 'event' | 'quality' | NumericStream;

/** The number of each stream, on the wire and, one higher, in tables. */
export const streamNumbers: Readonly<Record<Stream, number>> = {
  ...ownNumbers,
  ...(Object.fromEntries(numericStreams.map((stream) => [stream, numericFacts(stream).number])) as Record<NumericStream, number>),
};

/** The streams that travel as durable messages, in the order of their numbers. */
export const streams: readonly Stream[] = (Object.keys(streamNumbers) as Stream[]).sort((a, b) => streamNumbers[a] - streamNumbers[b]);

/** The numbers by which a start record says what is recorded. Its first four are counted without the stream of start records. */
export const dataStreamNumbers: Readonly<Record<DataStream, number>> = Object.fromEntries(
  (['eeg', 'event', 'quality', ...numericStreams] as const).map((stream) => {
    const number = streamNumbers[stream];
    return [stream, number <= ownNumbers.quality ? number - 1 : number];
  }),
) as Record<DataStream, number>;

export const dataStreams: readonly DataStream[] = streams.filter((stream) => isDataStream(stream));

export function isDataStream(stream: Stream): stream is DataStream {
  return Object.hasOwn(dataStreamNumbers, stream);
}

export type Topic = {
  readonly shard: number;
  readonly gateway: string;
  readonly device: string;
  readonly stream: Stream;
  readonly live: boolean;
};

const knownStreams: ReadonlySet<string> = new Set(streams);

/** The virtual shard of a device: fnv1a-32 of its id, mod 64. The front door computes it again and never believes the topic. */
export function shardOf(device: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < device.length; index += 1) hash = Math.imul(hash ^ device.charCodeAt(index), 0x01000193); // ids are ASCII
  return (hash >>> 0) % limits.shards;
}

/** Whether every topic of this pair and stream fits; two ids of full length do not. An intake asks before it accepts a device. */
export function topicFits(gateway: string, device: string, stream: Stream): boolean {
  const longest = Math.max(stream.length, ...Object.keys(ownNumbers).map(({ length }) => length)); // starts, gaps and alarms of it travel too
  return isId(gateway) && isId(device) && 'vw/1/00////live'.length + longest + gateway.length + device.length <= limits.maxTopicBytes;
}

/** `vw/1/<shard>/<gateway>/<device>/<stream>`, with `/live` behind it on the live lane. Throws when the ids are no ids. */
export function formatTopic(gateway: string, device: string, stream: Stream, live = false): string {
  if (!isId(gateway) || !isId(device)) throw new RangeError(`not an id: '${isId(gateway) ? device : gateway}'`);
  const topic = `vw/1/${shardText(shardOf(device))}/${gateway}/${device}/${stream}${live ? '/live' : ''}`;
  if (topic.length > limits.maxTopicBytes)
    throw new RangeError(`the topic of device '${device}' at gateway '${gateway}' is longer than ${limits.maxTopicBytes} bytes`);
  return topic;
}

/** Takes a topic apart; anything but the exact spelling of `formatTopic` is refused. */
export function parseTopic(text: string): Decoded<Topic> {
  if (text.length > limits.maxTopicBytes) return refused('oversize', `a topic has at most ${limits.maxTopicBytes} bytes`);
  const levels = text.split('/', limits.maxTopicLevels);
  const [root, version, shardLevel, gateway, device, stream, lane] = levels;
  if (root !== 'vw' || version !== '1' || levels.length < 6 || levels.length > 7)
    return refused('bad-topic', 'expected vw/1/<shard>/<gateway>/<device>/<stream>[/live]');
  if (gateway === undefined || !isId(gateway)) return refused('bad-topic', 'the gateway is not an id');
  if (device === undefined || !isId(device)) return refused('bad-topic', 'the device is not an id');
  if (stream === undefined || !isStream(stream)) return refused('bad-topic', 'unknown stream');
  if (lane !== undefined && lane !== 'live') return refused('bad-topic', "the last level can only be 'live'");
  const shard = shardOf(device);
  if (shardLevel !== shardText(shard)) return refused('wrong-shard', `device '${device}' has shard ${shardText(shard)}`);
  return { ok: true, value: { shard, gateway, device, stream, live: lane === 'live' } };
}

function isStream(text: string): text is Stream {
  return knownStreams.has(text);
}

/** Where the front door publishes a `Hello` after the gateway (or service) subscribed: the only topic a gateway may subscribe to. */
export function commandTopic(gateway: string): string {
  if (!isId(gateway)) throw new RangeError(`not an id: '${gateway}'`);
  return `vw/1/command/${gateway}`;
}

function shardText(shard: number): string {
  return shard < 10 ? `0${shard}` : String(shard);
}
