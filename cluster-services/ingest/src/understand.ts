import { createHash } from 'node:crypto';
import type { Delivery } from '@vitalwire/broker';
import { checkIdentity, checkTopic, type DecodeReason, decodeMessage, readPrefix } from '@vitalwire/contract';
import type { CommitRow, QuarantineRow } from '@vitalwire/storage/commit';
import { chunkRow } from './chunk-row.ts';

/** A decoding reason, or `refused-by-storage` when the tables cannot hold what the wire allows. */
export type QuarantineReason = DecodeReason | 'refused-by-storage';

/** Turns one delivery into the row to commit: decoded once, and into quarantine when it is not what its sender may say. */
export function understand(delivery: Delivery): CommitRow {
  const decoded = decodeMessage(delivery.payload);
  if (!decoded.ok) return quarantineRow(delivery, decoded.reason);
  const agreement = checkTopic(decoded.value, delivery.topic);
  if (!agreement.ok) return quarantineRow(delivery, agreement.reason);
  const identity = checkIdentity(decoded.value, delivery.sender);
  if (!identity.ok) return quarantineRow(delivery, identity.reason);
  return chunkRow(decoded.value, delivery.payload, delivery.topic);
}

/** The raw bytes with the reason why they were not understood; keyed by their SHA-256, so that repeats stay one. */
export function quarantineRow(delivery: Delivery, reason: QuarantineReason): QuarantineRow {
  const prefix = readPrefix(delivery.payload);
  return {
    kind: 'quarantine',
    sha256: createHash('sha256').update(delivery.payload).digest(),
    sender: delivery.sender.id,
    topic: delivery.topicText,
    reason,
    message: delivery.payload,
    recordingId: prefix?.recordingId ?? null,
    seq: prefix?.seq ?? null,
  };
}
