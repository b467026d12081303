import { crc32 } from 'node:zlib';
import { bytesToUuid, derivedId, encodeMessage, type Message, type Stream, uuidToBytes } from '@vitalwire/contract/wire';
import type { GapDraft } from '../append.ts';
import { type Core, metaOf } from './core.ts';
import { rankOf } from './rank.ts';
import type { EvictedRow } from './statements.ts';

export type NewRow = {
  readonly device: string;
  readonly stream: Stream;
  readonly recordingId: string;
  readonly seq: number;
  readonly measuredAtUs: number;
  readonly endUs: number;
  readonly message: Uint8Array<ArrayBuffer>;
};

/** The one place where a message enters the queue. */
export function insertRow(core: Core, { device, stream, recordingId, seq, measuredAtUs, endUs, message }: NewRow): void {
  const createdAtMs = core.options.nowMs();
  const bytes = message.byteLength;
  const { lastInsertRowid } = core.sql.insert.run(
    uuidToBytes(recordingId),
    seq,
    device,
    stream,
    rankOf(stream),
    bytes,
    measuredAtUs,
    endUs,
    createdAtMs,
    crc32(message),
    message,
  );
  const id = Number(lastInsertRowid);
  core.tally.inserted(id, bytes);
  core.live?.push({ id, device, stream, createdAtMs, message });
}

export function insertMessage(core: Core, device: string, message: Message): void {
  const { stream, recordingId, seq, measuredAtUs } = message;
  insertRow(core, { device, stream, recordingId, seq, measuredAtUs, endUs: measuredAtUs, message: encodeMessage(message) });
}

export function insertGap(core: Core, gap: GapDraft): void {
  const { next } = core.sql.nextGap.get(uuidToBytes(gap.subject), Number(metaOf(core, 'gap_floor') ?? 0)) as { next: number };
  insertMessage(core, gap.device, { ...gap, stream: 'gap', recordingId: derivedId(gap.subject, 'gap'), seq: next });
}

/** Says what went: one gap record for each unbroken run of seqs of a recording. */
export function declareLost(core: Core, rows: readonly EvictedRow[], reason: 'evicted' | 'outbox-damaged'): void {
  const sorted = rows.toSorted((a, b) => a.seq - b.seq);
  let first = sorted[0];
  let last = first;
  for (const row of [...sorted.slice(1), undefined]) {
    if (first === undefined || last === undefined) return;
    if (row !== undefined && row.seq === last.seq + 1) {
      last = row;
      continue;
    }
    insertGap(core, {
      measuredAtUs: core.options.nowMs() * 1000,
      clock: core.clock,
      subject: bytesToUuid(first.recording_id),
      device: first.device_id,
      of: first.stream,
      fromSeq: first.seq,
      toSeq: last.seq,
      fromUs: first.measured_at_us,
      toUs: last.end_us,
      reason,
    });
    first = row;
    last = row;
  }
}
