import type { Rate } from '@vitalwire/contract';
import { DatasetError } from '../dataset-error.ts';
import type { Stretch } from '../signal-source.ts';
import { type RowTime, simplestRate } from './csv-time.ts';

/** What was expected of a time before that of the row above. */
export const wentBack = 'a time not before that of the row above; read as following';

type Run = { firstSample: number; samples: number; position: number; first: RowTime | null; last: RowTime | null };

export type RowTimeline = { readonly rate: Rate; readonly stretches: readonly Stretch[] };

/** Puts rows together to unbroken stretches: by their times, or by counting rows when only a rate is given. */
export class RowRuns {
  readonly #rate: Rate | null;
  readonly #stepUs: number; // usual time between two rows
  readonly #runs: Run[] = [];
  #samples = 0;
  #origin: RowTime | null = null;
  #position = 0; // rows so far, gaps included
  #broken = true;

  constructor(rate: Rate | null, stepUs: number) {
    this.#rate = rate;
    this.#stepUs = stepUs;
  }

  /** A row that is no sample; one that says something all the same may be the first. */
  skip(time: RowTime | null = null): void {
    this.#origin ??= time;
    this.#position += 1;
    this.#broken = true;
  }

  /** Takes a row; returns what was expected when its time cannot be. */
  add(time: RowTime | null): string | null {
    this.#origin ??= time;
    const run = this.#runs.at(-1);
    const gapUs = time === null || run?.last == null ? 0 : time.us - run.last.us;
    const jumped = time === null ? this.#broken : gapUs > this.#stepUs * 1.5 + time.resolutionUs;
    if (run === undefined || jumped) {
      this.#runs.push({ firstSample: this.#samples, samples: 1, position: this.#position, first: time, last: time });
    } else {
      run.samples += 1;
      if (gapUs >= 0) run.last = time;
    }
    this.#broken = false;
    this.#samples += 1;
    this.#position += 1;
    return gapUs < 0 ? wentBack : null;
  }

  result(file: string): RowTimeline {
    const rate = this.#rate ?? this.#measuredRate(file);
    const fromUs = this.originUs;
    const stretches = this.#runs.map((run) => ({
      onsetUs: run.first === null ? Math.round((run.position * rate.den * 1e6) / rate.num) : run.first.us - fromUs,
      firstSample: run.firstSample,
      samples: run.samples,
    }));
    return { rate, stretches };
  }

  /** The time that is the source's start: of the first row where it is a date or below zero, else zero. */
  get originUs(): number {
    return this.#origin !== null && (this.#origin.absolute || this.#origin.us < 0) ? this.#origin.us : 0;
  }

  get startedAtUs(): number | null {
    return this.#origin?.absolute === true ? this.#origin.us : null;
  }

  /** From the longest stretch: there the steps are the most and the way the times are written matters least. */
  #measuredRate(file: string): Rate {
    const longest = this.#runs.toSorted((a, b) => b.samples - a.samples)[0];
    const { first, last, samples } = longest ?? { first: null, last: null, samples: 0 };
    if (first === null || last === null || last.us <= first.us) {
      throw new DatasetError('OPTION_NEEDED', `${file}: its times do not tell a rate; give one, such as 256`);
    }
    return simplestRate(samples - 1, last.us - first.us, first.resolutionUs);
  }
}

/** The usual step between times: the middle one, or the mean where times are written too coarsely to differ. */
export function usualStepUs(times: readonly RowTime[]): number {
  const steps = times.slice(1).map((time, index) => time.us - (times[index]?.us ?? time.us));
  const sorted = steps.filter((step) => step >= 0).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const mean = sorted.reduce((sum, step) => sum + step, 0) / Math.max(1, sorted.length);
  return sorted[0] === 0 ? mean : middle;
}
