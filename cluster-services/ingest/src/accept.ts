import type { Accept, Acceptance, Delivery } from '@vitalwire/broker';
import { checkIdentity, checkTopic, decodeLiveStatus, decodeMessage, isDataStream, isOwnedBy, readPrefix } from '@vitalwire/contract';
import type { Clock, Log } from '@vitalwire/runtime';
import type { CommitOutcome } from '@vitalwire/storage/commit';
import { type GroupCommit, isRowFault } from './group-commit.ts';
import type { IngestMetrics } from './metrics.ts';
import { QuarantineLog } from './quarantine-log.ts';
import { quarantineRow, understand } from './understand.ts';

/** What the front door hands every publish to: understood and committed, or kept in quarantine, but never refused for its content. */
export function createAccept({ clock, commits, log, metrics }: AcceptParts): Accept {
  const quarantined = new QuarantineLog(clock, log);
  const keep = (delivery: Delivery, reason: string): Acceptance => {
    metrics.quarantined.inc({ reason });
    quarantined.add(delivery.sender.id, delivery.topicText, reason);
    return 'keep';
  };
  return {
    durable: (delivery) => accept(delivery, commits, metrics, keep),
    live: (delivery) => checkLive(delivery),
  };
}

export type AcceptParts = { readonly clock: Clock; readonly commits: GroupCommit; readonly log: Log; readonly metrics: IngestMetrics };
type Keep = (delivery: Delivery, reason: string) => Acceptance;

async function accept(delivery: Delivery, commits: GroupCommit, metrics: IngestMetrics, keep: Keep): Promise<Acceptance> {
  const row = understand(delivery);
  if (row.kind === 'quarantine') {
    await commits.add(row, delivery.isAbandoned);
    return keep(delivery, row.reason);
  }
  let outcome: CommitOutcome;
  try {
    outcome = await commits.add(row, delivery.isAbandoned);
  } catch (error) {
    // Refused to its face, it would come back as head of its sender's queue for ever: MQTT 3.1.1 has no negative acknowledgement.
    if (!isRowFault(error)) throw error;
    await commits.add(quarantineRow(delivery, 'refused-by-storage'), delivery.isAbandoned);
    return keep(delivery, 'refused-by-storage');
  }
  metrics.rows.inc({ outcome });
  if (outcome === 'committed' || outcome === 'duplicate') return 'route';
  if (outcome === 'conflict') return keep(delivery, 'conflict');
  return 'keep'; // a second, different result for one window: counted, and the first stays
}

/** Live messages are not stored, so a look at whose they claim to be is enough; their readers decode them anyway. */
function checkLive({ topic, sender, payload }: Delivery): string | null {
  if (topic.stream === 'status') {
    const status = decodeLiveStatus(payload);
    if (!status.ok) return status.reason;
    const identity = checkIdentity(status.value, sender);
    return identity.ok ? null : identity.reason;
  }
  if (isDataStream(topic.stream)) {
    const prefix = readPrefix(payload);
    if (prefix === null) return 'truncated';
    return isOwnedBy(prefix.recordingId, sender.id) ? null : 'foreign-recording';
  }
  const message = decodeMessage(payload);
  if (!message.ok) return message.reason;
  const agreement = checkTopic(message.value, topic);
  if (!agreement.ok) return agreement.reason;
  const identity = checkIdentity(message.value, sender);
  return identity.ok ? null : identity.reason;
}
