import {
  type ClockState,
  type DetectionInfo,
  derivedId,
  detectionKind,
  type LatestOfDevice,
  type Message,
  shardOf,
} from '@vitalwire/contract';
import type { Ward } from './ward.ts';

/** What was measured before this service listened, as if it had been heard: by the same rules, only what is later replaces a value. */
export function takeStored(ward: Ward, latest: LatestOfDevice, windows: readonly DetectionInfo[]): void {
  const { device, eeg, numerics, detection } = latest;
  const take = (gateway: string | undefined, message: Message, receivedAtUs: number): void => {
    const topic = { shard: shardOf(device), gateway: gateway ?? '', device, stream: message.stream, live: false };
    if (gateway !== undefined) ward.apply(topic, message, receivedAtUs);
  };
  const learnMark = (recordingId: string | undefined, replay: LatestReplay): void => {
    if (recordingId !== undefined && replay !== undefined) ward.learnMark(device, recordingId, replay);
  };
  if (eeg !== null) {
    const { recordingId, measuredAtUs, committedAtUs, rate, channels, montageHash, clockOffsetUs, gateway, replay } = eeg;
    learnMark(recordingId, replay);
    if (rate !== undefined && channels !== undefined && montageHash !== undefined) {
      // A chunk of no samples, at its end: what is shown of a chunk is when it ended.
      const empty = { firstSample: 0, samplesPerChannel: 0, sampleBits: 16, codec: 0, crc32: 0, samples: new Int16Array(0) } as const;
      const at = { recordingId, seq: 0, measuredAtUs, clock: clockOf(clockOffsetUs) };
      take(gateway, { stream: 'eeg', ...at, rate, channels, montageHash, ...empty }, committedAtUs);
    }
  }
  for (const { stream, recordingId, value, kind, measuredAtUs, committedAtUs, clockOffsetUs, gateway, replay } of numerics) {
    learnMark(recordingId, replay);
    const readings = [{ atUs: measuredAtUs, value, least: null, most: null }];
    const at = { recordingId, seq: 0, measuredAtUs, clock: clockOf(clockOffsetUs) };
    take(gateway, { stream, ...at, firstSample: 0, kind, readings }, committedAtUs);
  }
  if (detection !== null && detection.gateway !== undefined) {
    const { recordingId: subject, gateway, clockOffsetUs, replay } = detection;
    learnMark(subject, replay);
    const clock = clockOf(clockOffsetUs);
    for (const { window, committedAtUs, ...info } of windows) {
      const recordingId = derivedId(subject, detectionKind(info.modelHash));
      take(gateway, { stream: 'detection', ...info, recordingId, seq: window, subject, gateway, device, clock, fence: 0 }, committedAtUs);
    }
  }
}

type LatestReplay = NonNullable<LatestOfDevice['eeg']>['replay'];

function clockOf(offsetUs: number | null | undefined): ClockState {
  const isKnown = offsetUs !== null && offsetUs !== undefined;
  return isKnown ? { offsetUs, uncertaintyUs: 0, source: 'front-door' } : { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
}
