import { Counter, Gauge, Histogram, type Registry } from '@vitalwire/runtime';

/** What the front door counts. The latency from receipt to PUBACK is the one to put on a dashboard. */
export class FrontDoorMetrics {
  readonly pubackSeconds: Histogram;
  readonly liveMessages: Counter;
  readonly liveDropped: Counter<'reason'>;
  readonly publishesRefused: Counter<'reason'>;
  readonly packetsRefused: Counter<'reason'>;
  readonly connectsRefused: Counter<'reason'>;
  readonly clientsDropped: Counter<'reason'>;
  readonly connections: Gauge<'kind'>;
  readonly gatewaysOnline: Gauge;
  readonly certificateDaysLeft: Gauge;

  constructor(registry: Registry, waitingBytes: Readonly<Record<'durable' | 'live', { readonly usedBytes: number }>>) {
    const registers = [registry];
    this.pubackSeconds = new Histogram({
      name: 'vitalwire_puback_seconds',
      help: 'From the receipt of a durable publish to its PUBACK',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.liveMessages = new Counter({
      name: 'vitalwire_live_messages_total',
      help: 'Messages routed on the live lane, never stored',
      registers,
    });
    this.liveDropped = new Counter({
      name: 'vitalwire_live_dropped_total',
      help: 'Live messages not routed',
      labelNames: ['reason'],
      registers,
    });
    this.publishesRefused = new Counter({
      name: 'vitalwire_publishes_refused_total',
      help: 'Publishes outside the rights of their sender',
      labelNames: ['reason'],
      registers,
    });
    this.packetsRefused = new Counter({
      name: 'vitalwire_packets_refused_total',
      help: 'Connections closed for a malformed packet',
      labelNames: ['reason'],
      registers,
    });
    this.connectsRefused = new Counter({
      name: 'vitalwire_connects_refused_total',
      help: 'Connections refused',
      labelNames: ['reason'],
      registers,
    });
    this.clientsDropped = new Counter({
      name: 'vitalwire_clients_dropped_total',
      help: 'Clients dropped by the front door',
      labelNames: ['reason'],
      registers,
    });
    this.connections = new Gauge({ name: 'vitalwire_connections', help: 'Open connections', labelNames: ['kind'], registers });
    this.gatewaysOnline = new Gauge({
      name: 'vitalwire_gateways_online',
      help: 'Gateways connected, or away for less than twice their keepalive',
      registers,
    });
    new Gauge({
      name: 'vitalwire_front_door_waiting_bytes',
      help: 'Bytes in hand, not yet acknowledged and routed',
      labelNames: ['lane'],
      registers,
      collect() {
        for (const lane of ['durable', 'live'] as const) this.set({ lane }, waitingBytes[lane].usedBytes);
      },
    });
    this.certificateDaysLeft = new Gauge({
      name: 'vitalwire_front_door_certificate_days_left',
      help: 'Days until the certificate of the front door ends',
      registers,
    });
  }
}
