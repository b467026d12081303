import type { Client } from '@vitalwire/client';
import {
  type AlarmLog,
  type DetectionInfo,
  decodeMessage,
  isNumeric,
  isNumericChunk,
  type NumericStream,
  type Recordings,
} from '@vitalwire/contract';

export type StoredWindow = Pick<DetectionInfo, 'verdict' | 'probability' | 'window'> & { readonly endUs: number };
export type StoredReading = { readonly atUs: number; readonly value: number };

/** Everything that is stored, by device: what screens showed is held against it when all has arrived. */
export type StoredTruth = {
  readonly recordings: Recordings['recordings'];
  /** Ends of stored chunks of EEG, by recording. */
  readonly eegEndsUs: ReadonlyMap<string, readonly number[]>;
  readonly readings: ReadonlyMap<string, readonly StoredReading[]>; // by device and vital: `readingsKey`
  readonly windows: ReadonlyMap<string, readonly StoredWindow[]>;
  readonly alarmLines: AlarmLog['lines'];
};

export function readingsKey(device: string, stream: NumericStream): string {
  return `${device} ${stream}`;
}

export async function readStoredTruth(client: Client): Promise<StoredTruth> {
  const recordings: Recordings['recordings'] = [];
  const eegEndsUs = new Map<string, number[]>();
  const readings = new Map<string, StoredReading[]>();
  const windows = new Map<string, StoredWindow[]>();
  for await (const recording of client.eachRecording()) {
    const { recordingId, stream, device, rate } = recording;
    if (stream !== 'eeg' && !isNumeric(stream)) continue;
    recordings.push(recording);
    for await (const bytes of client.eachChunk(recordingId)) {
      const decoded = decodeMessage(bytes);
      if (!decoded.ok) throw new Error(`a stored message of ${recordingId} cannot be read: ${decoded.reason}`);
      const { value: message } = decoded;
      if (message.stream === 'eeg')
        listOf(eegEndsUs, recordingId).push(message.measuredAtUs + spanUs(message.samplesPerChannel, message.rate));
      if (isNumericChunk(message))
        listOf(readings, readingsKey(device, message.stream)).push(...message.readings.map(({ atUs, value }) => ({ atUs, value })));
    }
    if (stream !== 'eeg' || rate === null) continue;
    let fromWindow = 0;
    for (;;) {
      const { detections } = await client.detections(recordingId, { fromWindow });
      const last = detections.at(-1);
      if (last === undefined) break;
      for (const { verdict, probability, window, measuredAtUs, samples } of detections)
        listOf(windows, device).push({ verdict, probability, window, endUs: measuredAtUs + spanUs(samples, rate) });
      fromWindow = last.window + 1;
    }
  }
  for (const list of windows.values()) list.sort((a, b) => a.endUs - b.endUs);
  for (const list of readings.values()) list.sort((a, b) => a.atUs - b.atUs);
  const alarmLines: AlarmLog['lines'] = [];
  for await (const line of client.eachAlarmLine()) alarmLines.push(line);
  return { recordings, eegEndsUs, readings, windows, alarmLines };
}

function spanUs(samples: number, { num, den }: { readonly num: number; readonly den: number }): number {
  return (samples * 1e6 * den) / num;
}

function listOf<Value>(lists: Map<string, Value[]>, key: string): Value[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: Value[] = [];
  lists.set(key, list);
  return list;
}
