import { defineErrors, type ErrorTable } from '@vitalwire/runtime/errors';

/** What the durable sender can fail with. Only the first three end a program; the rest is answered to whoever appends. */
export const outboxErrors = {
  OUTBOX_NEWER: { retry: 'no', summary: 'the outbox was written by a newer release' },
  OUTBOX_IN_USE: { retry: 'no', summary: 'another program has the outbox open' },
  OUTBOX_UNUSABLE: { retry: 'no', summary: 'the outbox file cannot be used' },
  OUTBOX_FULL: { retry: 'yes', summary: 'the outbox reached its size limit and nothing in it may be evicted' },
  DISK_FULL: { retry: 'yes', summary: 'the disk under the outbox is full' },
  OUTBOX_BUSY: { retry: 'yes', summary: 'too much waits to be written to the outbox' },
  OUTBOX_REPLACED: { retry: 'yes', summary: 'the outbox was damaged and has been replaced' },
  OUTBOX_CLOSED: { retry: 'yes', summary: 'the outbox is closed' },
  OUTBOX_FAILED: { retry: 'yes', summary: 'the outbox could not write' },
  UNSTORABLE: { retry: 'no', summary: 'the readings cannot be stored as they are' },
  CAPTURE_MOVED: { retry: 'yes', summary: 'the capture is not where the appender believes it to be' },
} as const satisfies ErrorTable;

export type OutboxErrorCode = keyof typeof outboxErrors;

export class OutboxError extends defineErrors('outbox', outboxErrors) {}
