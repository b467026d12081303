import type { Accept, Acceptance, Delivery } from '@vitalwire/broker';
import { checkIdentity, decodeLiveStatus, decodeMessage, isOwnedBy, readPrefix } from '@vitalwire/contract';
import type { Log } from '@vitalwire/runtime';
import type { CommitOutcome } from '@vitalwire/storage/commit';
import { type GroupCommit, isPermanent } from './group-commit.ts';
import type { IngestMetrics } from './metrics.ts';
import { quarantineRow, understand } from './understand.ts';

/** What the front door hands every publish to: understood and committed, or kept in quarantine, but never refused for its content. */
export function createAccept(commits: GroupCommit, metrics: IngestMetrics, log: Log): Accept {
  return {
    durable: (delivery) => accept(delivery, commits, metrics, log),
    live: (delivery) => checkLive(delivery),
  };
}

async function accept(delivery: Delivery, commits: GroupCommit, metrics: IngestMetrics, log: Log): Promise<Acceptance> {
  const row = understand(delivery);
  if (row.kind === 'quarantine') {
    await commits.add(row, delivery.isAbandoned);
    return kept(delivery, row.reason, metrics, log);
  }
  let outcome: CommitOutcome;
  try {
    outcome = await commits.add(row, delivery.isAbandoned);
  } catch (error) {
    // Refused to its face, it would come back as head of its sender's queue for ever: MQTT 3.1.1 has no negative acknowledgement.
    if (!isPermanent(error)) throw error;
    await commits.add(quarantineRow(delivery, 'refused-by-storage'), delivery.isAbandoned);
    return kept(delivery, 'refused-by-storage', metrics, log);
  }
  metrics.rows.inc({ outcome });
  if (outcome === 'committed' || outcome === 'duplicate') return 'route';
  if (outcome === 'conflict') return kept(delivery, 'conflict', metrics, log);
  log.warn(
    { sender: delivery.sender.id, recordingId: row.recordingId, seq: row.seq },
    'a second, different result for the same window: the first stays',
  );
  return 'keep';
}

function kept(delivery: Delivery, reason: string, metrics: IngestMetrics, log: Log): Acceptance {
  metrics.quarantined.inc({ reason });
  log.warn(
    { sender: delivery.sender.id, topic: delivery.topicText, reason, bytes: delivery.payload.byteLength },
    'a message went to quarantine',
  );
  return 'keep';
}

/** Live messages are not stored, so a look at whose they claim to be is enough; their readers decode them anyway. */
function checkLive({ topic, sender, payload }: Delivery): string | null {
  if (topic.stream === 'status') {
    const status = decodeLiveStatus(payload);
    if (!status.ok) return status.reason;
    const identity = checkIdentity(status.value, sender);
    return identity.ok ? null : identity.reason;
  }
  if (topic.stream === 'eeg' || topic.stream === 'heart-rate' || topic.stream === 'event' || topic.stream === 'quality') {
    const prefix = readPrefix(payload);
    if (prefix === null) return 'truncated';
    return isOwnedBy(prefix.recordingId, sender.id) ? null : 'foreign-recording';
  }
  const message = decodeMessage(payload);
  if (!message.ok) return message.reason;
  const identity = checkIdentity(message.value, sender);
  return identity.ok ? null : identity.reason;
}
