import type { AlarmInfo } from '@vitalwire/contract';
import { Gauge, type Registry } from '@vitalwire/runtime';

export type AlarmCounts = {
  readonly written: number;
  readonly liveOnly: number;
  readonly waiting: number;
  readonly unreadable: number;
  readonly dropped: number;
  readonly shards: number;
  readonly due: number;
  readonly unwatched: number;
  readonly isHeard: boolean;
  readonly alarms: readonly AlarmInfo[];
};

const gauges: Readonly<Record<string, readonly [help: string, value: (counts: AlarmCounts) => number]>> = {
  lines_written: ['Alarm lines committed to the outbox since the start', ({ written }) => written],
  lines_live_only: ['Alarm lines that were shown and could not be kept', ({ liveOnly }) => liveOnly],
  lines_waiting: ['Alarm lines waiting for the disk', ({ waiting }) => waiting],
  unreadable: ['Received messages that could not be decoded', ({ unreadable }) => unreadable],
  dropped: ['Received messages dropped because too many were waiting', ({ dropped }) => dropped],
  shards: ['Shards this worker decides about', ({ shards }) => shards],
  due: ['Recordings about to be asked of storage', ({ due }) => due],
  unwatched: ['Streams and gateways no longer watched for silence', ({ unwatched }) => unwatched],
  path_heard: ['1 while the alarm path is heard through the front door', ({ isHeard }) => (isHeard ? 1 : 0)],
};

export function addAlarmMetrics(registry: Registry, counts: () => AlarmCounts): void {
  for (const [name, [help, value]] of Object.entries(gauges)) {
    new Gauge({
      name: `vitalwire_alarms_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value(counts()));
      },
    });
  }
  new Gauge({
    name: 'vitalwire_alarms_open',
    help: 'Alarms that have not ended',
    labelNames: ['condition', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { condition, state } of counts().alarms) this.inc({ condition, state });
    },
  });
}
