import { defineErrors } from '@vitalwire/runtime';

/** Why the front door could not start, or ended a client. */
export const brokerErrors = {
  PUBLISH_REFUSED: { retry: 'no', summary: 'the client may not publish this' },
  STORAGE_BEHIND: { retry: 'yes', summary: 'the database did not commit in time; the client will send again' },
  STOPPING: { retry: 'yes', summary: 'the front door is stopping' },
} as const;

export class BrokerError extends defineErrors('broker', brokerErrors) {}
