import type { Rate } from '@vitalwire/contract';
import { powerSpectrum } from '@vitalwire/vitals';
import { featuresOf } from '../features.ts';

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

/** One window of a labelled segment, as the features the network sees. */
export type LabelledWindow = {
  readonly segment: LabelledSegment;
  readonly firstSample: number;
  readonly onGrid: boolean; // one of the windows that are scored; the others lie between them and are for training only
  readonly features: Float64Array;
};

/** Reads labelled segments from JSON lines; throws with the line that does not read. */
export function parseSegments(text: string): LabelledSegment[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const segment = parseLine(line);
      if (segment === null) throw new Error(`segment line ${index + 1} is not a labelled segment: ${line.slice(0, 60)}`);
      return segment;
    });
}

/** The windows of a segment at multiples of `stepSamples`; those at multiples of a whole window are on the grid. */
export function windowsOf(segment: LabelledSegment, windowSamples: number, stepSamples: number): LabelledWindow[] {
  const rateHz = segment.rate.num / segment.rate.den;
  const windows: LabelledWindow[] = [];
  for (let firstSample = 0; firstSample + windowSamples <= segment.samples.length; firstSample += stepSamples) {
    const window = Float64Array.from(segment.samples).slice(firstSample, firstSample + windowSamples);
    const features = featuresOf(window, rateHz, powerSpectrum(window, rateHz));
    windows.push({ segment, firstSample, onGrid: firstSample % windowSamples === 0, features });
  }
  return windows;
}

function parseLine(line: string): LabelledSegment | null {
  try {
    const value = JSON.parse(line) as LabelledSegment;
    const complete =
      typeof value.name === 'string' &&
      typeof value.group === 'string' &&
      typeof value.ictal === 'boolean' &&
      Number.isInteger(value.number) &&
      value.unit === 'uV' &&
      value.rate.num > 0 &&
      value.rate.den > 0 &&
      Array.from(value.samples).every(Number.isFinite);
    return complete ? value : null;
  } catch {
    return null;
  }
}
