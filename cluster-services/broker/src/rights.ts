import {
  commandTopic,
  isServiceId,
  numericStreams,
  parseTopic,
  type ServiceId,
  type Stream,
  streams,
  type Topic,
} from '@vitalwire/contract';
import type { PeerIdentity } from '@vitalwire/runtime';
import type { Lane } from './packet-gate.ts';

export type PublishRefusal =
  | 'reserved-topic' // anything that starts with $: the broker's own
  | 'retain'
  | 'bad-topic'
  | 'wrong-shard'
  | 'foreign-gateway'
  | 'not-your-stream'
  | 'qos-0-on-durable-topic'
  | 'qos-above-0-on-live-topic';

export type PublishRight =
  | { readonly ok: true; readonly lane: Lane; readonly topic: Topic }
  | { readonly ok: false; readonly reason: PublishRefusal };

type Publishing = { readonly topic: string; readonly qos: number; readonly retain: boolean };

type ServiceRow = { readonly reads: readonly Stream[]; readonly writes: readonly Stream[] };

/**
 * What each service's certificate may read and write, on both lanes. A gateway reads nothing and writes every stream of its own devices;
 * whose a device is the readers ask the registry, as nothing is looked up here.
 */
const serviceRights: Readonly<Record<ServiceId, ServiceRow>> = {
  ingest: { reads: [], writes: [] },
  storage: { reads: [], writes: [] },
  prediction: { reads: ['recording', 'eeg'], writes: ['detection'] },
  alarms: { reads: ['recording', 'eeg', ...numericStreams, 'status', 'detection', 'alarm'], writes: ['alarm'] },
  web: { reads: streams, writes: [] },
};

/** Whether the holder of a certificate may publish this. Decided from the certificate and the topic alone: no look-up, no I/O. */
export function publishRight(identity: PeerIdentity, publish: Publishing): PublishRight {
  // Aedes obeys commands in $SYS topics, and replacing its authorizePublish has removed its own guard against strangers' ones.
  if (publish.topic.startsWith('$')) return refuse('reserved-topic');
  if (publish.retain) return refuse('retain'); // the memory of one replica is not the system's
  const parsed = parseTopic(publish.topic);
  if (!parsed.ok) return refuse(parsed.reason === 'wrong-shard' ? 'wrong-shard' : 'bad-topic');
  const topic = parsed.value;
  const right = identity.kind === 'gateway' ? gatewayRight(identity.id, topic) : serviceRight(identity.id, topic);
  if (right !== null) return refuse(right);
  if (topic.live && publish.qos !== 0) return refuse('qos-above-0-on-live-topic');
  if (!topic.live && publish.qos === 0) return refuse('qos-0-on-durable-topic');
  return { ok: true, lane: topic.live ? 'live' : 'durable', topic };
}

/** Whether a client may leave this as its will: a gateway, on the topic of its own state, and nobody else. */
export function willRight(identity: PeerIdentity, will: Publishing): PublishRight {
  const right = publishRight(identity, will);
  if (!right.ok) return right;
  if (identity.kind !== 'gateway' || right.topic.stream !== 'status') return refuse('not-your-stream');
  return right;
}

/**
 * Whether a client may subscribe: everybody to the commands for itself, a service also to the streams of its row, each named in its place;
 * a wildcard stands there only for who reads them all. Nobody hears the commands to others, nor what the broker says to itself.
 */
export function maySubscribe(identity: PeerIdentity, filter: string): boolean {
  if (filter === commandTopic(identity.id)) return true;
  if (identity.kind !== 'service' || !isServiceId(identity.id) || filter.includes('#')) return false;
  const [root, version, _shard, _gateway, _device, stream, lane, ...rest] = filter.split('/');
  if (root !== 'vw' || version !== '1' || stream === undefined || rest.length > 0) return false;
  if (lane !== undefined && lane !== 'live' && lane !== '+') return false;
  const { reads } = serviceRights[identity.id];
  return stream === '+' ? reads.length === streams.length : reads.some((one) => one === stream);
}

function gatewayRight(id: string, topic: Topic): PublishRefusal | null {
  if (topic.gateway !== id) return 'foreign-gateway';
  return topic.stream === 'status' && topic.device !== id ? 'not-your-stream' : null;
}

function serviceRight(id: string, topic: Topic): PublishRefusal | null {
  return isServiceId(id) && serviceRights[id].writes.includes(topic.stream) ? null : 'not-your-stream';
}

function refuse(reason: PublishRefusal): PublishRight {
  return { ok: false, reason };
}
