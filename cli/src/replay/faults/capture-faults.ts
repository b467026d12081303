import { streamNumbers } from '@vitalwire/contract';
import type { RequestFaults } from '../capture-sender.ts';
import { type Leg, lineUsOf } from '../leg.ts';
import type { CaptureRecord } from '../manifest.ts';
import type { Moments } from '../pace.ts';
import { hashShare } from './hash-noise.ts';
import { cutsOf, faultsOf, type PatientFaults } from './patient-faults.ts';

export type FaultyCapture = {
  readonly stream: CaptureRecord['stream'];
  readonly group: number;
  readonly leg: Leg;
  readonly pace: Moments;
};

/** What a script does to the requests of one capture; undefined where it does nothing. */
export function requestFaultsOf(faults: PatientFaults, { stream, group, leg, pace }: FaultyCapture): RequestFaults | undefined {
  const duplicates = faultsOf(faults, 'duplicate');
  const reorders = stream === 'eeg' ? faultsOf(faults, 'reorder') : []; // numbers and events name their own times
  const cuts = cutsOf(faults);
  if (duplicates.length + reorders.length + cuts.length === 0) return undefined;
  const chance = (number: number, position: number): number =>
    hashShare(faults.script?.seed ?? 0, number, faults.patient, streamNumbers[stream], group, Math.round(leg.fromUs), position);
  const holds = (fault: { at: number; for: number }, dueMs: number): boolean => {
    const lineUs = lineUsOf(leg, dueMs);
    return lineUs > fault.at && lineUs <= fault.at + fault.for;
  };
  return {
    async gate(giveUp) {
      for (const { fromUs, toUs } of cuts) {
        const lineUs = leg.takeFromUs + pace.dataMs() * 1_000;
        if (lineUs >= fromUs && lineUs < toUs) await pace.until((toUs - leg.takeFromUs) / 1_000, giveUp).catch(() => {}); // given up
      }
    },
    copies: ({ begin, dueMs }) =>
      duplicates.reduce(
        (sum, { fault, number }) => sum + (holds(fault, dueMs) && chance(number, begin) < fault.chance ? fault.copies : 0),
        0,
      ),
    isOvertaken: ({ begin, dueMs }) => reorders.some(({ fault, number }) => holds(fault, dueMs) && chance(number, begin) < fault.chance),
  };
}
