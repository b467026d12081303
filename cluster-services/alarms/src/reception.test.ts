import {
  type Alarm,
  DeviceOwners,
  derivedId,
  detectionKind,
  type EndReason,
  encodeMessage,
  formatTopic,
  limits,
  type MessageDraft,
  newRecordingId,
  numericFacts,
} from '@vitalwire/contract';
import { deviceStreams, gatewayMessages, VirtualClock } from '@vitalwire/testkit';
import { AlarmEngine, type AlarmRecord, ConflictWatch, SilenceWatch } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { Reception } from './reception.ts';
import { KnownRecordings } from './recordings.ts';
import { Wards } from './wards.ts';

const owner = (device: string, gateway: string) => ({ device, gateway, fromUs: null, by: 'registry', atUs: 0 });

function receiving(onUntold = () => Promise.resolve(), told = [owner('eeg-1', 'gateway-1'), owner('eeg-of-2', 'gateway-2')]) {
  const clock = new VirtualClock();
  const written: AlarmRecord[] = [];
  const wards = new Wards({
    clock,
    limitsOf: (_, stream) => numericFacts(stream).limits.usual,
    write: (records) => void written.push(...records),
  });
  for (let shard = 0; shard < limits.shards; shard += 1) wards.gain(shard, new AlarmEngine({ sender: 'alarms' }));
  const owners = new DeviceOwners();
  owners.take({ devices: [], owners: told });
  const [silence, conflicts] = [new SilenceWatch(clock.monotonicMs()), new ConflictWatch(clock.monotonicMs())];
  const heard = { own: 0, unknown: 0, unreadable: 0 };
  const reception = new Reception({
    sender: 'alarms',
    wards,
    recordings: new KnownRecordings(),
    silence,
    owners,
    conflicts,
    onUntold,
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
  return { reception, owners, clock, wards, written, heard, said, watched };
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

const unknownClock = { clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' } } as const;
type Recorded = { readonly recordingId: string; readonly device: string };

function startOf({
  recordingId,
  device,
  of,
  replay,
}: Recorded & { of: 'eeg' | 'heart-rate'; replay: { speed: number; source: string } | null }) {
  return {
    ...unknownClock,
    subject: recordingId,
    gateway: 'gateway-1',
    device,
    stream: 'recording',
    kind: 'start',
    recordingId: derivedId(recordingId, 'recording'),
    seq: 0,
    measuredAtUs: 0,
    of,
    rate: null,
    channels: [],
    montageHash: '0123456789abcdef',
    predecessor: null,
    captureId: 'capture',
    captureFirstSample: 0,
    replay,
    source: 'test',
  } as const satisfies MessageDraft;
}

function windowOf({ recordingId, device }: Recorded, index: number, fromUs: number, probability: number): MessageDraft {
  return {
    ...unknownClock,
    subject: recordingId,
    gateway: 'gateway-1',
    device,
    stream: 'detection',
    recordingId: derivedId(recordingId, detectionKind('model')),
    seq: index,
    measuredAtUs: fromUs,
    channel: 0,
    modelHash: 'model',
    modelVersion: '1',
    firstSample: index * 100,
    samples: 400,
    probability,
    verdict: probability >= 0.8 ? 'seizure' : 'quiet',
    reason: null,
    baseline: 'own',
    channelProbabilities: [probability],
    fence: 0,
  };
}

/** Messages of gateway-1 as they would come one after another, received at once. */
function sending(
  device: string,
  of: 'eeg' | 'heart-rate',
  replay: { speed: number; source: string } | null = null,
  { isBegun = true }: { readonly isBegun?: boolean } = {},
) {
  const receiver = receiving();
  const { reception, clock } = receiver;
  const recordingId = newRecordingId('gateway-1', clock.nowMs(), new Uint8Array(6));
  const rate = { num: 100, den: 1 };
  const send = (message: Parameters<typeof encodeMessage>[0]) =>
    reception.receive(formatTopic('gateway-1', device, message.stream, false), encodeMessage(message));
  const start: MessageDraft = {
    ...startOf({ recordingId, device, of, replay }),
    measuredAtUs: clock.nowUs(),
    rate: of === 'eeg' ? rate : null,
  };
  if (isBegun) send(start);
  let seq = 0;
  return {
    ...receiver,
    begin: () => send(start),
    heartRate: (bpm: number, atUs: number) => {
      const readings = [{ atUs, value: bpm, least: null, most: null }];
      send({ stream: 'heart-rate', recordingId, seq, measuredAtUs: atUs, ...unknownClock, firstSample: seq, kind: 'ecg', readings });
      seq += 1;
    },
    eeg: (measuredAtUs: number) => {
      const samples = new Int16Array(100);
      const block = { channels: 1, samplesPerChannel: 100, rate, montageHash: '0123456789abcdef', sampleBits: 16, samples } as const;
      send({ stream: 'eeg', recordingId, seq, measuredAtUs, ...unknownClock, firstSample: seq * 100, ...block });
      seq += 1;
    },
    window: (index: number, fromUs: number, probability: number) =>
      reception.receive(
        formatTopic('prediction', device, 'detection', false),
        encodeMessage(windowOf({ recordingId, device }, index, fromUs, probability)),
      ),
    end: (measuredAtUs: number, reason: EndReason) => {
      const end = { kind: 'end', seq: 1, lastSeq: seq - 1, readings: seq, reason } as const;
      send({
        stream: 'recording',
        recordingId: derivedId(recordingId, 'recording'),
        measuredAtUs,
        ...unknownClock,
        subject: recordingId,
        ...end,
      });
    },
    open: () => receiver.wards.now().alarms.map(({ condition, state }) => `${condition} ${state}`),
  };
}

test.each([
  ['an hour ahead', 3_600],
  ['in 2099', 73 * 365 * 86_400],
])('three heart rates dated %s hold back no alarm, and the clock is told of', async (_, aheadS) => {
  const { heartRate, clock, open } = sending('eeg-1', 'heart-rate');
  for (const bpm of [70, 71, 72]) heartRate(bpm, clock.nowUs() + aheadS * 1_000_000);
  for (let second = 0; second < 8; second++) {
    heartRate(190, clock.nowUs());
    await clock.advance(1_000);
  }
  expect(open().sort()).toEqual(['clock-wrong active', 'heart-rate-extreme-high active']);
});

test('EEG dated ahead is told of, that of a replay is not', async () => {
  for (const replay of [null, { speed: 60, source: 'file' }]) {
    const { eeg, clock, open } = sending('eeg-1', 'eeg', replay);
    for (let second = 0; second < 10; second++) {
      eeg(clock.nowUs() + 3_600_000_000);
      await clock.advance(1_000);
    }
    expect(open()).toEqual(replay === null ? ['clock-wrong active'] : []);
  }
});

test('heart rates of a replay that was joined on the way are not called a wrong clock', async () => {
  const { reception, clock, wards } = receiving();
  const recordingId = newRecordingId('gateway-1', clock.nowMs(), new Uint8Array(6));
  for (let seq = 0; seq < 5; seq += 1) {
    const atUs = clock.nowUs() + 3_600_000_000;
    const readings = [{ atUs, value: 70, least: null, most: null }];
    const ids = {
      recordingId,
      seq,
      measuredAtUs: atUs,
      clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
      firstSample: seq,
    } as const;
    const chunk = encodeMessage({ stream: 'heart-rate', ...ids, kind: 'ecg', readings });
    reception.receive(formatTopic('gateway-1', 'eeg-1', 'heart-rate', false), chunk);
    await clock.advance(1_000);
  }
  expect(wards.now().alarms).toEqual([]);
});

test.each([
  ['comes while they wait: nothing is told without its mark', true, { speed: 1, source: 'night' }],
  ['does not come, as with a dead storage: the alarm comes without it', false, null],
])('windows of a recording whose start record is not known wait for it. It %s', async (_, comes, expected) => {
  const { begin, eeg, window, clock, wards, written, heard } = sending('eeg-1', 'eeg', { speed: 1, source: 'night' }, { isBegun: false });
  const startUs = clock.nowUs();
  eeg(startUs); // its rate is known, and no more
  for (let index = 0; index < 12; index++) {
    if (comes && index === 3) begin();
    window(index, startUs + index * 1_000_000, 0.95);
    if (index < 3) expect(written).toEqual([]);
    await clock.advance(1_000);
  }
  expect(heard.unknown).toBeGreaterThan(0); // storage was asked
  const [alarm] = wards.now().alarms;
  expect(alarm).toMatchObject({ condition: 'seizure', state: 'active', onsetUs: startUs, replay: expected });
  expect(written.filter(({ condition }) => condition === 'seizure').map(({ replay }) => replay)).toEqual(
    written.filter(({ condition }) => condition === 'seizure').map(() => expected),
  );
});

test('heart rates of a replay that was joined on the way raise no alarm without its mark', async () => {
  const { begin, heartRate, clock, written } = sending('eeg-1', 'heart-rate', { speed: 1, source: 'night' }, { isBegun: false });
  for (let second = 0; second < 12; second++) {
    if (second === 3) begin();
    heartRate(190, clock.nowUs());
    await clock.advance(1_000);
  }
  expect(written.length).toBeGreaterThan(0);
  expect(written.every(({ replay }) => replay !== null)).toBe(true);
});

test.each([
  ['stopped', 'seizure latched'],
  ['capture-ended', 'seizure latched'],
  ['midnight', 'seizure active'], // the next recording goes on at once
  ['montage-changed', 'seizure active'],
] as const)('a recording that ends in a seizure: %s', async (reason, expected) => {
  const { window, end, clock, open, wards } = sending('eeg-1', 'eeg');
  const startUs = clock.nowUs();
  for (let index = 0; index < 10; index++) window(index, startUs + index * 1_000_000, 0.95);
  await clock.advance(15_000);
  end(startUs + 13_500_000, reason);
  expect(open()).toEqual([expected]);
  const [alarm] = wards.now().alarms;
  expect(alarm?.text.includes('recording ended') && alarm.text.includes('during a seizure pattern')).toBe(expected === 'seizure latched');
});

test.each([
  ['the registry says that it is not its device', 'gateway-1', 0],
  ['the registry says that it is', 'gateway-2', 1],
  ['the registry does not answer', null, 1],
])("a gateway's alarm of a device nobody told of waits for the registry: %s", async (_what, said, alarms) => {
  const { reception, owners, clock, wards } = receiving(async () => {
    if (said === null) throw new Error('storage is down');
    owners.take({ devices: [], owners: [owner('eeg-9', said)] });
  }, []);
  const [alarm] = gatewayMessages({ gateway: 'gateway-2', device: 'eeg-9', atUs: clock.nowUs() }).filter(
    ({ stream }) => stream === 'alarm',
  );
  if (alarm === undefined) throw new Error('no such message');
  reception.receive(alarm.topic(true), alarm.bytes);
  expect(wards.now().alarms).toEqual([]);
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(wards.now().alarms).toHaveLength(alarms);
});
