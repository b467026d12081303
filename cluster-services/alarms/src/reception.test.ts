import {
  type Alarm,
  DeviceOwners,
  defaultHeartRateLimits,
  derivedId,
  encodeMessage,
  formatTopic,
  limits,
  newRecordingId,
} from '@vitalwire/contract';
import { deviceStreams, gatewayMessages, VirtualClock } from '@vitalwire/testkit';
import { AlarmEngine, type AlarmRecord, ConflictWatch, SilenceWatch } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { Reception } from './reception.ts';
import { KnownRecordings } from './recordings.ts';
import { Wards } from './wards.ts';

const owner = (device: string, gateway: string) => ({ device, gateway, fromUs: null, by: 'registry', atUs: 0 });

function receiving() {
  const clock = new VirtualClock();
  const written: AlarmRecord[] = [];
  const wards = new Wards({ clock, limitsOf: () => defaultHeartRateLimits, write: (records) => void written.push(...records) });
  for (let shard = 0; shard < limits.shards; shard += 1) wards.gain(shard, new AlarmEngine({ sender: 'alarms' }));
  const owners = new DeviceOwners();
  owners.take({ devices: [], owners: [owner('eeg-1', 'gateway-1'), owner('eeg-of-2', 'gateway-2')] }, clock.nowUs());
  const [silence, conflicts] = [new SilenceWatch(clock.monotonicMs()), new ConflictWatch(clock.monotonicMs())];
  const heard = { own: 0, unknown: 0, unreadable: 0 };
  const reception = new Reception({
    sender: 'alarms',
    wards,
    recordings: new KnownRecordings(),
    silence,
    owners,
    conflicts,
    clock,
    onOwn: () => {
      heard.own += 1;
    },
    onUnknown: () => {
      heard.unknown += 1;
    },
    onUnreadable: () => {
      heard.unreadable += 1;
    },
  });
  const said = () =>
    conflicts
      .check(clock.monotonicMs(), (device) => owners.ownerOf(device), [])
      .map(({ device, statement }) => `${device}: ${statement.condition} ${statement.text}`);
  const watched = () => silence.check(clock.monotonicMs()).filter(({ device }) => device === 'eeg-1' || device === 'eeg-of-2');
  return { reception, clock, wards, written, heard, said, watched };
}

const matrix = ['gateway-1', 'gateway-2'].flatMap((gateway) =>
  ['eeg-1', 'eeg-of-2'].flatMap((device) =>
    deviceStreams.flatMap((stream) => [true, false].map((live) => ({ gateway, device, stream, live }))),
  ),
);

test.each(matrix)(
  '$gateway, device $device, $stream, live $live: another gateway’s word raises and ends nothing, and is told of',
  (one) => {
    const { reception, clock, wards, written, heard, said, watched } = receiving();
    const { gateway, device, stream, live } = one;
    const message = gatewayMessages({ gateway, device, atUs: clock.nowUs() }).find((candidate) => candidate.stream === stream);
    if (message === undefined) throw new Error('no such message');
    reception.receive(message.topic(live), message.bytes);
    const isOwn = (gateway === 'gateway-1') === (device === 'eeg-1');
    if (isOwn) {
      expect(said()).toEqual([]);
      expect(wards.now().alarms).toHaveLength(stream === 'alarm' ? 1 : 0);
      expect(watched().length > 0).toBe(stream === 'eeg' || stream === 'heart-rate');
    } else {
      const other = gateway === 'gateway-1' ? 'gateway-2' : 'gateway-1';
      expect(said()).toEqual([expect.stringContaining(`${device}: device-conflict ${gateway} sends as ${device}, which is ${other}'s`)]);
      expect([written, wards.now().alarms, watched(), heard]).toEqual([[], [], [], { own: 0, unknown: 0, unreadable: 0 }]);
    }
  },
);

test('a gateway cannot give the pulse, nor speak for the service, on a topic of its readings', () => {
  const { reception, clock, heard, written } = receiving();
  const subject = newRecordingId('gateway-2', clock.nowMs(), new Uint8Array(6));
  const [line] = gatewayMessages({ gateway: 'gateway-2', device: 'eeg-of-2', atUs: clock.nowUs() }).filter(
    ({ stream }) => stream === 'alarm',
  );
  if (line?.draft.stream !== 'alarm') throw new Error('no such message');
  for (const transition of ['pulse', 'ended', 'acknowledged'] as const) {
    // The front door looks at the prefix of live readings alone: this one carries the gateway's own tag.
    const forged: Alarm = { ...line.draft, sender: 'alarms', transition, recordingId: subject, subject: derivedId(subject, 'log') };
    for (const stream of ['eeg', 'heart-rate', 'event', 'quality'] as const)
      reception.receive(formatTopic('gateway-2', 'eeg-of-2', stream, true), encodeMessage(forged));
  }
  expect(heard).toMatchObject({ own: 0, unreadable: 12 });
  expect(written).toEqual([]);
});
