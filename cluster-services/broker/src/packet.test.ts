import fc from 'fast-check';
import mqtt from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import { defaultLimits } from './limits.ts';
import { checkPacket, findFrame, type Violation } from './packet.ts';

/** The packet of a body, with its true length in front. */
function packet(first: number, body: Uint8Array | number[]): Buffer {
  const bytes = Buffer.from(body);
  const length: number[] = [];
  let left = bytes.byteLength;
  do {
    length.push((left % 128) | (left >= 128 ? 0x80 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.concat([Buffer.from([first, ...length]), bytes]);
}

function text(value: string | Buffer): number[] {
  const bytes = Buffer.from(value);
  return [bytes.byteLength >> 8, bytes.byteLength & 0xff, ...bytes];
}

function check(bytes: Buffer): ReturnType<typeof checkPacket> {
  const frame = findFrame(bytes, 0, defaultLimits.maxPacketBytes);
  if (frame.state === 'refused') return frame.violation;
  if (frame.state !== 'whole') throw new Error(`the packet is ${frame.state}`);
  return checkPacket(bytes.subarray(0, frame.totalBytes), frame.headerBytes, defaultLimits);
}

type Connecting = { protocol?: string; level?: number; flags?: number; rest?: number[] };
function connect({ protocol = 'MQTT', level = 4, flags = 2, rest = text('gw-1') }: Connecting = {}): Buffer {
  return packet(0x10, [...text(protocol), level, flags, 0, 30, ...rest]);
}

describe('what a client may send is understood as it was meant', () => {
  test('CONNECT with a will, a user and a password', () => {
    const bytes = mqtt.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: 'gw-1',
      keepalive: 30,
      username: 'user',
      password: Buffer.from('secret'),
      will: { topic: 'vw/1/00/gw-1/gw-1/status', payload: Buffer.from('bye'), qos: 1, retain: false },
    });
    expect(check(bytes)).toEqual({
      type: 'connect',
      level: 4,
      clean: true,
      keepaliveS: 30,
      clientId: 'gw-1',
      will: { topic: 'vw/1/00/gw-1/gw-1/status', qos: 1, retain: false, bytes: 3 },
    });
  });

  test('PUBLISH at every QoS', () => {
    for (const qos of [0, 1, 2] as const) {
      const bytes = mqtt.generate({
        cmd: 'publish',
        topic: 'a/b',
        payload: Buffer.alloc(300),
        qos,
        dup: false,
        retain: true,
        messageId: 7,
      });
      const expected = { type: 'publish', qos, dup: false, retain: true, topic: 'a/b', packetId: qos === 0 ? null : 7, payloadBytes: 300 };
      expect(check(bytes)).toEqual(expected);
    }
  });

  test('SUBSCRIBE, UNSUBSCRIBE, the answers of QoS 2, PINGREQ and DISCONNECT', () => {
    expect(check(packet(0x82, [0, 9, ...text('vw/1/+/#'), 1, ...text('+'), 0]))).toEqual({
      type: 'subscribe',
      packetId: 9,
      filters: ['vw/1/+/#', '+'],
    });
    expect(check(packet(0xa2, [0, 9, ...text('#')]))).toEqual({ type: 'unsubscribe', packetId: 9, filters: ['#'] });
    expect(check(packet(0x40, [0, 1]))).toEqual({ type: 'puback', packetId: 1 });
    expect(check(packet(0x50, [0, 1]))).toEqual({ type: 'pubrec', packetId: 1 });
    expect(check(packet(0x62, [0, 1]))).toEqual({ type: 'pubrel', packetId: 1 });
    expect(check(packet(0x70, [1, 0]))).toEqual({ type: 'pubcomp', packetId: 256 });
    expect(check(packet(0xc0, []))).toEqual({ type: 'pingreq' });
    expect(check(packet(0xe0, []))).toEqual({ type: 'disconnect' });
  });
});

describe('what MQTT 3.1.1 or a limit forbids is refused by name', () => {
  const longTopic = 'a'.repeat(129);
  const refusals: [string, Buffer, Violation][] = [
    ['a length of five bytes', Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 1]), 'bad-remaining-length'],
    ['a packet beyond the limit, from its length alone', Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), 'packet-too-large'],
    ['type 0', packet(0x00, []), 'unknown-packet-type'],
    ['type 15', packet(0xf0, []), 'unknown-packet-type'],
    ['CONNACK, which only a server sends', packet(0x20, [0, 0]), 'unknown-packet-type'],
    ['SUBACK, which only a server sends', packet(0x90, [0, 1, 0]), 'unknown-packet-type'],
    ['PINGRESP, which only a server sends', packet(0xd0, []), 'unknown-packet-type'],
    ['SUBSCRIBE with flags 0', packet(0x80, [0, 1, ...text('a'), 0]), 'reserved-flags'],
    ['PUBREL with flags 0', packet(0x60, [0, 1]), 'reserved-flags'],
    ['PINGREQ with a flag', packet(0xc1, []), 'reserved-flags'],
    ['PINGREQ with a body', packet(0xc0, [1]), 'trailing-bytes'],
    ['PUBACK of one byte', packet(0x40, [1]), 'truncated'],
    ['PUBACK of three bytes', packet(0x40, [0, 1, 2]), 'trailing-bytes'],
    ['PUBACK of packet 0', packet(0x40, [0, 0]), 'packet-id-zero'],
    ['another protocol name', connect({ protocol: 'MQTX' }), 'bad-protocol-name'],
    ['MQTT 5', connect({ level: 5 }), 'bad-protocol-level'],
    ['MQIsdp at level 4', connect({ protocol: 'MQIsdp', level: 4 }), 'bad-protocol-level'],
    ['the reserved bit of CONNECT', connect({ flags: 3 }), 'connect-reserved-bit'],
    ['the reserved bit of CONNECT under MQTT 3.1', connect({ protocol: 'MQIsdp', level: 3, flags: 3 }), 'connect-reserved-bit'],
    ['will QoS without a will', connect({ flags: 0x0a }), 'will-flags'],
    ['will retain without a will', connect({ flags: 0x22 }), 'will-flags'],
    ['will QoS 3', connect({ flags: 0x1e, rest: [...text('c'), ...text('t'), ...text('p')] }), 'will-flags'],
    ['a will on a wildcard', connect({ flags: 0x06, rest: [...text('c'), ...text('a/#'), ...text('p')] }), 'bad-topic'],
    ['a password without a user', connect({ flags: 0x42, rest: [...text('c'), ...text('p')] }), 'password-without-user'],
    ['a client id with a surrogate', connect({ rest: text(Buffer.from([0xed, 0xa0, 0x80])) }), 'bad-utf8'],
    ['a client id with U+0000', connect({ rest: text('a\0b') }), 'bad-utf8'],
    ...['\x01', '\x1f', '\x7f', '\u0080', '\u009f', '\ufdd0', '\uffff', '\u{1fffe}'].flatMap((character): [string, Buffer, Violation][] => {
      const [name, bad] = [`U+${character.codePointAt(0)?.toString(16)}`, `a${character}`];
      return [
        [`a client id with ${name}`, connect({ rest: text(bad) }), 'control-character'],
        [`a client id with ${name} under MQTT 3.1`, connect({ protocol: 'MQIsdp', level: 3, rest: text(bad) }), 'control-character'],
        [`a user with ${name}`, connect({ flags: 0x82, rest: [...text('c'), ...text(bad)] }), 'control-character'],
        [`a will's topic with ${name}`, connect({ flags: 0x06, rest: [...text('c'), ...text(bad), ...text('p')] }), 'control-character'],
        [`a topic with ${name}`, packet(0x30, text(bad)), 'control-character'],
        [`a filter with ${name}`, packet(0x82, [0, 1, ...text(bad), 0]), 'control-character'],
        [`a filter to leave with ${name}`, packet(0xa2, [0, 1, ...text(bad)]), 'control-character'],
      ];
    }),
    ['a client id beyond the limit', connect({ rest: text('c'.repeat(129)) }), 'client-id-too-long'],
    ['bytes behind CONNECT', connect({ rest: [...text('c'), 0] }), 'trailing-bytes'],
    ['CONNECT that ends early', connect({ rest: [0, 9, 1] }), 'truncated'],
    ['DUP at QoS 0', packet(0x38, text('a')), 'dup-at-qos-0'],
    ['QoS 3', packet(0x36, [...text('a'), 0, 1]), 'qos-3'],
    ['packet id 0', packet(0x32, [...text('a'), 0, 0]), 'packet-id-zero'],
    ['PUBLISH without its packet id', packet(0x32, [...text('a'), 1]), 'truncated'],
    ['PUBLISH whose topic runs over its end', packet(0x30, [0, 9, 0x61]), 'truncated'],
    ['an empty topic', packet(0x30, text('')), 'bad-topic'],
    ['a wildcard in a topic', packet(0x30, text('a/+')), 'bad-topic'],
    ['nine levels', packet(0x30, text('1/2/3/4/5/6/7/8/9')), 'bad-topic'],
    ['a topic beyond the limit', packet(0x30, text(longTopic)), 'bad-topic'],
    ['a topic outside ASCII', packet(0x30, text('vw/é')), 'bad-topic'],
    ['a topic that is not UTF-8', packet(0x30, text(Buffer.from([0xff]))), 'bad-utf8'],
    ['an empty SUBSCRIBE', packet(0x82, [0, 1]), 'no-filters'],
    ['SUBSCRIBE of packet 0', packet(0x82, [0, 0, ...text('a'), 0]), 'packet-id-zero'],
    ['SUBSCRIBE without its QoS', packet(0x82, [0, 1, ...text('a')]), 'truncated'],
    ['SUBSCRIBE with reserved bits', packet(0x82, [0, 1, ...text('a'), 4]), 'subscribe-reserved-bits'],
    ['SUBSCRIBE at QoS 3', packet(0x82, [0, 1, ...text('a'), 3]), 'subscribe-reserved-bits'],
    ['# before the end', packet(0x82, [0, 1, ...text('a/#/b'), 0]), 'bad-filter'],
    ['# inside a level', packet(0x82, [0, 1, ...text('a#'), 0]), 'bad-filter'],
    ['+ inside a level', packet(0x82, [0, 1, ...text('a/b+/c'), 0]), 'bad-filter'],
    ['an empty filter', packet(0x82, [0, 1, ...text(''), 0]), 'bad-filter'],
    ['an empty UNSUBSCRIBE', packet(0xa2, [0, 1]), 'no-filters'],
    ['65 filters at once', packet(0x82, [0, 1, ...Array.from({ length: 65 }, () => [...text('a'), 0]).flat()]), 'too-many-filters'],
  ];
  test.each(refusals)('%s', (_what, bytes, violation) => {
    expect(check(bytes)).toBe(violation);
  });
});

test('a frame is found only when it is all there, wherever it is cut', () => {
  const bytes = packet(0x30, Buffer.alloc(200, 0x61));
  expect(bytes.byteLength).toBe(203);
  for (let length = 0; length < bytes.byteLength; length += 1) {
    const frame = findFrame(bytes.subarray(0, length), 0, 1000);
    expect(frame.state).toBe(length < 3 ? 'header-incomplete' : 'partial');
  }
  expect(findFrame(Buffer.concat([bytes, bytes]), 203, 1000)).toEqual({ state: 'whole', headerBytes: 3, totalBytes: 203 });
});

test('any bytes give a packet or a named refusal, never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const frame = findFrame(bytes, 0, defaultLimits.maxPacketBytes);
      if (frame.state !== 'whole') return;
      const checked = checkPacket(Buffer.from(bytes).subarray(0, frame.totalBytes), frame.headerBytes, defaultLimits);
      expect(typeof checked === 'string' ? checked : checked.type).toMatch(/^[a-z0-9-]+$/);
    }),
    { numRuns: 5_000 },
  );
});
