import { isUtf8 } from 'node:buffer';

/** Why a packet broke MQTT 3.1.1 or a limit; the number after each is the clause it protects. */
export type Violation =
  | 'bad-remaining-length' // 2.2.3: at most four bytes
  | 'packet-too-large'
  | 'unknown-packet-type'
  | 'reserved-flags' // 2.2.2-2
  | 'truncated'
  | 'trailing-bytes'
  | 'bad-utf8' // 1.5.3-1, 1.5.3-2
  | 'control-character' // 1.5.3: a receiver may close the connection; ours are told in logs, so it does
  | 'packet-id-zero' // 2.3.1-1
  | 'bad-protocol-name' // 3.1.2-1
  | 'bad-protocol-level' // 3.1.2-2, answered with CONNACK 1
  | 'connect-reserved-bit' // 3.1.2-3
  | 'will-flags' // 3.1.2-13 to -15
  | 'password-without-user' // 3.1.2-22
  | 'client-id-too-long'
  | 'dup-at-qos-0' // 3.3.1-2
  | 'qos-3' // 3.3.1-4
  | 'bad-topic' // 3.3.2-2 and our limits
  | 'bad-filter' // 4.7.1-2, 4.7.1-3 and our limits
  | 'no-filters' // 3.8.3-3, 3.10.3-2
  | 'too-many-filters'
  | 'subscribe-reserved-bits' // 3.8.3-4
  | 'first-packet-not-connect' // 3.1.0-1
  | 'second-connect' // 3.1.0-2
  | 'packet-id-in-use'; // 2.3.1-2

export type Will = { readonly topic: string; readonly qos: number; readonly retain: boolean; readonly bytes: number };

export type Connect = {
  readonly type: 'connect';
  readonly level: number;
  readonly clean: boolean;
  readonly keepaliveS: number;
  readonly clientId: string;
  readonly will: Will | null;
};

export type Publish = {
  readonly type: 'publish';
  readonly qos: number;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly topic: string;
  readonly packetId: number | null;
  readonly payloadBytes: number;
};

export type Packet =
  | Connect
  | Publish
  | { readonly type: 'subscribe' | 'unsubscribe'; readonly packetId: number; readonly filters: readonly string[] }
  | { readonly type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'; readonly packetId: number }
  | { readonly type: 'pingreq' | 'disconnect' };

export type PacketLimits = {
  readonly maxPacketBytes: number;
  readonly maxTopicBytes: number;
  readonly maxTopicLevels: number;
  readonly maxClientIdBytes: number;
  readonly maxFiltersPerPacket: number;
};

export type Frame =
  | { readonly state: 'whole' | 'partial'; readonly headerBytes: number; readonly totalBytes: number }
  | { readonly state: 'header-incomplete' }
  | { readonly state: 'refused'; readonly violation: Violation };

/** Finds where the packet that begins at `offset` ends; refuses an impossible length before a byte of it is kept. */
export function findFrame(bytes: Uint8Array, offset: number, maxPacketBytes: number): Frame {
  let length = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[offset + 1 + index];
    if (byte === undefined) return { state: 'header-incomplete' };
    length += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) {
      const totalBytes = 2 + index + length;
      if (totalBytes > maxPacketBytes) return { state: 'refused', violation: 'packet-too-large' };
      const isWhole = bytes.byteLength - offset >= totalBytes;
      return { state: isWhole ? 'whole' : 'partial', headerBytes: 2 + index, totalBytes };
    }
  }
  return { state: 'refused', violation: 'bad-remaining-length' };
}

type Checked = Packet | Violation;

const CONNECT = 1;
const PUBLISH = 3;
const PUBACK = 4;
const PUBREC = 5;
const PUBREL = 6;
const PUBCOMP = 7;
const SUBSCRIBE = 8;
const UNSUBSCRIBE = 10;
const PINGREQ = 12;
const DISCONNECT = 14;

