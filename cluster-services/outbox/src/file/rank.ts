import { isNumeric, type Stream } from '@vitalwire/contract/wire';

/**
 * In which order un-acknowledged messages are given up when the outbox is full: 1 first, 0 never. A detection can be computed again
 * from the EEG it came from, so it goes with it; what says that something is missing, or that someone is in danger, never goes.
 */
export function rankOf(stream: Stream): 0 | 1 | 2 | 3 {
  if (isNumeric(stream)) return 2;
  switch (stream) {
    case 'eeg':
    case 'quality':
    case 'detection':
      return 1;
    case 'event':
      return 3;
    default:
      return 0;
  }
}

export const evictableRanks = [1, 2, 3] as const;
