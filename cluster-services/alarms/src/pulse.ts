import { randomBytes } from 'node:crypto';
import { type Alarm, type ClockState, derivedId, encodeMessage, formatTopic, newRecordingId } from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';

export type PulseOptions = {
  readonly sender: string;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
  readonly publishLive: (topic: string, bytes: Uint8Array) => void;
};

/**
 * The proof that the alarm path lives: a pulse goes out only if the last message of this series came back through the service's own
 * subscription, so it stops when publishing, the front door or reading stops. Until one has come back, probes ask; nobody takes those
 * for a pulse. The series has an id of its own: the numbers of the log stay without gaps.
 */
export class Pulse {
  readonly #options: PulseOptions;
  readonly #subject: string;
  #seq = 0;
  #heardSeq = -1;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#subject = newRecordingId(options.sender, options.clock.nowMs(), randomBytes(6));
  }

  /** Whether the last one sent has come back. */
  get isHeard(): boolean {
    return this.#seq > 0 && this.#heardSeq === this.#seq - 1;
  }

  heard({ subject, seq }: Pick<Alarm, 'subject' | 'seq'>): void {
    if (subject === this.#subject) this.#heardSeq = Math.max(this.#heardSeq, seq);
  }

  /** Called at every beat of the engine. */
  beat(): void {
    const { sender, clock, clockState, publishLive } = this.#options;
    const isPulse = this.isHeard;
    const message: Alarm = {
      stream: 'alarm',
      recordingId: derivedId(this.#subject, 'alarm'),
      subject: this.#subject,
      seq: this.#seq,
      measuredAtUs: clock.nowUs(),
      clock: clockState(),
      sender,
      device: sender,
      alarmId: '',
      condition: null,
      priority: 'low',
      state: 'active',
      transition: isPulse ? 'pulse' : 'updated',
      onsetUs: null,
      endedUs: null,
      value: null,
      limit: null,
      channel: null,
      untilUs: null,
      by: '',
      mergedInto: null,
      replay: null,
      text: isPulse ? 'the alarm path lives' : 'is the alarm path there?',
      fence: 0,
    };
    this.#seq += 1;
    publishLive(formatTopic(sender, sender, 'alarm', true), encodeMessage(message));
  }
}
