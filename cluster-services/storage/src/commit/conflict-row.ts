import { createHash } from 'node:crypto';
import type { ChunkRow, QuarantineRow } from './commit-row.ts';

/** Other bytes under a known identity, on their way to quarantine: kept, counted and shown, because one of the two is wrong. */
export function conflictRow(row: ChunkRow): QuarantineRow {
  return {
    kind: 'quarantine',
    sha256: createHash('sha256').update(row.message).digest(),
    sender: row.gateway,
    topic: `${row.device}/${row.stream}`,
    reason: 'conflict',
    message: row.message,
    recordingId: row.recordingId,
    seq: row.seq,
  };
}
