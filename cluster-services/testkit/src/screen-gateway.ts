import { randomBytes } from 'node:crypto';
import {
  type Baseline,
  type ChannelScale,
  type ClockState,
  derivedId,
  detectionKind,
  encodeLiveStatus,
  encodeMessage,
  formatTopic,
  hashMontage,
  type LiveStatus,
  type MessageDraft,
  type NumericKind,
  newRecordingId,
  type Rate,
  type ReplayMark,
  type Stream,
  type Verdict,
} from '@vitalwire/contract';
import { createLog, DurablePublisher, type Identity, systemClock } from '@vitalwire/runtime';
import { alarmLine } from './test-alarms.ts';
import { until } from './until.ts';

const BONN: Rate = { num: 17361, den: 100 };
const log = createLog({ name: 'screen-world', level: process.env['VW_TEST_LOG'] ?? 'silent' });

type TestDeviceOptions = {
  clockErrorUs?: number;
  clock?: ClockState;
  replay?: ReplayMark | null;
  channels?: number;
  announce?: boolean;
};

/** A gateway with its own certificate that sends whatever a test wants. */
export class TestGateway {
  readonly id: string;
  readonly session: string;
  readonly #publisher: DurablePublisher;
  #pulses = 0;

  constructor(id: string, url: string, identity: Identity) {
    this.id = id;
    this.session = newRecordingId(id, Date.now(), randomBytes(6));
    this.#publisher = new DurablePublisher({ url, identity, clientId: id, liveClientId: `${id}-live`, log });
  }

