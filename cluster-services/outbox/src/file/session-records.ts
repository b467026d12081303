import { bytesToUuid, derivedId, type EndReason } from '@vitalwire/contract/wire';
import { endRecording } from './append-steps.ts';
import { type Core, metaOf } from './core.ts';
import { insertGap, insertMessage } from './rows.ts';

export type Session = { readonly sessionId: string; readonly version: string; readonly announce: boolean };
export type Begun = { readonly previousSession: string | null; readonly endedRecordings: number };

/** Ends what an earlier agent left open, and says that a new session has begun. Inside a transaction. */
export function beginSession(core: Core, session: Session): Begun {
  const { sessionId, version, announce } = session;
  const { options } = core;
  const previousSession = metaOf(core, 'session');
  const endedRecordings = endOpen(core, 'crash');
  if (announce) {
    // The dead cannot say that they died; the next one does, with the last moment they are known to have lived.
    if (previousSession !== null && metaOf(core, 'session_open') === '1')
      announceDeath(core, previousSession, 'crash', lastSignOfLifeUs(core));
    insertMessage(core, options.owner, {
      stream: 'status',
      recordingId: derivedId(sessionId, 'status'),
      seq: 0,
      measuredAtUs: options.nowMs() * 1000,
      clock: core.clock,
      subject: sessionId,
      gateway: options.owner,
      kind: 'birth',
      version,
      reason: previousSession === null ? 'first start' : 'start',
      previousSession,
    });
  }
  noteSession(core, session);
  declareUnknownLoss(core, session);
  return { previousSession, endedRecordings };
}

/** Ends all recordings, and the session; how many recordings. Inside a transaction. */
export function finishSession(core: Core): number {
  const ended = endOpen(core, 'stopped');
  const session = metaOf(core, 'session');
  if (session !== null && metaOf(core, 'session_open') === '1') announceDeath(core, session, 'stopped', core.options.nowMs() * 1000);
  core.sql.setMeta.run('session_open', '0');
  return ended;
}

/** Says in the name of a session that announces itself that something unknown is missing, if a repair has left a note of it. Inside a transaction. */
export function declareUnknownLoss(core: Core, session: Session): void {
  if (!session.announce || !hasUnknownLoss(core)) return;
  const nowUs = core.options.nowMs() * 1000;
  insertGap(core, {
    measuredAtUs: nowUs,
    clock: core.clock,
    subject: session.sessionId,
    device: core.options.owner,
    of: 'eeg',
    fromSeq: null,
    toSeq: null,
    fromUs: null,
    toUs: nowUs,
    reason: 'outbox-damaged',
  });
  noteSession(core, session); // what was lost may be the note of it
  core.sql.setMeta.run('unknown_loss', '0');
}

/** Leaves a note for the session, now or later, that something is missing which nothing here can name. */
export function noteUnknownLoss({ sql }: Core): void {
  sql.setMeta.run('unknown_loss', '1');
}

export function hasUnknownLoss(core: Core): boolean {
  return metaOf(core, 'unknown_loss') === '1';
}

function noteSession({ sql }: Core, { sessionId, version, announce }: Session): void {
  sql.setMeta.run('session', sessionId);
  sql.setMeta.run('session_version', version);
  sql.setMeta.run('session_open', announce ? '1' : '0');
}

function endOpen(core: Core, reason: EndReason): number {
  const open = core.sql.openRecordings.all() as { recording_id: Buffer }[];
  for (const { recording_id } of open) endRecording(core, bytesToUuid(recording_id), reason, core.clock);
  return open.length;
}

function announceDeath(core: Core, session: string, reason: string, measuredAtUs: number): void {
  insertMessage(core, core.options.owner, {
    stream: 'status',
    recordingId: derivedId(session, 'status'),
    seq: 1,
    measuredAtUs,
    clock: core.clock,
    subject: session,
    gateway: core.options.owner,
    kind: 'death',
    version: metaOf(core, 'session_version') ?? '',
    reason,
    previousSession: null,
  });
}

function lastSignOfLifeUs({ sql, options }: Core): number {
  const last = sql.lastRow.get() as { created_at_ms: number } | undefined;
  return (last?.created_at_ms ?? options.nowMs()) * 1000;
}
