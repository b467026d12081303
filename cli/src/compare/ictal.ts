import type { DetectionInfo } from '@vitalwire/contract';

export type DetectionCount = {
  readonly windows: number; // with a detection of any verdict
  readonly detections: number; // at or above the model's threshold
  readonly inside: number; // of these, with their centre in a stretch known to be a seizure
};

/** Counts detected windows inside and outside known seizures. `firstSample` is where the recording begins in its capture. */
export function countDetections(
  detections: readonly DetectionInfo[],
  firstSample: number,
  isIctal: (sample: number) => boolean,
): DetectionCount {
  const seizures = detections.filter((one) => one.verdict === 'seizure');
  const inside = seizures.filter((one) => isIctal(firstSample + one.firstSample + Math.floor(one.samples / 2)));
  return { windows: detections.length, detections: seizures.length, inside: inside.length };
}
