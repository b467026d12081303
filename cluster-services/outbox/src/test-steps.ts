import { type ClockState, newRecordingId } from '@vitalwire/contract';
import type { AppendStep } from './append.ts';

// What the tests of this package append: a recording of one gateway and device.

const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
let made = 0;

export function testRecordingId(): string {
  made += 1;
  return newRecordingId('gateway-1', Date.now(), new Uint8Array([made, 0, 1, 2, 3, 4]));
}

export function testStart(subject: string): AppendStep {
  return {
    step: 'start',
    start: {
      measuredAtUs: 0,
      clock,
      subject,
      gateway: 'gateway-1',
      device: 'eeg-1',
      of: 'eeg',
      rate: { num: 256, den: 1 },
      channels: [],
      montageHash: '0000000000000000',
      predecessor: null,
      captureId: 'c',
      captureFirstSample: 0,
      replay: null,
      source: '',
    },
  };
}
