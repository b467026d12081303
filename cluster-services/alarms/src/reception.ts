import {
  type Alarm,
  type ClockState,
  checkTopic,
  type Detection,
  type DeviceOwners,
  decodeLiveStatus,
  decodeMessage,
  type EegChunk,
  isClockWrong,
  isNumeric,
  isNumericChunk,
  isServiceId,
  limits,
  type Message,
  type NumericChunk,
  parseTopic,
  type RecordingEnd,
  type RecordingStart,
  type Status,
  speakerOf,
  type Topic,
} from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';
import { type AlarmRecord, type ConflictWatch, detectionInputOf, recordOf, type SilenceWatch, type WatchedStream } from '@vitalwire/vitals';
import { HeldMessages } from './held-messages.ts';
import { type KnownRecording, type KnownRecordings, takeOf } from './recordings.ts';
import type { Wards } from './wards.ts';

export type ReceptionOptions = {
  readonly sender: string;
  readonly wards: Wards;
  readonly recordings: KnownRecordings;
  readonly silence: SilenceWatch;
  /** Whose each device is: nothing else may speak of it. */
  readonly owners: DeviceOwners;
  readonly conflicts: ConflictWatch;
  /** A device is heard of which the registry, as it is known here, says nothing; resolves when it has been asked, answer or not. */
  readonly onUntold: () => Promise<void>;
  readonly clock: Clock;
  /** A line of this service itself came back. */
  readonly onOwn: (alarm: Alarm) => void;
  /** Something about this recording has to be asked of storage. */
  readonly onUnknown: (recordingId: string) => void;
  readonly onUnreadable: () => void;
};

type Reached = { readonly endUs: number; readonly place: number /* readings of the recording so far */ };

