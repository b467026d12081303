import { commandTopic, formatTopic, numericStreams, type Stream, streams } from '@vitalwire/contract';
import type { PeerIdentity } from '@vitalwire/runtime';
import { expect, test } from 'vitest';
import { maySubscribe, publishRight, willRight } from './rights.ts';

const gateway: PeerIdentity = { kind: 'gateway', id: 'gw-1' };
const service = (id: string): PeerIdentity => ({ kind: 'service', id });

function reason(identity: PeerIdentity, topic: string, qos = 1, retain = false): string {
  const right = publishRight(identity, { topic, qos, retain });
  return right.ok ? right.lane : right.reason;
}

test('a gateway publishes every stream of its own devices, durable at QoS 1 and live at QoS 0', () => {
  for (const stream of streams.filter((one) => one !== 'status')) {
    expect(reason(gateway, formatTopic('gw-1', 'dev-1', stream))).toBe('durable');
    expect(reason(gateway, formatTopic('gw-1', 'dev-1', stream), 2)).toBe('durable');
    expect(reason(gateway, formatTopic('gw-1', 'dev-1', stream, true), 0)).toBe('live');
  }
  expect(reason(gateway, formatTopic('gw-1', 'gw-1', 'status'))).toBe('durable');
});

test('nobody publishes in the name of another gateway, or from another shard, or on a reserved or unknown topic', () => {
  expect(reason(gateway, formatTopic('gw-2', 'dev-1', 'eeg'))).toBe('foreign-gateway');
  expect(reason(gateway, formatTopic('gw-1', 'dev-1', 'status'))).toBe('not-your-stream');
  const topic = formatTopic('gw-1', 'dev-1', 'eeg');
  const shard = Number(topic.slice(5, 7));
  expect(reason(gateway, topic.replace(/^vw\/1\/\d\d/, `vw/1/${String((shard + 1) % 64).padStart(2, '0')}`))).toBe('wrong-shard');
  for (const reserved of ['$SYS/x/new/clients', '$SYS', '$share/g/vw', '$vitalwire/kept', '$'])
    expect(reason(gateway, reserved)).toBe('reserved-topic');
  for (const unknown of ['vw', 'vw/1/command/gw-1', 'vw/2/00/gw-1/dev-1/eeg', `${topic}/live/live`, `${topic}/`, `/${topic}`]) {
    expect(reason(gateway, unknown)).toBe('bad-topic');
  }
});

test('the lane and the QoS go together, and nothing is retained', () => {
  expect(reason(gateway, formatTopic('gw-1', 'dev-1', 'eeg'), 0)).toBe('qos-0-on-durable-topic');
  expect(reason(gateway, formatTopic('gw-1', 'dev-1', 'eeg', true), 1)).toBe('qos-above-0-on-live-topic');
  expect(reason(gateway, formatTopic('gw-1', 'dev-1', 'eeg'), 1, true)).toBe('retain');
});

test('prediction publishes detections of any device, and no service anything else', () => {
  expect(reason(service('prediction'), formatTopic('gw-7', 'dev-1', 'detection'))).toBe('durable');
  expect(reason(service('prediction'), formatTopic('gw-7', 'dev-1', 'detection', true), 0)).toBe('live');
  for (const stream of streams.filter((one): one is Stream => one !== 'detection')) {
    expect(reason(service('prediction'), formatTopic('gw-7', 'dev-1', stream))).toBe('not-your-stream');
  }
  for (const id of ['web', 'storage', 'ingest', 'constructor', '__proto__']) {
    expect(reason(service(id), formatTopic('gw-7', 'dev-1', 'detection'))).toBe('not-your-stream');
  }
});

test('a will speaks of the state of its own gateway and nothing else', () => {
  const will = (identity: PeerIdentity, topic: string, qos: number, retain = false): boolean =>
    willRight(identity, { topic, qos, retain }).ok;
  expect(will(gateway, formatTopic('gw-1', 'gw-1', 'status'), 1)).toBe(true);
  expect(will(gateway, formatTopic('gw-1', 'gw-1', 'status', true), 0)).toBe(true);
  expect(will(gateway, formatTopic('gw-1', 'gw-1', 'status'), 1, true)).toBe(false);
  expect(will(gateway, formatTopic('gw-2', 'gw-2', 'status'), 1)).toBe(false);
  expect(will(gateway, formatTopic('gw-1', 'dev-1', 'eeg'), 1)).toBe(false);
  expect(will(service('prediction'), formatTopic('gw-1', 'dev-1', 'detection'), 1)).toBe(false);
  expect(will(gateway, '$SYS/x/new/clients', 1)).toBe(false);
});

test('gateways hear their commands and nothing else; services also hear data; nobody hears the broker talk to itself', () => {
  expect(maySubscribe(gateway, commandTopic('gw-1'))).toBe(true);
  for (const filter of [commandTopic('gw-2'), 'vw/1/command/+', 'vw/1/#', '#', '+/1/command/gw-1', formatTopic('gw-1', 'dev-1', 'eeg')]) {
    expect(maySubscribe(gateway, filter)).toBe(false);
  }
  for (const filter of ['vw/1/+/+/+/+', 'vw/1/+/+/+/+/+', 'vw/1/+/+/+/eeg', 'vw/1/05/+/+/+/live', commandTopic('web')])
    expect(maySubscribe(service('web'), filter)).toBe(true);
  const tooWide = ['#', '+/#', '$SYS/#', '$share/g/vw/1/#', 'vw/#', 'vw/+/05/#', 'vw/1/#', 'vw/1/05/#', 'vw/1/+/+/+/eeg/#', 'vw/1/+/+'];
  for (const filter of [
    ...tooWide,
    'vw/1/command/+',
    commandTopic('gw-1'),
    'vw/1/+/+/+/eeg/live/live',
    'vw/1/+/+/+/eeg/dead',
    '+/1/+/+/+/eeg',
  ])
    expect(maySubscribe(service('web'), filter), filter).toBe(false);
});

// What DESIGN says of each identity, written down a second time.
const readers: Record<string, readonly Stream[]> = {
  web: streams,
  alarms: ['recording', 'eeg', ...numericStreams, 'status', 'detection', 'alarm'],
  prediction: ['recording', 'eeg'],
  storage: [],
  ingest: [],
  observer: [], // no service of ours
};
const writers: Record<string, Stream | null> = {
  web: null,
  alarms: 'alarm',
  prediction: 'detection',
  storage: null,
  ingest: null,
  observer: null,
};

test.each(Object.keys(readers).flatMap((id) => streams.map((stream) => ({ id, stream }))))(
  'the certificate of $id reads and writes $stream only as its row says',
  ({ id, stream }) => {
    const reads = readers[id]?.includes(stream) === true;
    for (const filter of [
      `vw/1/+/+/+/${stream}`,
      `vw/1/+/+/+/${stream}/live`,
      `vw/1/+/+/+/${stream}/+`,
      formatTopic('gw-1', 'dev-1', stream),
    ])
      expect(maySubscribe(service(id), filter), filter).toBe(reads);
    for (const live of [false, true]) {
      const right = publishRight(service(id), { topic: formatTopic('gw-1', 'dev-1', stream, live), qos: live ? 0 : 1, retain: false });
      expect(right.ok).toBe(writers[id] === stream);
    }
  },
);

test.each(Object.keys(readers))('the certificate of %s reads all streams at once only where it may read each', (id) => {
  expect(maySubscribe(service(id), 'vw/1/+/+/+/+')).toBe(readers[id]?.length === streams.length);
});
