import { defineErrors, type ErrorTable } from '@vitalwire/runtime/errors';

/** What the durable sender can fail with. Only the first three end a program; the rest is answered to whoever appends. */
export const outboxErrors = {
  OUTBOX_NEWER: {
    retry: 'no',
    summary: 'the outbox was written by a newer release',
    next: 'run the release that wrote it, or a newer one',
  },
  OUTBOX_IN_USE: {
    retry: 'no',
    summary: 'another program has the outbox open',
    next: 'stop the other agent, or give this one another data directory',
  },
  OUTBOX_UNUSABLE: { retry: 'no', summary: 'the outbox file cannot be used', next: 'check the rights of the data directory and the disk' },
  OUTBOX_FULL: {
    retry: 'yes',
    summary: 'the outbox reached its size limit and nothing in it may be evicted',
    next: 'bring the link back, or raise `outboxMaxMb`',
  },
  DISK_FULL: { retry: 'yes', summary: 'the disk under the outbox is full', next: 'free some space' },
  OUTBOX_BUSY: { retry: 'yes', summary: 'too much waits to be written to the outbox', next: 'send again in a moment, or slower' },
  OUTBOX_REPLACED: {
    retry: 'yes',
    summary: 'the outbox was damaged and has been replaced',
    next: 'send again; what could not be saved is declared lost and in the ledger',
  },
  OUTBOX_CLOSED: { retry: 'yes', summary: 'the outbox is closed', next: 'send again after the agent has started' },
  OUTBOX_FAILED: { retry: 'yes', summary: 'the outbox could not write', next: 'check the disk; what was not accepted must be sent again' },
  UNSTORABLE: {
    retry: 'no',
    summary: 'the readings cannot be stored as they are',
    next: 'correct the readings: the reason is in the message',
  },
  CAPTURE_MOVED: {
    retry: 'yes',
    summary: 'the capture has moved on since it was last looked at',
    next: 'nothing: the agent looks where the capture stands and tries again',
  },
} as const satisfies ErrorTable;

export type OutboxErrorCode = keyof typeof outboxErrors;

export class OutboxError extends defineErrors('outbox', outboxErrors) {}