/** Turns received messages into what engines and the watch of silences take. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #heldWindows = new HeldMessages<Detection>();
  readonly #heldNumerics = new HeldMessages<NumericChunk>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  receive(topicText: string, payload: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (!topic.ok) {
      this.#options.onUnreadable();
      return;
    }
    if (topic.value.stream === 'status' && topic.value.live) {
      this.#liveStatus(payload);
      return;
    }
    const decoded = decodeMessage(payload);
    if (!decoded.ok || !checkTopic(decoded.value, topic.value).ok) {
      this.#options.onUnreadable();
      return;
    }
    const message = decoded.value;
    const { owners } = this.#options;
    const isUntold = message.stream !== 'status' && !owners.isTold(topic.value.device);
    // What a gateway decided about a device nobody has told of waits for the registry's word: an alarm believed wrongly would stand.
    if (isUntold && message.stream === 'alarm' && !isServiceId(message.sender))
      this.#options.onUntold().then(
        () => this.#take(topic.value, message),
        () => this.#take(topic.value, message),
      );
    else {
      if (isUntold && message.stream !== 'alarm') void this.#options.onUntold();
      this.#take(topic.value, message);
    }
  }

  #take(topic: Topic, message: Message): void {
    const { owners, conflicts, clock } = this.#options;
    if (!owners.admits(topic, message)) {
      conflicts.heard(topic.device, speakerOf(topic, message), clock.monotonicMs());
      return;
    }
    if (isNumericChunk(message)) {
      this.#numeric(message, topic);
      return;
    }
    switch (message.stream) {
      case 'eeg':
        this.#eeg(message, topic);
        return;
      case 'recording':
        if (message.kind === 'start') this.#start(message);
        else this.#end(message, topic);
        return;
      case 'detection':
        this.detection(message);
        return;
      case 'status':
        this.#status(message);
        return;
      case 'alarm':
        this.#alarm(message);
        return;
      default:
        return;
    }
  }

  /** A detection received, or read from storage. */
  detection(detection: Detection): void {
    const { wards, recordings, silence, clock, onUnknown } = this.#options;
    silence.detection(detection.device, clock.monotonicMs(), detection.everyS);
    const known = recordings.get(detection.subject);
    if (known === null || known.rate === null || !known.isComplete) onUnknown(detection.subject);
    if (known === null || known.rate === null) return;
    if (!known.isComplete && this.#heldWindows.holds(detection.subject, detection, clock.monotonicMs())) return;
    for (const one of [...this.#heldWindows.release(detection.subject, known.isComplete), detection])
      wards.detection({ ...detectionInputOf(one, known.rate, known.replay, known.labels), take: takeOf(known) });
  }

  #eeg(chunk: EegChunk, topic: Topic): void {
    const { device } = topic;
    const { wards } = this.#options;
    const known = this.#learn(chunk.recordingId, { device, stream: 'eeg', rate: chunk.rate });
    const endUs = chunk.measuredAtUs + Math.round((chunk.samplesPerChannel * 1_000_000 * chunk.rate.den) / chunk.rate.num);
    this.#heard(known, chunk.recordingId, 'eeg', { endUs, place: chunk.firstSample + chunk.samplesPerChannel }, topic);
    // Without its start record nobody knows whether it is a replay, which has a time of its own.
    if (known.isComplete) wards.clock({ device, stream: 'eeg', atUs: endUs, clock: chunk.clock, replay: known.replay });
  }

  #numeric(chunk: NumericChunk, topic: Topic): void {
    const { device } = topic;
    const { stream } = chunk;
    const { clock } = this.#options;
    const known = this.#learn(chunk.recordingId, { device, stream, kind: chunk.kind });
    // A phone exports what it measured hours ago: history, with neither limits nor silence.
    if (chunk.kind === 'phone') return;
    const endUs = Math.max(...chunk.readings.map(({ atUs }) => atUs));
    this.#heard(known, chunk.recordingId, stream, { endUs, place: chunk.firstSample + chunk.readings.length }, topic);
    if (!known.isComplete && this.#heldNumerics.holds(chunk.recordingId, chunk, clock.monotonicMs())) return;
    for (const one of [...this.#heldNumerics.release(chunk.recordingId, known.isComplete), chunk]) this.#judge(one, device, known);
  }

  #judge(chunk: NumericChunk, device: string, known: KnownRecording): void {
    const { wards } = this.#options;
    // Joined on the way, and storage says nothing: it may be a replay, whose clock nobody judges.
    const judged: ClockState = known.isComplete ? chunk.clock : { ...chunk.clock, source: 'replay' };
    const { stream } = chunk;
    for (const { atUs, value } of chunk.readings)
      wards.numeric(device, { stream, atUs, value, replay: known.replay, take: takeOf(known), clock: judged });
  }

  #heard(
    { device, isEnded }: KnownRecording,
    recordingId: string,
    stream: WatchedStream,
    { endUs, place }: Reached,
    { live, gateway }: Topic,
  ): void {
    const { silence, clock } = this.#options;
    silence.lane(live, clock.monotonicMs());
    if (!isEnded) silence.readings(device, stream, recordingId, endUs, clock.monotonicMs(), place, gateway);
  }

  #start({ subject, device, of, rate, replay, captureId, channels }: RecordingStart): void {
    const labels = channels.map(({ label }) => label);
    const stream = of === 'eeg' || isNumeric(of) ? of : null;
    this.#options.recordings.learn(subject, { device, stream, rate, replay, captureId, labels, isComplete: true });
  }

  // An end that is not committed yet may be followed by readings that are; they change nothing any more.
  #end({ subject, reason, measuredAtUs }: RecordingEnd, { device }: Topic): void {
    const { recordings, silence, wards, onUnknown } = this.#options;
    const known = recordings.learn(subject, { device, isEnded: true });
    if (reason !== 'stopped' && reason !== 'capture-ended') return; // another goes on at once, or nobody knows why this one does not
    if (known.stream === null) onUnknown(subject);
    else silence.off(device, known.stream, subject);
    if (known.stream === 'eeg') wards.recordingEnded({ device, atUs: measuredAtUs, take: takeOf(known), recording: subject });
  }

  #liveStatus(payload: Uint8Array): void {
    const decoded = decodeLiveStatus(payload);
    if (!decoded.ok) {
      this.#options.onUnreadable();
      return;
    }
    const { gateway, online, measuredAtUs } = decoded.value;
    this.#options.silence.gateway(
      gateway,
      online,
      measuredAtUs,
      'it said goodbye, or its connection was lost',
      this.#options.clock.monotonicMs(),
    );
  }

  // A death may be told by the next session, after its own birth: what lives now is told live.
  #status({ gateway, kind, measuredAtUs }: Status): void {
    const { silence, clock } = this.#options;
    if (kind === 'birth') silence.gateway(gateway, true, measuredAtUs, '', clock.monotonicMs());
  }

  #alarm(alarm: Alarm): void {
    const { sender, wards, onOwn } = this.#options;
    const record = this.#placed(alarm);
    if (alarm.sender === sender) onOwn(alarm);
    else if (alarm.transition !== 'pulse') wards.foreign(record);
  }

  /** A gateway's line on the receiver's time line, as its readings are. */
  #placed(alarm: Alarm): AlarmRecord {
    const record = recordOf(alarm);
    if (alarm.sender === this.#options.sender || alarm.replay !== null) return record;
    const nowUs = this.#options.clock.nowUs();
    const { clock, measuredAtUs } = alarm;
    const isOff = clock.source !== 'none' && Math.abs(clock.offsetUs) > limits.maxClockAheadUs;
    const shiftUs = isClockWrong(measuredAtUs, clock, nowUs) ? nowUs - measuredAtUs : isOff ? clock.offsetUs : 0;
    return shiftUs === 0 ? record : shifted(record, shiftUs);
  }

  #learn(recordingId: string, facts: Partial<KnownRecording> & { readonly device: string }): KnownRecording {
    const { recordings, onUnknown } = this.#options;
    const isNew = recordings.get(recordingId) === null;
    const known = recordings.learn(recordingId, facts);
    if (isNew) onUnknown(recordingId); // its start record may have been missed, and with it the replay mark
    return known;
  }
}

function shifted(record: AlarmRecord, byUs: number): AlarmRecord {
  const by = (us: number | null) => (us === null ? null : us + byUs);
  const { onsetUs, endedUs, episodes, ...rest } = record;
  const moved = episodes?.map((one) => ({
    ...one,
    onsetUs: one.onsetUs + byUs,
    seenUntilUs: one.seenUntilUs + byUs,
    endUs: by(one.endUs),
  }));
  return { ...rest, onsetUs: by(onsetUs), endedUs: by(endedUs), ...(moved === undefined ? {} : { episodes: moved }) };
}
