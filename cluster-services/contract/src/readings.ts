import type { Message } from './messages.ts';

/** How many readings per channel a message holds; 0 for what carries none. */
export function readingsOf(message: Message): number {
  switch (message.stream) {
    case 'eeg':
      return message.samplesPerChannel;
    case 'heart-rate':
      return message.readings.length;
    case 'event':
      return message.events.length;
    case 'quality':
      return message.items.length;
    default:
      return 0;
  }
}
