import { bonnRate, bonnSegments, readBonnSegment, segmentName } from '@vitalwire/datasets';
import type { LabelledSegment } from '@vitalwire/detector';

/** The sets that show what is usual in the recordings of the ictal one: the same patients between seizures. */
const calmGroups = ['N', 'F'];

/** Segments of the collection as the detector's training takes them. */
export function labelledSegments(from: number, to: number): LabelledSegment[] {
  return bonnSegments(from, to).map(({ set, number, ictal }) => ({
    name: segmentName(set, number),
    group: set,
    number,
    ictal,
    rate: bonnRate,
    unit: 'uV',
    samples: readBonnSegment(set, number),
    ...(ictal ? { calmGroups } : {}),
  }));
}
