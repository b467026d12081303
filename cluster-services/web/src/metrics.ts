import { Gauge, type Registry } from '@vitalwire/runtime';
import type { FeedCounts } from './live-feed.ts';
import type { HubCounts } from './live-hub.ts';

export type WebCounts = HubCounts &
  FeedCounts & {
    readonly queueDropped: number;
    readonly devicesRefused: number;
    readonly alarmsOpen: number;
    readonly alarmsRefused: number;
    readonly alarmPathDown: number;
  };

const facts = {
  viewers: ['vitalwire_web_viewers', 'Live connections'],
  viewersRefused: ['vitalwire_web_viewers_refused', 'Live connections refused because of the limit'],
  framesSent: ['vitalwire_web_frames_sent', 'Chunks sent to viewers'],
  framesDropped: ['vitalwire_web_frames_dropped', 'Chunks not sent because the viewer was behind'],
  messages: ['vitalwire_web_messages', 'Messages from the front door'],
  repeats: ['vitalwire_web_repeats', 'Messages that had been seen on either lane'],
  undecodable: ['vitalwire_web_undecodable', 'Messages that were not understood'],
  foreign: ['vitalwire_web_foreign', 'Messages of a gateway about a device of another one, kept from every screen'],
  clockWrong: ['vitalwire_web_clock_wrong', 'EEG chunks from the future, drawn nowhere'],
  alarmLines: ['vitalwire_web_alarm_lines', 'Lines of alarm logs, copies on both lanes counted'],
  pulses: ['vitalwire_web_alarm_pulses', 'Signs of life of the alarm path'],
  alarmsOpen: ['vitalwire_web_alarms_open', 'Alarms that have not ended'],
  alarmsRefused: ['vitalwire_web_alarms_refused', 'Alarms not kept because of the limit'],
  alarmPathDown: ['vitalwire_web_alarm_path_down', '1 while the alarm path is not heard: alarms may be missing'],
  queueDropped: ['vitalwire_web_queue_dropped', 'Messages lost because this service was behind the front door'],
  devicesRefused: ['vitalwire_web_devices_refused', 'Values not kept because of the limit of devices'],
} as const satisfies Record<keyof WebCounts, readonly [string, string]>;

/** What web counts, read when it is asked for. */
export function addWebMetrics(registry: Registry, counts: () => WebCounts): void {
  for (const [key, [name, help]] of Object.entries(facts) as [keyof WebCounts, readonly [string, string]][]) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(counts()[key]);
      },
    });
  }
}
