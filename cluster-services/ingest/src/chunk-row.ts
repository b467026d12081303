import { crc32 } from 'node:zlib';
import { type ClockState, isDataMessage, isNumericChunk, type Message, readingsOf, type Topic } from '@vitalwire/contract';
import type { ChunkRow } from '@vitalwire/storage/commit';

/** How good the gateway's clock was, as a number in the tables: append only, never renumber. */
const clockQualities: Readonly<Record<ClockState['source'], number>> = { none: 0, 'front-door': 1, ntp: 2, replay: 3 };

const LONGEST_SPAN_US = 0xffff_ffff; // over an hour: only a phone's export is longer, and its readings carry their own times

/** The row of an understood message: which of its fields become columns. */
export function chunkRow(message: Message, bytes: Uint8Array, topic: Topic): ChunkRow {
  return {
    kind: 'chunk',
    recordingId: message.recordingId,
    seq: message.seq,
    stream: message.stream,
    subject: 'subject' in message ? message.subject : null,
    gateway: 'gateway' in message ? message.gateway : topic.gateway, // a service's topic may name the service
    device: topic.device,
    measuredAtUs: message.measuredAtUs,
    spanUs: Math.min(LONGEST_SPAN_US, Math.max(0, Math.round(spanUs(message)))),
    codec: message.stream === 'eeg' ? message.codec : 0,
    clockQuality: clockQualities[message.clock.source],
    firstSample: isDataMessage(message) ? message.firstSample : null,
    samples: isDataMessage(message) ? readingsOf(message) : null,
    crc32: crc32(bytes), // IEEE, as in the contract
    message: bytes,
    // A window is scored again after a crash, perhaps by another worker: whichever result came first stays.
    firstWriteWins: message.stream === 'detection',
    ...(message.stream === 'recording' ? { recording: message } : {}),
  };
}

/** From the first reading to the end of the last one; 0 for what has no extent. */
function spanUs(message: Message): number {
  if (isNumericChunk(message)) return latest(message.readings.map((reading) => reading.atUs)) - message.measuredAtUs;
  switch (message.stream) {
    case 'eeg':
      return (message.samplesPerChannel * 1_000_000 * message.rate.den) / message.rate.num;
    case 'event':
      return latest(message.events.map((event) => event.atUs + (event.durationUs ?? 0))) - message.measuredAtUs;
    case 'quality':
      return latest(message.items.map((item) => item.atUs)) - message.measuredAtUs;
    default:
      return 0;
  }
}

function latest(timesUs: readonly number[]): number {
  return timesUs.reduce((last, atUs) => Math.max(last, atUs), 0);
}
