import { defineErrors } from '@vitalwire/runtime';

/** Why a message could not be committed in time. */
export const ingestErrors = {
  COMMIT_OVERDUE: { retry: 'yes', summary: 'the database did not commit before the deadline' },
  DATABASE_NOT_OPEN: { retry: 'yes', summary: 'the database is not open' },
  WAITING_FULL: { retry: 'yes', summary: 'too many messages wait for the database' },
  ABANDONED: { retry: 'yes', summary: 'the sender has gone; it will send the message again' },
  STOPPED: { retry: 'yes', summary: 'stopped before the commit' },
} as const;

export class IngestError extends defineErrors('ingest', ingestErrors) {}
