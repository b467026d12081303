import {
  type Alarm,
  type ClockState,
  derivedId,
  detectionKind,
  encodeMessage,
  formatTopic,
  type MessageDraft,
  newRecordingId,
  type Stream,
} from '@vitalwire/contract';

export type GatewayMessage = {
  readonly stream: Stream;
  readonly draft: MessageDraft;
  readonly bytes: Uint8Array;
  topic(live: boolean): string;
};

/** The streams in which a gateway speaks of a device. */
export const deviceStreams = [
  'recording',
  'eeg',
  'heart-rate',
  'event',
  'quality',
  'gap',
  'detection',
  'alarm',
] as const satisfies Stream[];

let made = 0;

/** One well-formed message of every stream in which a gateway speaks of a device: what its certificate lets it send, for whomever. */
export function gatewayMessages({ gateway, device, atUs }: { gateway: string; device: string; atUs: number }): GatewayMessage[] {
  const recordingId = newId(gateway, atUs);
  const subject = newId(gateway, atUs);
  const clock = { offsetUs: 0, uncertaintyUs: 100, source: 'front-door' } as const;
  const common = { recordingId, seq: 0, measuredAtUs: atUs, clock };
  const drafts: MessageDraft[] = [
    ...recordingDrafts(common, { gateway, device }),
    {
      ...common,
      recordingId: newId(gateway, atUs),
      stream: 'heart-rate',
      firstSample: 0,
      kind: 'ecg',
      readings: [{ atUs, value: 41, least: null, most: null }],
    },
    {
      ...common,
      recordingId: newId(gateway, atUs),
      stream: 'event',
      firstSample: 0,
      events: [{ atUs, durationUs: null, type: 'note', text: 'x', source: 'test' }],
    },
    {
      ...common,
      recordingId: newId(gateway, atUs),
      stream: 'quality',
      firstSample: 0,
      items: [{ atUs, channel: 0, metric: 'impedance', value: 1 }],
    },
    ...derivedDrafts(common, { gateway, device, atUs, recordingId, subject }),
  ];
  return drafts.map((draft) => ({
    stream: draft.stream,
    draft,
    bytes: encodeMessage(draft),
    topic: (live) => formatTopic(gateway, device, draft.stream, live),
  }));
}

type Common = { readonly recordingId: string; readonly seq: number; readonly measuredAtUs: number; readonly clock: ClockState };
type About = {
  readonly gateway: string;
  readonly device: string;
  readonly atUs: number;
  readonly recordingId: string;
  readonly subject: string;
};

/** The start of an EEG recording, and its first chunk. */
function recordingDrafts(common: Common, { gateway, device }: { gateway: string; device: string }): MessageDraft[] {
  const { recordingId } = common;
  const rate = { num: 200, den: 1 };
  const montageHash = '0123456789abcdef';
  const scale = {
    label: 'C1',
    unit: 'uV',
    digitalMin: -32768,
    digitalMax: 32767,
    physicalMin: -3276.8,
    physicalMax: 3276.7,
    reference: '',
  };
  return [
    {
      ...common,
      stream: 'recording',
      kind: 'start',
      recordingId: derivedId(recordingId, 'recording'),
      subject: recordingId,
      gateway,
      device,
      of: 'eeg',
      rate,
      channels: [scale],
      montageHash,
      predecessor: null,
      captureId: 'capture-1',
      captureFirstSample: 0,
      replay: null,
      source: 'test',
    },
    {
      ...common,
      stream: 'eeg',
      firstSample: 0,
      channels: 1,
      samplesPerChannel: 200,
      rate,
      montageHash,
      sampleBits: 16,
      samples: new Int16Array(200),
    },
  ];
}

/** What is said about a recording or a device: a gap, a detection, an alarm. */
function derivedDrafts(common: Common, { gateway, device, atUs, recordingId, subject }: About): MessageDraft[] {
  const alarm: Alarm = {
    ...common,
    stream: 'alarm',
    recordingId: derivedId(subject, 'alarm'),
    subject,
    sender: gateway,
    device,
    alarmId: '0123456789abcdef',
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    transition: 'raised',
    onsetUs: atUs,
    endedUs: null,
    value: 1,
    limit: 0.8,
    channel: 0,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: '*** SEIZURE',
    fence: 0,
  };
  return [
    {
      ...common,
      stream: 'gap',
      recordingId: derivedId(recordingId, 'gap'),
      subject: recordingId,
      of: 'eeg',
      device,
      reason: 'unknown',
      fromSeq: 0,
      toSeq: 0,
      fromUs: null,
      toUs: null,
    },
    {
      ...common,
      stream: 'detection',
      recordingId: derivedId(recordingId, detectionKind('model')),
      subject: recordingId,
      gateway,
      device,
      channel: 0,
      modelHash: 'model',
      modelVersion: '1',
      firstSample: 0,
      samples: 800,
      probability: 1,
      verdict: 'seizure',
      reason: null,
      baseline: null,
      channelProbabilities: [1],
      fence: 0,
    },
    alarm,
  ];
}

function newId(gateway: string, atUs: number): string {
  made += 1;
  const random = new Uint8Array(6);
  new DataView(random.buffer).setUint32(2, made);
  return newRecordingId(gateway, Math.floor(atUs / 1000), random);
}
