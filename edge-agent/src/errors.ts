import { defineErrors, type ErrorTable } from '@vitalwire/runtime';

/** What the agent itself can fail with; the outbox has a table of its own. */
export const edgeErrors = {
  DATA_DIR_UNUSABLE: {
    retry: 'no',
    summary: 'the data directory of the agent cannot be used',
    next: 'check the path and its rights; nothing was overwritten',
  },
  NOT_RUNNING: {
    retry: 'yes',
    summary: 'no edge agent answers',
    next: 'start it (`vitalwire edge run` or `vitalwire up`), or name its data directory with --data',
  },
  DRAIN_UNFINISHED: { retry: 'yes', summary: 'the outbox is not empty yet', next: 'wait until the link is back, then drain again' },
  WATCH_DOWN: {
    retry: 'yes',
    summary: 'the detector of this gateway does not answer',
    next: 'see the log of the agent; detection by the cluster does not depend on it',
  },
  TOKEN_UNUSABLE: { retry: 'no', summary: 'the token cannot be used', next: 'make a new one with `vitalwire edge token`' },
} as const satisfies ErrorTable;

export class EdgeError extends defineErrors('edge', edgeErrors) {}
