import { z } from 'zod';
import { type Decoded, refused } from '../decoded.ts';
import { limits } from '../limits.ts';
import { AlarmInfo } from './alarms.ts';
import { Id, StreamName } from './fields.ts';
import { GatewayState, LinkState, PatientState } from './state.ts';

// The live socket, /v1/live: viewers send JSON text; the server sends JSON text and binary frames that it builds once for all viewers.

export const LIVE_PROTOCOL = 'vitalwire.v1';
const FRAME_VERSION = 1;
const PROVISIONAL = 1; // flags, bit 0: came on the live lane
const AROUND_TOPIC = 12; // version, flags, topic length before it; receivedAtUs behind it

/** What a viewer may say. Without devices and patients it sees everything. */
export const LiveRequest = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribe'),
    devices: z.array(Id).max(limits.maxRowsPerQuery).optional(),
    patients: z.array(Id).max(limits.maxRowsPerQuery).optional(),
    streams: z.array(StreamName).max(32),
    credit: z.int().min(0).max(limits.maxLiveCredit), // binary frames the viewer is ready to take
  }),
  z.strictObject({ type: z.literal('credit'), frames: z.int().min(1).max(limits.maxLiveCredit) }),
  z.strictObject({ type: z.literal('unsubscribe') }),
]);
export type LiveRequest = z.infer<typeof LiveRequest>;

const Revision = z.union([z.string(), z.number()]);
/** What the server says in text. A viewer ignores types it does not know. */
const LiveNotice = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    nowUs: z.number(),
    revision: Revision.nullable(),
    version: z.string(),
    label: z.string(),
  }),
  z.object({ type: z.literal('registry'), revision: Revision }), // it changed: ask for it again
  z.object({ type: z.literal('behind'), dropped: z.number() }),
  z.object({ type: z.literal('gateway'), status: GatewayState }),
  z.object({
    type: z.literal('state'),
    nowUs: z.number(),
    whole: z.boolean(),
    links: LinkState,
    systemAlarms: z.array(AlarmInfo), // always all of them
    patients: z.array(PatientState),
  }),
]);
type LiveNotice = z.infer<typeof LiveNotice>;

/** One message as it reached the cluster. */
export type LiveFrame = {
  readonly topic: string;
  readonly live: boolean; // provisional: seen on the live lane, not committed
  readonly receivedAtUs: number; // the cluster's clock
  readonly message: Uint8Array; // decoding gives a view of the frame
};

/** u8 version, u8 flags, u16 topic length, topic, f64 receivedAtUs, message; all big endian. */
export function encodeLiveFrame(topic: string, live: boolean, receivedAtUs: number, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(topic);
  if (name.length > limits.maxTopicBytes) throw new RangeError(`a topic of ${name.length} bytes`);
  const frame = new Uint8Array(AROUND_TOPIC + name.length + message.byteLength);
  const view = new DataView(frame.buffer);
  view.setUint8(0, FRAME_VERSION);
  view.setUint8(1, live ? PROVISIONAL : 0);
  view.setUint16(2, name.length);
  frame.set(name, 4);
  view.setFloat64(4 + name.length, receivedAtUs);
  frame.set(message, AROUND_TOPIC + name.length);
  return frame;
}

/** Takes a frame apart; the message inside is decoded by whoever wants it. Never throws. */
export function decodeLiveFrame(frame: Uint8Array): Decoded<LiveFrame> {
  if (frame.byteLength < AROUND_TOPIC) return refused('truncated');
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint8(0) !== FRAME_VERSION) return refused('unknown-version');
  const flags = view.getUint8(1);
  if ((flags & ~PROVISIONAL) !== 0) return refused('bad-field', 'unknown flags');
  const topicLength = view.getUint16(2);
  if (topicLength > limits.maxTopicBytes) return refused('oversize', 'the topic');
  if (frame.byteLength < AROUND_TOPIC + topicLength) return refused('truncated');
  let topic = '';
  for (let index = 4; index < 4 + topicLength; index += 1) {
    const byte = view.getUint8(index);
    if (byte < 0x21 || byte > 0x7e) return refused('bad-topic', 'not printable ASCII');
    topic += String.fromCharCode(byte);
  }
  const receivedAtUs = view.getFloat64(4 + topicLength);
  if (!Number.isSafeInteger(receivedAtUs)) return refused('out-of-range', 'receivedAtUs');
  return { ok: true, value: { topic, live: flags === PROVISIONAL, receivedAtUs, message: frame.subarray(AROUND_TOPIC + topicLength) } };
}

/** What a viewer said, or null. */
export function parseLiveRequest(text: string): LiveRequest | null {
  return LiveRequest.safeParse(parseJson(text)).data ?? null;
}

/** What the server said, or null for what this version does not know. */
export function parseLiveNotice(text: string): LiveNotice | null {
  return LiveNotice.safeParse(parseJson(text)).data ?? null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
