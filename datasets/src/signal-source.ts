import type { ChannelScale, NumericKind, NumericStream, Rate, SampleBits } from '@vitalwire/contract';

/**
 * What every reader and the synthetic patients look like to the rest of the house: integers with their scale, groups of equal rate, times
 * counted from the source's own start. Nothing in it names a person.
 */
export type SignalSource = {
  /** Short and without a patient's name: it becomes the source of the REPLAY mark (at most 64 bytes). */
  readonly name: string;
  readonly synthetic: boolean;
  /** The clock on the wall where it was recorded, as far as the file tells it: no zone, µs since 1970 as if it were UTC. */
  readonly startedAtUs: number | null;
  readonly durationUs: number; // from the start to the end of the last stretch or annotation-carrying record
  readonly groups: readonly SignalGroup[];
  /** What is wrong with the file and was read around: truncated, a header that contradicts itself, samples outside their range. */
  readonly problems: readonly SourceProblem[];
  /** Samples from..from+count-1 of a group, one array per wanted channel (all when not given), exactly as stored. READ_OUTSIDE beyond the last. */
  read(group: number, from: number, count: number, channels?: readonly number[]): Promise<Int32Array[]>;
  /** Annotations in order of onset. */
  annotations(): Promise<readonly SourceAnnotation[]>;
  /** The numeric vitals that were measured with the signals, in the order of their table. */
  readonly vitals: readonly SourceVital[];
  /** Readings of one vital from `fromUs` to before `toUs`, in order of time; none of a vital that it does not name. */
  numeric(stream: NumericStream, fromUs: number, toUs: number): Promise<readonly SourceReading[]>;
  close(): Promise<void>;
};

/** Channels that share one rate and one width: what one virtual device sends. */
export type SignalGroup = {
  readonly rate: Rate; // samples per second, a rational
  readonly sampleBits: SampleBits;
  readonly channels: readonly ChannelScale[];
  /** Unbroken stretches in order of time. More than one: the recording was interrupted (EDF+D). Samples are numbered on through all. */
  readonly stretches: readonly Stretch[];
};

export type Stretch = { readonly onsetUs: number; readonly firstSample: number; readonly samples: number };

/** `type` 'seizure' is known truth; anything else is the file's own. Onset counts from the source's start and may be a fraction of a µs rounded. */
export type SourceAnnotation = {
  readonly onsetUs: number;
  readonly durationUs: number | null;
  readonly type: 'seizure' | 'annotation';
  readonly text: string;
  readonly channels: readonly string[]; // labels it speaks of; empty = all
};

/** `from`: where its readings come from, when it is not the source itself. */
export type SourceVital = { readonly stream: NumericStream; readonly kind: NumericKind; readonly from?: string };

/** A number in the vital's own unit. */
export type SourceReading = { readonly atUs: number; readonly value: number };

/** Something found and read around. `at` is a byte offset or a line number, as `unit` says. */
export type SourceProblem = {
  readonly field: string;
  readonly at: number | null;
  readonly unit: 'byte' | 'line' | null;
  readonly found: string;
  readonly expected: string;
};
