import {
  type Alarm,
  checkTopic,
  decodeLiveStatus,
  decodeMessage,
  encodeLiveFrame,
  type Message,
  parseTopic,
  readPrefix,
  type Topic,
} from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';
import { ALARMS_SERVICE } from './alarm-board.ts';
import type { LiveHub } from './live-hub.ts';
import type { Montages } from './montages.ts';
import type { RecentFrames } from './recent-frames.ts';
import { SeenSeqs } from './seen-seqs.ts';
import { binaryFrame, textFrame } from './socket-frame.ts';
import type { Ward } from './ward.ts';

/** Older than this on the durable lane is history being caught up, not the present. */
const BACKLOG_MS = 10_000;

export type FeedCounts = {
  messages: number;
  repeats: number;
  undecodable: number;
  foreign: number;
  clockWrong: number;
  alarmLines: number;
  pulses: number;
};

export type LiveFeedOptions = {
  ward: Ward;
  hub: LiveHub;
  montages: Montages;
  recent: RecentFrames;
  clock: Clock;
  onNewMontage: () => void;
  /** The alarm path gave a sign of life. */
  onPulse: () => void;
};

/** Takes what the front door routes and hands it to memory and viewers: once per (recording, seq), on whichever lane it came first. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #durable = new SeenSeqs();
  readonly #live = new SeenSeqs();
  readonly counts: FeedCounts = { messages: 0, repeats: 0, undecodable: 0, foreign: 0, clockWrong: 0, alarmLines: 0, pulses: 0 };

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  take(topicText: string, payload: Uint8Array): void {
    const receivedAtUs = this.#options.clock.nowUs();
    this.counts.messages += 1;
    const topic = parseTopic(topicText);
    if (!topic.ok) this.counts.undecodable += 1;
    else if (topic.value.stream === 'status' && topic.value.live) this.#takeLiveStatus(payload, receivedAtUs);
    else this.#takeMessage(topicText, topic.value, payload, receivedAtUs);
  }

  #takeLiveStatus(payload: Uint8Array, receivedAtUs: number): void {
    const status = decodeLiveStatus(payload);
    if (!status.ok) {
      this.counts.undecodable += 1;
      return;
    }
    const { ward, hub } = this.#options;
    ward.applyLiveStatus(status.value, receivedAtUs);
    const state = ward.gateway(status.value.gateway, receivedAtUs);
    if (state !== null) hub.broadcast(textFrame(JSON.stringify({ type: 'gateway', status: state })));
  }

  #takeMessage(topicText: string, topic: Topic, payload: Uint8Array, receivedAtUs: number): void {
    const prefix = readPrefix(payload);
    if (prefix === null) {
      this.counts.undecodable += 1;
      return;
    }
    // An alarm's newest line counts whatever came before, and a pulse proves something each time: the board looks at every copy.
    if (topic.stream === 'alarm' && this.#takeAlarm(topic, payload) === 'pulse') return;
    if (this.#isRepeat(topic, prefix.recordingId, prefix.seq)) {
      this.counts.repeats += 1;
      return;
    }
    const message = decodeMessage(payload);
    if (!message.ok || !checkTopic(message.value, topic).ok) {
      this.counts.undecodable += 1; // the front door has quarantined it; a screen shows nothing it does not understand
      return;
    }
    const { ward, hub, montages } = this.#options;
    if (!ward.apply(topic, message.value, receivedAtUs)) {
      this.counts.foreign += 1; // stored, and on no screen: the alarms service names both gateways
      return;
    }
    if (message.value.stream === 'recording' && message.value.kind === 'start' && montages.remember(message.value))
      this.#options.onNewMontage();
    const isEeg = message.value.stream === 'eeg';
    if (message.value.stream === 'eeg' && ward.comesFromFuture(topic, message.value, receivedAtUs)) {
      this.counts.clockWrong += 1;
      return;
    }
    if (!isEeg && hub.counts().viewers === 0) return;
    const outgoing = {
      device: topic.device,
      patient: ward.patientOf(topic.device),
      stream: topic.stream,
      isBacklog: !topic.live && isHistory(message.value, receivedAtUs),
      frame: binaryFrame(encodeLiveFrame(topicText, topic.live, receivedAtUs, payload)),
    };
    if (isEeg && !outgoing.isBacklog) this.#options.recent.keep(outgoing, this.#options.clock.monotonicMs());
    hub.publish(outgoing);
  }

  #takeAlarm(topic: Topic, payload: Uint8Array): 'line' | 'pulse' | 'nothing' {
    const message = decodeMessage(payload);
    if (!message.ok || message.value.stream !== 'alarm' || !checkTopic(message.value, topic).ok) return 'nothing';
    const line: Alarm = message.value;
    if (!this.#options.ward.admits(topic, line)) return 'nothing';
    if (line.transition === 'pulse') {
      // Only the service's own, and only on the lane that is never kept: a pulse from a backlog proves nothing.
      if (topic.live && line.sender === ALARMS_SERVICE) {
        this.counts.pulses += 1;
        this.#options.onPulse();
      }
      return 'pulse';
    }
    // Until its pulses come back to it the service asks with lines about nothing: they prove nothing and tell a viewer nothing.
    if (line.transition === 'updated' && line.alarmId === '') return 'pulse';
    this.counts.alarmLines += 1;
    this.#options.ward.alarms.take(line, this.#options.clock.monotonicMs());
    return 'line';
  }

  // A provisional detection is settled by the stored one of the same identity, so that one passes; a repeat of either does not.
  #isRepeat(topic: Topic, recordingId: string, seq: number): boolean {
    if (topic.live) return this.#durable.has(recordingId, seq) || !this.#live.isFirst(recordingId, seq);
    const first = this.#durable.isFirst(recordingId, seq);
    return !first || (topic.stream !== 'detection' && this.#live.has(recordingId, seq));
  }
}

function isHistory(message: Message, receivedAtUs: number): boolean {
  if (message.clock.source === 'none') return false;
  return receivedAtUs - (message.measuredAtUs + message.clock.offsetUs) > BACKLOG_MS * 1000;
}
