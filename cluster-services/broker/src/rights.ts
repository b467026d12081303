import { commandTopic, parseTopic, type Stream, type Topic } from '@vitalwire/contract';
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

/** What a service may publish; services that are not named here only listen. */
const serviceStreams: ReadonlyMap<string, Stream> = new Map([
  ['prediction', 'detection'],
  ['alarms', 'alarm'],
]);

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

/** Whether a client may subscribe: everybody to the commands for itself, services also to data, nobody to what the broker says to itself. */
export function maySubscribe(identity: PeerIdentity, filter: string): boolean {
  if (filter === commandTopic(identity.id)) return true;
  return identity.kind === 'service' && filter.startsWith('vw/1/');
}

function gatewayRight(id: string, topic: Topic): PublishRefusal | null {
  if (topic.gateway !== id) return 'foreign-gateway';
  return topic.stream === 'status' && topic.device !== id ? 'not-your-stream' : null;
}

function serviceRight(id: string, topic: Topic): PublishRefusal | null {
  return serviceStreams.get(id) === topic.stream ? null : 'not-your-stream';
}

function refuse(reason: PublishRefusal): PublishRight {
  return { ok: false, reason };
}
