import type { ChunkRow, CommitOutcome, CommitRow, QuarantineRow } from './commit-row.ts';

/** What the main thread and the SQLite worker say to each other. Message bytes travel in one transferred buffer. */
export type PackedRow = (Omit<ChunkRow, 'message'> | Omit<QuarantineRow, 'message'>) & { readonly offset: number; readonly length: number };

export type WorkerRequest =
  | { readonly type: 'open'; readonly ticket: number }
  | {
      readonly type: 'commit';
      readonly ticket: number;
      readonly rows: readonly PackedRow[];
      readonly bytes: ArrayBuffer;
      readonly committedAtUs: number;
      readonly deadlineMs: number;
    }
  | { readonly type: 'generation'; readonly ticket: number }
  | { readonly type: 'close'; readonly ticket: number };

export type WorkerReply =
  | { readonly ticket: number; readonly ok: true; readonly outcomes?: CommitOutcome[]; readonly generation?: string }
  | { readonly ticket: number; readonly ok: false; readonly code: string; readonly detail: string };

/** Copies the messages of a batch into one buffer that can be transferred: a slice of a socket's buffer would be copied whole. */
export function packRows(rows: readonly CommitRow[]): { packed: PackedRow[]; bytes: ArrayBuffer } {
  const total = rows.reduce((sum, row) => sum + row.message.byteLength, 0);
  const bytes = new ArrayBuffer(total);
  const all = new Uint8Array(bytes);
  let offset = 0;
  const packed = rows.map((row): PackedRow => {
    const { message, ...rest } = row;
    all.set(message, offset);
    const entry = { ...rest, offset, length: message.byteLength };
    offset += message.byteLength;
    return entry;
  });
  return { packed, bytes };
}

export function unpackRow(row: PackedRow, bytes: ArrayBuffer): CommitRow {
  return { ...row, message: new Uint8Array(bytes, row.offset, row.length) };
}

/** Milliseconds on a clock that all threads of this process share and that never jumps. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