/** Checks one whole packet as a server must (MQTT 3.1.1) and within our limits. Never throws, whatever the bytes. */
export function checkPacket(bytes: Buffer, headerBytes: number, limits: PacketLimits): Checked {
  const first = bytes[0] ?? 0;
  const type = first >> 4;
  const flags = first & 0x0f;
  const body = new Reader(bytes, headerBytes);
  if (type === PUBLISH) return checkPublish(flags, body, limits);
  const expectedFlags = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
  switch (type) {
    case CONNECT:
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
    case SUBSCRIBE:
    case UNSUBSCRIBE:
    case PINGREQ:
    case DISCONNECT:
      if (flags !== expectedFlags) return 'reserved-flags';
      break;
    default:
      return 'unknown-packet-type'; // reserved, or one that only a server sends
  }
  if (type === CONNECT) return checkConnect(body, limits);
  if (type === SUBSCRIBE) return checkFilters('subscribe', body, limits);
  if (type === UNSUBSCRIBE) return checkFilters('unsubscribe', body, limits);
  if (type === PINGREQ || type === DISCONNECT) {
    return body.left > 0 ? 'trailing-bytes' : { type: type === PINGREQ ? 'pingreq' : 'disconnect' };
  }
  const packetId = body.u16();
  if (packetId === null) return 'truncated';
  if (body.left > 0) return 'trailing-bytes';
  if (packetId === 0) return 'packet-id-zero';
  return { type: type === PUBACK ? 'puback' : type === PUBREC ? 'pubrec' : type === PUBREL ? 'pubrel' : 'pubcomp', packetId };
}

function checkPublish(flags: number, body: Reader, limits: PacketLimits): Checked {
  const qos = (flags >> 1) & 3;
  const dup = (flags & 8) !== 0;
  if (qos === 3) return 'qos-3';
  if (dup && qos === 0) return 'dup-at-qos-0';
  const topicBytes = body.string();
  if (topicBytes === null) return 'truncated';
  const fault = textFault(topicBytes);
  if (fault !== null) return fault;
  if (!isTopic(topicBytes, limits)) return 'bad-topic';
  let packetId: number | null = null;
  if (qos > 0) {
    packetId = body.u16();
    if (packetId === null) return 'truncated';
    if (packetId === 0) return 'packet-id-zero';
  }
  return { type: 'publish', qos, dup, retain: (flags & 1) !== 0, topic: topicBytes.toString('latin1'), packetId, payloadBytes: body.left };
}

function checkConnect(body: Reader, limits: PacketLimits): Checked {
  const name = body.string();
  const level = body.u8();
  if (name === null || level === null) return 'truncated';
  const protocol = name.toString('latin1');
  if (protocol !== 'MQTT' && protocol !== 'MQIsdp') return 'bad-protocol-name';
  // MQTT 5 spells its packets differently from here on, so the level decides first.
  if ((protocol === 'MQTT' && level !== 4) || (protocol === 'MQIsdp' && level !== 3)) return 'bad-protocol-level';
  const flags = body.u8();
  const keepaliveS = body.u16();
  const clientId = body.string();
  if (flags === null || keepaliveS === null || clientId === null) return 'truncated';
  if ((flags & 1) !== 0) return 'connect-reserved-bit';
  const fault = textFault(clientId);
  if (fault !== null) return fault;
  if (clientId.byteLength > limits.maxClientIdBytes) return 'client-id-too-long';
  const will = checkWill(flags, body, limits);
  if (typeof will === 'string') return will;
  const hasUser = (flags & 0x80) !== 0;
  const hasPassword = (flags & 0x40) !== 0;
  if (hasPassword && !hasUser) return 'password-without-user';
  if (hasUser) {
    const user = body.string();
    if (user === null) return 'truncated';
    const userFault = textFault(user);
    if (userFault !== null) return userFault;
  }
  if (hasPassword && body.string() === null) return 'truncated';
  if (body.left > 0) return 'trailing-bytes';
  return { type: 'connect', level, clean: (flags & 2) !== 0, keepaliveS, clientId: clientId.toString('utf8'), will };
}

