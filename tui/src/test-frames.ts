import type { AlarmInfo, PatientState } from '@vitalwire/contract';
import { viewOf } from './compose.ts';
import { drawFrame } from './frame.ts';
import { layOut } from './layout.ts';
import { WallModel } from './wall-model.ts';

export const nowUs = Date.UTC(2026, 10, 22, 14, 3, 7) * 1000;
export const second = 1_000_000;
export const look = { unicode: true, colours: 0 } as const;
export const links = { storage: 'ok', frontDoor: 'ok', alarms: 'ok', registryRevision: '1' } as const;

type Detected = NonNullable<PatientState['detection']>;

export function at(ageSeconds: number, clockOffsetUs: number | null = 0) {
  return { measuredAtUs: nowUs - ageSeconds * second - (clockOffsetUs ?? 0), clockOffsetUs, receivedAtUs: nowUs - ageSeconds * second };
}

export function patient(
  key: string,
  {
    state = 'quiet',
    probability = 0.04,
    eegAge = 0.2,
    heart = 72,
    heartAge = 1,
    ...rest
  }: {
    state?: Detected['state'];
    probability?: number | null;
    eegAge?: number;
    heart?: number | null;
    heartAge?: number;
  } & Partial<PatientState> = {},
): PatientState {
  return {
    key,
    patient: key,
    label: `Bed ${key}`,
    devices: [`eeg-${key}`],
    eeg: {
      device: `eeg-${key}`,
      gateway: 'g1',
      recordingId: 'r',
      rate: { num: 17361, den: 100 },
      channels: 1,
      montageHash: 'a'.repeat(16),
      lane: 'durable',
      at: at(eegAge),
    },
    alarms: [],
    pauses: [],
    numerics: heart === null ? [] : [{ stream: 'heart-rate', device: `hr-${key}`, kind: 'ecg', value: heart, at: at(heartAge) }],
    detection: {
      device: `eeg-${key}`,
      channel: 0,
      state,
      verdict: state,
      probability,
      reason: null,
      modelVersion: 'bonn-1',
      modelHash: 'h',
      baseline: null,
      channelProbabilities: [],
      provisional: false,
      at: at(eegAge),
    },
    replay: null,
    ...rest,
  };
}

export function wall(patients: PatientState[]): WallModel {
  const model = new WallModel(100);
  model.link = 'live';
  model.takeState({ whole: true, links, systemAlarms: [], patients });
  return model;
}

export function alarm(rest: Partial<AlarmInfo> = {}): AlarmInfo {
  return {
    alarmId: '0123456789abcdef',
    device: 'eeg-1',
    condition: 'seizure',
    category: 'physiological',
    priority: 'high',
    state: 'active',
    onsetUs: nowUs - 30 * second,
    endedUs: null,
    raisedAtUs: nowUs - 25 * second,
    changedAtUs: nowUs - 25 * second,
    acknowledgedAtUs: null,
    acknowledgedBy: null,
    value: null,
    limit: null,
    channel: null,
    senders: ['alarms'],
    replay: null,
    text: 'seizure pattern in 3 of 5 windows',
    ...rest,
  };
}

export const heartRateHigh = alarm({ alarmId: '1'.repeat(16), condition: 'heart-rate-high', priority: 'medium', value: 134, limit: 120 });
export const noData = alarm({ alarmId: '2'.repeat(16), condition: 'no-data', category: 'technical', text: 'no EEG for 61 s' });

export function rowOf(model: WallModel, name: string, width = 100): string {
  const list = drawFrame(model, width, 30, nowUs, look).map((line) => line.slice(0, layOut(viewOf(model, width, 30, nowUs)).list.width));
  return (list.find((line) => line.includes(name)) ?? '').replace(/\s+/g, ' ').trim();
}