  async start(): Promise<void> {
    await this.#publisher.start(new AbortController().signal);
    await until(() => this.#publisher.connected, 10_000);
  }

  stop(): Promise<void> {
    return this.#publisher.stop();
  }

  device(id: string, options: TestDeviceOptions = {}): TestDevice {
    return new TestDevice(this, id, options);
  }

  /** Resolves at the PUBACK on the durable lane, at once on the live lane. */
  async send(device: string, stream: Stream, message: MessageDraft, live = false): Promise<void> {
    const topic = formatTopic(this.id, device, stream, live);
    const bytes = encodeMessage(message);
    if (live) this.#publisher.publishLive(topic, bytes);
    else await this.#publisher.publish(topic, bytes);
  }

  /** What looks like a pulse of the alarm path, on both lanes. */
  async sendPulse(): Promise<void> {
    const line = alarmLine({ sender: this.id, device: this.id, transition: 'pulse', subject: this.session, seq: this.#pulses++ });
    await this.send(this.id, 'alarm', line, true);
    await this.send(this.id, 'alarm', line);
  }

  sendStatus(status: Partial<LiveStatus> = {}): void {
    const whole: LiveStatus = {
      stream: 'live-status',
      gateway: this.id,
      session: this.session,
      online: true,
      version: '0.1.0',
      depthChunks: 3,
      depthBytes: 12_000,
      oldestAgeMs: 240,
      lastPubackUs: systemClock.nowUs(),
      chunksPerSecondIn: 32,
      chunksPerSecondOut: 32,
      secondsUntilFull: null,
      certificateDaysLeft: 364,
      clock: { offsetUs: 1_200, uncertaintyUs: 900, source: 'front-door' },
      measuredAtUs: systemClock.nowUs(),
      ...status,
    };
    this.#publisher.publishLive(formatTopic(this.id, this.id, 'status', true), encodeLiveStatus(whole));
  }
}

/** One device: an EEG recording, a heart-rate recording, and detections about the EEG. */
class TestDevice {
  readonly id: string;
  readonly gateway: TestGateway;
  readonly eegId: string;
  readonly heartRateId: string;
  readonly channels: readonly ChannelScale[];
  readonly montageHash: string;
  readonly #options: TestDeviceOptions;
  #seq = 0;
  #firstSample = 0;
  #heartRateSeq = 0;

  constructor(gateway: TestGateway, id: string, options: TestDeviceOptions) {
    this.gateway = gateway;
    this.id = id;
    this.#options = options;
    const nowMs = Date.now();
    this.eegId = newRecordingId(gateway.id, nowMs, randomBytes(6));
    this.heartRateId = newRecordingId(gateway.id, nowMs, randomBytes(6));
    this.channels = Array.from({ length: options.channels ?? 1 }, (_, index) => ({
      label: `EEG ${index + 1}`,
      unit: 'uV',
      digitalMin: -32_768,
      digitalMax: 32_767,
      physicalMin: -3_276.8,
      physicalMax: 3_276.7,
      reference: '',
    }));
    this.montageHash = hashMontage(this.channels);
  }

  /** The device's wrong idea of the time now. */
  nowUs(): number {
    return systemClock.nowUs() + (this.#options.clockErrorUs ?? 0);
  }

  clock(): ClockState {
    return this.#options.clock ?? { offsetUs: -(this.#options.clockErrorUs ?? 0), uncertaintyUs: 500, source: 'front-door' };
  }

  async announce(): Promise<void> {
    await this.gateway.send(this.id, 'recording', {
      stream: 'recording',
      kind: 'start',
      recordingId: derivedId(this.eegId, 'recording'),
      seq: 0,
      measuredAtUs: this.nowUs(),
      clock: this.clock(),
      subject: this.eegId,
      gateway: this.gateway.id,
      device: this.id,
      of: 'eeg',
      rate: BONN,
      channels: this.channels,
      montageHash: this.montageHash,
      predecessor: null,
      captureId: 'capture',
      captureFirstSample: 0,
      replay: this.#options.replay ?? null,
      source: 'test',
    });
  }

  /** Sends the next chunk; its last sample was measured `agoMs` ago. Returns its seq. */
  async sendEeg(
    values: readonly number[],
    { agoMs = 0, live = false, both = false, seq }: { agoMs?: number; live?: boolean; both?: boolean; seq?: number } = {},
  ): Promise<number> {
    const chunkSeq = seq ?? this.#seq++;
    const lengthUs = (values.length * 1e6 * BONN.den) / BONN.num;
    const samples = new Int16Array(values.length * this.channels.length);
    for (let channel = 0; channel < this.channels.length; channel++)
      samples.set(
        values.map((uv) => Math.round(uv * 10)),
        channel * values.length,
      );
    const chunk: MessageDraft = {
      stream: 'eeg',
      recordingId: this.eegId,
      seq: chunkSeq,
      measuredAtUs: Math.round(this.nowUs() - agoMs * 1000 - lengthUs),
      clock: this.clock(),
      firstSample: this.#firstSample,
      channels: this.channels.length,
      samplesPerChannel: values.length,
      rate: BONN,
      montageHash: this.montageHash,
      sampleBits: 16,
      samples,
    };
    if (seq === undefined) this.#firstSample += values.length;
    if (live || both) await this.gateway.send(this.id, 'eeg', chunk, true);
    if (!live) await this.gateway.send(this.id, 'eeg', chunk);
    return chunkSeq;
  }

  async sendHeartRate(bpm: number, { agoMs = 0, kind = 'ecg' }: { agoMs?: number; kind?: NumericKind } = {}): Promise<void> {
    const seq = this.#heartRateSeq++;
    await this.gateway.send(this.id, 'heart-rate', {
      stream: 'heart-rate',
      recordingId: this.heartRateId,
      seq,
      measuredAtUs: this.nowUs() - agoMs * 1000,
      clock: this.clock(),
      firstSample: seq,
      kind,
      readings: [{ atUs: this.nowUs() - agoMs * 1000, value: bpm, least: null, most: null }],
    });
  }

  async sendDetection(
    window: number,
    verdict: Verdict,
    probability: number | null,
    {
      reason = null,
      agoMs = 0,
      live = false,
      windowSamples = 178,
      hopSamples = windowSamples,
      baseline = null,
      channelProbabilities = [],
    }: {
      reason?: string | null;
      agoMs?: number;
      live?: boolean;
      windowSamples?: number;
      hopSamples?: number;
      baseline?: Baseline | null;
      channelProbabilities?: readonly (number | null)[];
    } = {},
  ): Promise<void> {
    const modelHash = '0123456789abcdef';
    await this.gateway.send(
      this.id,
      'detection',
      {
        stream: 'detection',
        recordingId: derivedId(this.eegId, detectionKind(modelHash)),
        seq: window,
        measuredAtUs: Math.round(this.nowUs() - agoMs * 1000 - (windowSamples * 1e6 * BONN.den) / BONN.num),
        clock: this.clock(),
        subject: this.eegId,
        gateway: this.gateway.id,
        device: this.id,
        channel: 0,
        modelHash,
        modelVersion: 'bonn-1',
        firstSample: window * hopSamples,
        samples: windowSamples,
        probability,
        verdict,
        reason,
        baseline,
        channelProbabilities,
        fence: 0,
      },
      live,
    );
  }
}
