import type { EegChunk, EventChunk, Message, NumericChunk, QualityChunk } from './messages.ts';
import { isNumeric } from './numerics.ts';
import { isDataStream } from './topics.ts';

/** A message that holds readings of a recording. */
export type DataMessage = EegChunk | NumericChunk | EventChunk | QualityChunk;

export function isNumericChunk(message: { readonly stream: string }): message is NumericChunk {
  return isNumeric(message.stream);
}

export function isDataMessage(message: Message): message is DataMessage {
  return isDataStream(message.stream);
}

/** How many readings per channel a message holds; 0 for what carries none. */
export function readingsOf(message: Message): number {
  if (isNumericChunk(message)) return message.readings.length;
  switch (message.stream) {
    case 'eeg':
      return message.samplesPerChannel;
    case 'event':
      return message.events.length;
    case 'quality':
      return message.items.length;
    default:
      return 0;
  }
}
