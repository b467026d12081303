import { defineErrors } from '@vitalwire/runtime';

/** Why the front door could not start, or ended a client. */
export const brokerErrors = {
  PUBLISH_REFUSED: {
    retry: 'no',
    summary: 'the client may not publish this',
    next: 'the certificate does not give this right; the log names topic and reason',
  },
  STORAGE_BEHIND: {
    retry: 'yes',
    summary: 'the database did not commit in time; the client will send again',
    next: 'see whether the database runs and has room',
  },
} as const;

export class BrokerError extends defineErrors('broker', brokerErrors) {}
