import { defineErrors, type ErrorTable } from '@vitalwire/runtime';

/** What the agent itself can fail with; the outbox has a table of its own. */
export const edgeErrors = {
  DATA_DIR_UNUSABLE: { retry: 'no', summary: 'the data directory of the agent cannot be used' },
  NOT_RUNNING: { retry: 'yes', summary: 'no edge agent answers' },
  DRAIN_UNFINISHED: { retry: 'yes', summary: 'the outbox is not empty yet' },
  WATCH_DOWN: { retry: 'yes', summary: 'the detector of this gateway does not answer' },
  TOKEN_UNUSABLE: { retry: 'no', summary: 'the token cannot be used' },
} as const satisfies ErrorTable;

export class EdgeError extends defineErrors('edge', edgeErrors) {}
