import { join } from 'node:path';
import type { Alarm } from '@vitalwire/contract';
import { LiveLane, Outbox, Uplink } from '@vitalwire/outbox';
import { type Clock, FreshIdentity, type Identity, type Lifecycle, type Log, version } from '@vitalwire/runtime';
import type { AlarmRecord } from '@vitalwire/vitals';
import { AlarmLog, type LogLine, logLineOf } from './alarm-log.ts';
import type { AlarmsConfig } from './config.ts';
import { Pulse } from './pulse.ts';

/** The name in this service's certificate: who its alarms are from. */
export const SENDER = 'alarms';
/** Delivered lines stay in the outbox: with a dead database they are the memory over a restart. */
const RING_MS = 30 * 86_400_000;
const MAX_OWN_LINES = 20_000;
const MB = 1024 * 1024;

export type VoiceOptions = {
  readonly config: AlarmsConfig;
  readonly identity: Identity;
  readonly log: Log;
  readonly clock: Clock;
  /** The fence of the shard that a device belongs to. */
  readonly fenceOf: (device: string) => number;
};

/** How this service speaks: its log through an outbox of its own, each line on the live lane too, and the pulse that proves that it is heard. */
export class Voice {
  readonly pulse: Pulse;
  readonly log: AlarmLog;
  readonly #options: VoiceOptions;
  readonly #outbox: Outbox;
  readonly #uplink: Uplink;
  readonly #live: LiveLane;
  readonly #own: LogLine[] = []; // written in this run

  constructor(options: VoiceOptions) {
    const { config, identity, log, clock, fenceOf } = options;
    const { dataDir, worker, frontDoorUrl: url } = config;
    this.#options = options;
    this.#outbox = new Outbox({
      path: join(dataDir, 'outbox.sqlite'),
      owner: SENDER,
      version,
      maxBytes: config.outboxMaxMb * MB,
      ringMs: RING_MS,
      minFreeBytes: 0,
      announce: false,
      log: log.child({ part: 'outbox' }),
      clock,
    });
    this.#uplink = new Uplink({
      url,
      identity,
      owner: SENDER,
      clientId: worker,
      version,
      outbox: this.#outbox,
      log: log.child({ part: 'uplink' }),
      clock,
      announce: false,
    });
    this.#live = new LiveLane({
      url,
      clientId: `${worker}-pub`,
      identity: new FreshIdentity(identity, log),
      log: log.child({ part: 'live' }),
      clock,
      onConnected: () => {},
    });
    const publishLive = (topic: string, bytes: Uint8Array): void => void this.#live.publish(topic, bytes);
    const clockState = () => this.#uplink.clock;
    const onLine = (alarm: Alarm): void => this.#remember(alarm);
    this.log = new AlarmLog({ sender: SENDER, dataDir, outbox: this.#outbox, clock, clockState, log, fenceOf, publishLive, onLine });
    this.pulse = new Pulse({ sender: SENDER, clock, clockState, publishLive });
    this.#live.want(true);
    this.#live.mayTry();
  }

  /** In the order of their start. */
  get parts(): readonly Lifecycle[] {
    return [this.#outbox, this.log, this.#uplink, this.#live];
  }

  get connected(): { readonly sending: boolean; readonly live: boolean } {
    return { sending: this.#uplink.connected, live: this.#live.connected };
  }

  /** Every line this worker wrote that is still known, of this run and of earlier ones. */
  lines(): LogLine[] {
    return [...this.log.earlier.map(logLineOf), ...this.#own];
  }

  /** The front door is there: a live lane that was refused tries again. */
  mayTry(): void {
    this.#live.mayTry();
  }

  write(records: readonly AlarmRecord[]): void {
    for (const { device, alarmId, condition, transition, state, priority } of records)
      this.#options.log.info({ device, alarmId, condition, transition, state, priority }, 'alarm');
    this.log.write(records);
  }

  #remember(alarm: Alarm): void {
    this.#own.push(logLineOf(alarm));
    if (this.#own.length > MAX_OWN_LINES) this.#own.splice(0, this.#own.length - MAX_OWN_LINES);
  }
}
