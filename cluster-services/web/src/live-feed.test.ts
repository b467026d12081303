import { encodeMessage, formatTopic, newRecordingId, type Registry } from '@vitalwire/contract';
import { createLog } from '@vitalwire/runtime';
import { deviceStreams, gatewayMessages, VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { LiveFeed } from './live-feed.ts';
import { hubLimits, LiveHub } from './live-hub.ts';
import { Montages } from './montages.ts';
import { RecentFrames } from './recent-frames.ts';
import { wardRegistry } from './registry.ts';
import { Ward } from './ward.ts';

const RECORDING = newRecordingId('gateway-1', 1_800_000_000_000, new Uint8Array(6));
const registry: Registry = {
  revision: 1,
  patients: [{ id: 'p-1', label: 'Bed 1', notes: null }],
  devices: [],
  assignments: [{ device: 'eeg-1', patient: 'p-1', fromUs: 0, toUs: null }],
  owners: [{ device: 'eeg-1', gateway: 'gateway-1', fromUs: null, by: 'registry', atUs: 0 }],
};

/** A feed with one viewer who wishes to see everything, and how many frames it was sent. */
function screen(told: Registry | null = registry) {
  const clock = new VirtualClock();
  const atUs = clock.nowUs();
  const ward = new Ward();
  if (told !== null) ward.setRegistry(wardRegistry(told, atUs), told);
  const hub = new LiveHub(hubLimits, clock, createLog({ name: 'test', level: 'silent' }));
  const frames: Uint8Array[] = [];
  const viewer = hub.join({ write: (frame) => void frames.push(frame), bufferedBytes: () => 0, isOpen: () => true });
  if (viewer === null) throw new Error('the room is full');
  hub.subscribe(viewer, { devices: null, patients: new Set(), streams: new Set(deviceStreams) }, 100);
  let pulses = 0;
  const feed = new LiveFeed({
    ward,
    hub,
    montages: new Montages(),
    recent: new RecentFrames(),
    clock,
    onNewMontage: () => {},
    onPulse: () => {
      pulses += 1;
    },
  });
  /** Everything a clinician could see change. */
  const seen = () => ({ patients: ward.patients(atUs), alarms: ward.alarms.alarms(), frames: frames.length, pulses });
  return { feed, ward, atUs, seen };
}

const matrix = ['gateway-1', 'gateway-2'].flatMap((gateway) =>
  ['eeg-1', 'eeg-of-2'].flatMap((device) =>
    deviceStreams.flatMap((stream) => [true, false].map((live) => ({ gateway, device, stream, live }))),
  ),
);

test.each(matrix)(
  '$gateway, device $device, $stream, live $live: only its own gateway changes a screen',
  ({ gateway, device, stream, live }) => {
    const { feed, ward, atUs, seen } = screen({
      ...registry,
      owners: [...(registry.owners ?? []), { device: 'eeg-of-2', gateway: 'gateway-2', fromUs: null, by: 'registry', atUs: 0 }],
    });
    const before = seen();
    const message = gatewayMessages({ gateway, device, atUs }).find((one) => one.stream === stream);
    if (message === undefined) throw new Error('no such message');
    feed.take(message.topic(live), message.bytes);
    const isOwn = (gateway === 'gateway-1') === (device === 'eeg-1');
    if (isOwn) expect(seen().frames).toBe(1);
    else expect(seen()).toEqual(before);
    expect(ward.patients(atUs).find(({ patient }) => patient === 'p-1')?.devices).toEqual(
      device === 'eeg-1' && isOwn && ['recording', 'eeg', 'heart-rate', 'detection', 'alarm'].includes(stream) ? ['eeg-1'] : [],
    );
  },
);

test('a device that nobody told of is of the gateway heard first, and what was believed wrongly goes when the registry is there', () => {
  const { feed, ward, atUs, seen } = screen(null);
  for (const gateway of ['gateway-2', 'gateway-1'])
    for (const { topic, bytes } of gatewayMessages({ gateway, device: 'eeg-1', atUs })) feed.take(topic(true), bytes);
  expect(seen().patients).toMatchObject([{ key: 'device:eeg-1', eeg: { gateway: 'gateway-2' }, alarms: [{ senders: ['gateway-2'] }] }]);
  ward.setRegistry(wardRegistry(registry, atUs), registry);
  expect(seen().patients).toMatchObject([{ key: 'p-1', devices: [], eeg: null, numerics: [], detection: null, alarms: [] }]);
});

test("an alarm is changed by its own device's lines alone, whatever its name is on another's", () => {
  const { feed, atUs, seen } = screen();
  const lineOf = (gateway: string, device: string) => gatewayMessages({ gateway, device, atUs }).find((one) => one.stream === 'alarm');
  const own = lineOf('gateway-1', 'eeg-1');
  const other = lineOf('gateway-2', 'eeg-of-2');
  if (own === undefined || other === undefined) throw new Error('no such message');
  feed.take(own.topic(true), own.bytes);
  const before = seen().alarms.filter(({ device }) => device === 'eeg-1');
  feed.take(other.topic(true), other.bytes); // the same alarm id, of a device of its own
  expect(seen().alarms.filter(({ device }) => device === 'eeg-1')).toEqual(before);
  expect(before).toHaveLength(1);
});

test('a message of another stream or device than its topic names is not believed', () => {
  const { feed, atUs, seen } = screen();
  const before = seen();
  for (const { bytes, stream } of gatewayMessages({ gateway: 'gateway-1', device: 'eeg-1', atUs })) {
    if (stream === 'heart-rate' || stream === 'event' || stream === 'quality' || stream === 'gap') continue; // their bodies name no device
    feed.take(formatTopic('gateway-1', 'eeg-1', stream === 'eeg' ? 'heart-rate' : 'eeg', true), bytes);
    if (stream !== 'eeg') feed.take(formatTopic('gateway-1', 'gateway-1', stream, true), bytes);
  }
  expect(seen()).toEqual(before);
});

test.each([false, true])('EEG from the future is told as a wrong clock and drawn nowhere, unless it is replayed (%s)', (isReplay) => {
  const { feed, ward, atUs, seen } = screen();
  const chunk = (seq: number, measuredAtUs: number): [string, Uint8Array] => [
    formatTopic('gateway-1', 'eeg-1', 'eeg', false),
    encodeMessage({
      stream: 'eeg',
      recordingId: RECORDING,
      seq,
      measuredAtUs,
      clock: { offsetUs: 0, uncertaintyUs: 0, source: 'front-door' },
      firstSample: seq * 10,
      channels: 1,
      samplesPerChannel: 10,
      rate: { num: 10, den: 1 },
      montageHash: '0123456789abcdef',
      sampleBits: 16,
      samples: new Int16Array(10),
    }),
  ];
  if (isReplay) ward.learnMark('eeg-1', RECORDING, { speed: 60, source: 'x' });
  feed.take(...chunk(0, atUs - 1_000_000));
  feed.take(...chunk(1, atUs + 3_600_000_000));
  expect(seen().frames).toBe(isReplay ? 2 : 1);
  expect(feed.counts.clockWrong).toBe(isReplay ? 0 : 1);
  expect(ward.patients(atUs)[0]?.clockWrong?.length ?? 0).toBe(isReplay ? 0 : 1);
});
