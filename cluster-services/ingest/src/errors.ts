import { defineErrors } from '@vitalwire/runtime';

/** Why a message could not be committed in time. */
export const ingestErrors = {
  COMMIT_OVERDUE: {
    retry: 'yes',
    summary: 'the database did not commit before the deadline',
    next: 'see whether the database runs and has room; senders keep what waits',
  },
  DATABASE_NOT_OPEN: {
    retry: 'yes',
    summary: 'the database is not open',
    next: 'nothing: it is opened again; `vitalwire doctor` says why it is not open',
  },
  WAITING_FULL: {
    retry: 'yes',
    summary: 'too many messages wait for the database',
    next: 'see why the database is slow; senders keep what waits',
  },
  ABANDONED: { retry: 'yes', summary: 'the sender has gone; it will send the message again', next: 'nothing' },
  STOPPED: { retry: 'yes', summary: 'stopped before the commit', next: 'nothing: the sender sends it again' },
} as const;

export class IngestError extends defineErrors('ingest', ingestErrors) {}
