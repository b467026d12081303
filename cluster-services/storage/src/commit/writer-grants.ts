/**
 * The statements that give the front door's user what it needs and nothing else: it can add rows and compare checksums, but not read
 * a patient's data back, change it, delete it or touch the schema. UPDATE(seq) is for `ON DUPLICATE KEY UPDATE seq = seq`.
 */
export function writerGrants(user: string, database: string): string[] {
  const account = /^([\w.-]+)@([\w.%:-]+)$/.exec(user);
  if (account === null) throw new RangeError(`not a database account, expected name@host: '${user}'`);
  const to = `TO '${account[1]}'@'${account[2]}'`;
  const on = (table: string): string => `ON \`${database.replaceAll('`', '``')}\`.${table}`;
  return [
    `GRANT INSERT, SELECT (recording_id, seq, crc32, message_bytes, committed_at_us), UPDATE (seq) ${on('chunk')} ${to}`,
    `GRANT INSERT, SELECT (recording_id, seq), UPDATE (seq) ${on('stream_index')} ${to}`,
    `GRANT INSERT, SELECT (recording_id, seq), UPDATE (seq) ${on('recording_start')} ${to}`,
    `GRANT INSERT, SELECT (recording_id, seq), UPDATE (seq) ${on('recording_end')} ${to}`,
    `GRANT INSERT, SELECT (sha256, seq, first_seen_us), UPDATE (seq) ${on('quarantine')} ${to}`,
    `GRANT SELECT (id, generation) ${on('generation')} ${to}`,
    `GRANT SELECT (name) ${on('readings_migration')} ${to}`,
  ];
}
