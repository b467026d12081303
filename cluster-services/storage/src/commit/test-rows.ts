import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeMessage, derivedId, encodeMessage, type Message, type MessageDraft, newRecordingId } from '@vitalwire/contract';
import type { ChunkRow, QuarantineRow } from './commit-row.ts';

// Rows as the front door makes them, for the tests of this package.

export const testGateway = 'gateway-1';
const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;

let made = 0;

/** A new recording id of the test gateway that starts at this moment. */
export function testRecordingId(startedAtUs: number): string {
  made += 1;
  const random = new Uint8Array(6);
  new DataView(random.buffer).setUint32(2, made);
  return newRecordingId(testGateway, Math.floor(startedAtUs / 1000), random);
}

export function rowOf(draft: MessageDraft, sender: { gateway?: string; device?: string } = {}): ChunkRow {
  const message = encodeMessage(draft);
  const decoded = decodeMessage(message);
  if (!decoded.ok) throw new Error(`a test made a message nobody can read: ${decoded.reason}`);
  const value = decoded.value;
  return {
    kind: 'chunk',
    recordingId: value.recordingId,
    seq: value.seq,
    stream: value.stream,
    subject: 'subject' in value ? value.subject : null,
    gateway: sender.gateway ?? testGateway,
    device: sender.device ?? ('device' in value ? value.device : 'eeg-1'),
    measuredAtUs: value.measuredAtUs,
    spanUs: spanOf(value),
    codec: value.stream === 'eeg' ? value.codec : 0,
    clockQuality: 0,
    firstSample: 'firstSample' in value ? value.firstSample : null,
    samples: samplesOf(value),
    crc32: crc32(message),
    message,
    firstWriteWins: value.stream === 'detection',
    ...(value.stream === 'recording' ? { recording: value } : {}),
  };
}

export type EegOptions = {
  recordingId: string;
  seq: number;
  samples?: Int16Array;
  channels?: number;
  rateHz?: number;
  startUs?: number; // of the recording
  firstSample?: number;
  device?: string;
};

/** One EEG chunk; by default 50 samples at 200 Hz of one channel, chunk after chunk without a hole. */
export function eegRow(options: EegOptions): ChunkRow {
  const { recordingId, seq, channels = 1, rateHz = 200, startUs = 1_700_000_000_000_000, device = 'eeg-1' } = options;
  const samples = options.samples ?? Int16Array.from({ length: 50 * channels }, (_item, index) => ((seq * 50 + index) % 200) - 100);
  const samplesPerChannel = samples.length / channels;
  const firstSample = options.firstSample ?? seq * samplesPerChannel;
  return rowOf(
    {
      stream: 'eeg',
      recordingId,
      seq,
      measuredAtUs: startUs + Math.round((firstSample * 1e6) / rateHz),
      clock,
      firstSample,
      channels,
      samplesPerChannel,
      rate: { num: rateHz, den: 1 },
      montageHash: '0123456789abcdef',
      sampleBits: 16,
      samples,
    },
    { device },
  );
}

export type StartOptions = {
  recordingId: string;
  startUs?: number;
  device?: string;
  channels?: number;
  rateHz?: number;
  of?: 'eeg' | 'heart-rate' | 'event' | 'quality';
  predecessor?: string | null;
  captureId?: string;
  captureFirstSample?: number;
  replay?: { speed: number; source: string } | null;
};

export function startRow(options: StartOptions): ChunkRow {
  const { recordingId, startUs = 1_700_000_000_000_000, device = 'eeg-1', channels = 1, rateHz = 200, of = 'eeg' } = options;
  return rowOf(
    {
      stream: 'recording',
      recordingId: derivedId(recordingId, 'recording'),
      seq: 0,
      measuredAtUs: startUs,
      clock,
      kind: 'start',
      subject: recordingId,
      gateway: testGateway,
      device,
      of,
      rate: of === 'eeg' ? { num: rateHz, den: 1 } : null,
      channels: Array.from({ length: of === 'eeg' ? channels : 0 }, (_item, index) => ({
        label: `C${index + 1}`,
        unit: 'uV',
        digitalMin: -32768,
        digitalMax: 32767,
        physicalMin: -3276.8,
        physicalMax: 3276.7,
        reference: '',
      })),
      montageHash: '0123456789abcdef',
      predecessor: options.predecessor ?? null,
      captureId: options.captureId ?? 'capture-1',
      captureFirstSample: options.captureFirstSample ?? 0,
      replay: options.replay === undefined ? { speed: 1, source: 'test' } : options.replay,
      source: 'test',
    },
    { device },
  );
}

export function endRow(options: {
  recordingId: string;
  lastSeq: number;
  readings?: number;
  endUs?: number;
  device?: string;
  reason?: 'stopped' | 'crash' | 'midnight' | 'device-gap';
}): ChunkRow {
  const {
    recordingId,
    lastSeq,
    readings = (lastSeq + 1) * 50,
    endUs = 1_700_000_000_000_000,
    device = 'eeg-1',
    reason = 'stopped',
  } = options;
  return rowOf(
    {
      stream: 'recording',
      recordingId: derivedId(recordingId, 'recording'),
      seq: 1,
      measuredAtUs: endUs,
      clock,
      kind: 'end',
      subject: recordingId,
      lastSeq,
      readings,
      reason,
    },
    { device },
  );
}

export function quarantineRow(bytes: Uint8Array, options: { recordingId?: string; seq?: number; reason?: string } = {}): QuarantineRow {
  return {
    kind: 'quarantine',
    sha256: createHash('sha256').update(bytes).digest(),
    sender: testGateway,
    topic: 'vw/1/00/gateway-1/eeg-1/eeg',
    reason: options.reason ?? 'damaged',
    message: bytes,
    recordingId: options.recordingId ?? null,
    seq: options.seq ?? null,
  };
}

function samplesOf(message: Message): number | null {
  if (message.stream === 'eeg') return message.samplesPerChannel;
  if (message.stream === 'heart-rate') return message.readings.length;
  if (message.stream === 'event') return message.events.length;
  return null;
}

function spanOf(message: Message): number {
  if (message.stream === 'eeg') return Math.round((message.samplesPerChannel * 1e6 * message.rate.den) / message.rate.num);
  if (message.stream === 'heart-rate') return Math.max(0, ...message.readings.map(({ atUs }) => atUs - message.measuredAtUs));
  return 0;
}
