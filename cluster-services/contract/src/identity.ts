import type { DecodeReason } from './decoded.ts';
import { refused } from './decoded.ts';
import { derivedId, detectionKind, isOwnedBy } from './ids.ts';
import type { LiveStatus, Message } from './messages.ts';
import { isNumericChunk } from './readings.ts';
import type { Topic } from './topics.ts';

/** Whoever the certificate names. Services send about recordings of others; a gateway only about its own. */
export type Sender = { readonly kind: 'gateway' | 'service'; readonly id: string };

export type IdentityCheck = { readonly ok: true } | { readonly ok: false; readonly reason: DecodeReason; readonly detail?: string };

const FINE: IdentityCheck = { ok: true };

/**
 * Whether this sender may send this message: its recording (or the subject it is about) carries the owner's tag, and a derived id is
 * the one that subject and stream give. A plain string is a gateway's id. Nothing is looked up.
 */
export function checkIdentity(message: Message | LiveStatus, sender: Sender | string): IdentityCheck {
  const { kind, id } = typeof sender === 'string' ? ({ kind: 'gateway', id: sender } as const) : sender;
  if (isNumericChunk(message)) return ownedBy(message.recordingId, id);
  switch (message.stream) {
    case 'eeg':
    case 'event':
    case 'quality':
      return ownedBy(message.recordingId, id);
    case 'live-status':
      return message.gateway === id ? ownedBy(message.session, id) : foreignGateway(message.gateway, id);
    case 'recording':
    case 'status':
      if ('gateway' in message && message.gateway !== id) return foreignGateway(message.gateway, id);
      return derivedFrom(message.recordingId, message.subject, message.stream, id);
    case 'gap':
      return derivedFrom(message.recordingId, message.subject, 'gap', id);
    case 'detection':
      // A service scores the recordings of gateways: then the subject belongs to the gateway the body names.
      if (kind === 'gateway' && message.gateway !== id) return foreignGateway(message.gateway, id);
      return derivedFrom(message.recordingId, message.subject, detectionKind(message.modelHash), message.gateway);
    case 'alarm':
      if (message.sender !== id) return refused('foreign-gateway', `'${id}' sends in the name of '${message.sender}'`);
      return derivedFrom(message.recordingId, message.subject, 'alarm', id);
  }
}

/**
 * Whether a message says what its topic says: stream, gateway and device, as far as its body names them. A detection's body names the
 * gateway of its subject, its topic may name the service that scored it.
 */
export function checkTopic(message: Message, topic: Topic): IdentityCheck {
  if (message.stream !== topic.stream) return refused('topic-disagrees', `a message of stream ${message.stream}`);
  if ('gateway' in message && message.stream !== 'detection' && message.gateway !== topic.gateway)
    return refused('topic-disagrees', `a message of gateway ${message.gateway}`);
  if ('device' in message && message.device !== topic.device) return refused('topic-disagrees', `a message of device ${message.device}`);
  return FINE;
}

function ownedBy(recordingId: string, owner: string): IdentityCheck {
  return isOwnedBy(recordingId, owner) ? FINE : refused('foreign-recording', `${recordingId} is not of '${owner}'`);
}

function derivedFrom(recordingId: string, subject: string, kind: string, owner: string | null): IdentityCheck {
  if (owner !== null && !isOwnedBy(subject, owner)) return refused('foreign-recording', `${subject} is not of '${owner}'`);
  return recordingId === derivedId(subject, kind) ? FINE : refused('wrong-derived-id', `${recordingId} is not derived from ${subject}`);
}

function foreignGateway(named: string, id: string): IdentityCheck {
  return refused('foreign-gateway', `'${id}' sends in the name of '${named}'`);
}