function checkWill(flags: number, body: Reader, limits: PacketLimits): Will | null | Violation {
  const qos = (flags >> 3) & 3;
  const retain = (flags & 0x20) !== 0;
  if ((flags & 4) === 0) return qos !== 0 || retain ? 'will-flags' : null;
  if (qos === 3) return 'will-flags';
  const topic = body.string();
  const payload = body.string();
  if (topic === null || payload === null) return 'truncated';
  const fault = textFault(topic);
  if (fault !== null) return fault;
  if (!isTopic(topic, limits)) return 'bad-topic';
  return { topic: topic.toString('latin1'), qos, retain, bytes: payload.byteLength };
}

function checkFilters(type: 'subscribe' | 'unsubscribe', body: Reader, limits: PacketLimits): Checked {
  const packetId = body.u16();
  if (packetId === null) return 'truncated';
  if (packetId === 0) return 'packet-id-zero';
  if (body.left === 0) return 'no-filters';
  const filters: string[] = [];
  while (body.left > 0) {
    const filter = body.string();
    if (filter === null) return 'truncated';
    const fault = textFault(filter);
    if (fault !== null) return fault;
    if (!isFilter(filter, limits)) return 'bad-filter';
    if (type === 'subscribe') {
      const options = body.u8();
      if (options === null) return 'truncated';
      if (options > 2) return 'subscribe-reserved-bits'; // QoS 3 or a reserved bit
    }
    filters.push(filter.toString('latin1'));
    if (filters.length > limits.maxFiltersPerPacket) return 'too-many-filters';
  }
  return { type, packetId, filters };
}

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;

// U+0001 to U+001F, U+007F to U+009F, and the code points that stand for no character.
const FORBIDDEN = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

function textFault(text: Buffer): 'bad-utf8' | 'control-character' | null {
  if (!isUtf8(text) || text.includes(0)) return 'bad-utf8';
  return FORBIDDEN.test(text.toString('utf8')) ? 'control-character' : null;
}

/** Our topics are printable ASCII, so that a log line or a prefix comparison can never be fooled by look-alikes. */
function isTopic(topic: Buffer, limits: PacketLimits): boolean {
  if (topic.byteLength === 0 || topic.byteLength > limits.maxTopicBytes) return false;
  let levels = 1;
  for (const byte of topic) {
    if (byte < 0x20 || byte > 0x7e || byte === PLUS || byte === HASH) return false;
    if (byte === SLASH) levels += 1;
  }
  return levels <= limits.maxTopicLevels;
}

function isFilter(filter: Buffer, limits: PacketLimits): boolean {
  if (filter.byteLength === 0 || filter.byteLength > limits.maxTopicBytes) return false;
  let levels = 1;
  for (const [index, byte] of filter.entries()) {
    if (byte < 0x20 || byte > 0x7e) return false;
    if (byte === SLASH) levels += 1;
    if (byte !== PLUS && byte !== HASH) continue;
    const beginsLevel = index === 0 || filter[index - 1] === SLASH;
    const isLast = index === filter.byteLength - 1;
    const endsLevel = isLast || (byte === PLUS && filter[index + 1] === SLASH);
    if (!beginsLevel || !endsLevel) return false;
  }
  return levels <= limits.maxTopicLevels;
}

class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  u8(): number | null {
    if (this.left < 1) return null;
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  u16(): number | null {
    if (this.left < 2) return null;
    this.#at += 2;
    return this.#bytes.readUInt16BE(this.#at - 2);
  }

  /** A length of two bytes and as many bytes: MQTT's spelling of text, and of a will's or a password's bytes. */
  string(): Buffer | null {
    const length = this.u16();
    if (length === null || this.left < length) return null;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
