import { limits as wire } from '@vitalwire/contract';
import type { PacketLimits } from './packet.ts';

/** Everything at the front door that could grow, with its bound. What happens at each bound is in the README. */
export type FrontDoorLimits = PacketLimits & {
  readonly connectWithinMs: number;
  readonly connectsPerSecond: number;
  readonly connectBurst: number;
  readonly connectWaitMs: number; // how long a CONNECT over the rate is held before CONNACK 3
  readonly maxConnections: number;
  readonly maxConnectionsPerCertificate: number;
  readonly minKeepaliveS: number;
  readonly maxKeepaliveS: number;
  readonly unackedPackets: number; // per connection: forwarded, not yet acknowledged and routed
  readonly unackedBytes: number;
  readonly durableBytes: number; // over all connections
  readonly liveBytes: number; // over all connections: a lane of its own, so that a dead database cannot fill it
  readonly packetsPerSecond: number; // per connection
  readonly packetBurst: number;
  readonly maxSubscriptions: number;
  readonly subscriberBufferBytes: number;
  readonly drainTimeoutMs: number; // a subscriber that does not read for so long is dropped
  readonly stopWithinMs: number;
};

export const defaultLimits: FrontDoorLimits = {
  maxPacketBytes: wire.maxPacketBytes,
  maxTopicBytes: wire.maxTopicBytes,
  maxTopicLevels: 8,
  maxClientIdBytes: 128,
  maxFiltersPerPacket: 64,
  connectWithinMs: 5_000,
  connectsPerSecond: 50,
  connectBurst: 50,
  connectWaitMs: 5_000,
  maxConnections: 4_096,
  maxConnectionsPerCertificate: 4,
  minKeepaliveS: 10,
  maxKeepaliveS: 60,
  unackedPackets: wire.windowPackets,
  unackedBytes: wire.windowBytes,
  durableBytes: 64 * 1024 * 1024,
  liveBytes: 16 * 1024 * 1024,
  packetsPerSecond: 5_000,
  packetBurst: 5_000,
  maxSubscriptions: 64,
  subscriberBufferBytes: 256 * 1024,
  drainTimeoutMs: 2_000,
  stopWithinMs: 12_000,
};
