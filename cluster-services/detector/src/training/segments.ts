import type { Rate } from '@vitalwire/contract';

/** A recording with one truth for all of it, in microvolts. `group` is a kind of recording that should be judged apart (for Bonn: its set). */
export type LabelledSegment = {
  readonly name: string;
  readonly group: string;
  readonly number: number;
  readonly ictal: boolean;
  readonly rate: Rate;
  readonly unit: 'uV';
  readonly samples: ArrayLike<number>;
  /** Groups that show what is usual in such a recording: the same patients' recordings between seizures. Default: its own group. */
  readonly calmGroups?: readonly string[];
};
