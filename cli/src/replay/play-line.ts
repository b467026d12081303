import type { SignalGroup } from '@vitalwire/datasets';

/** The part of a source that is played: times in µs since the source's start; `loop` plays it again and again. */
export type PlayWindow = { readonly startUs: number; readonly durationUs: number; readonly loop: boolean };

/** A stretch of line time in which a device measures nothing. */
export type Absence = { readonly fromUs: number; readonly toUs: number };

/** Positions `from` to `to` (not included) of a line, whose first is sample `sample` of the group. */
export type Run = { readonly from: number; readonly to: number; readonly sample: number };

// A start or an onset is a whole µs, a sample's moment hardly ever is: this much of a sample counts as nothing.
const ROUNDING = 1e-3;

export type LineOptions = {
  readonly periodUs: number; // the length of a round, the same for all lines of a source
  readonly absences?: readonly Absence[];
  readonly seamsUs?: readonly number[]; // line times that no request may span
};

/**
 * One group of a source laid out in time. Line time begins with the window and runs on through all its rounds; a position is a place on
 * the group's own sample grid, so positions jump where the source was interrupted. The time of every position is computed from the
 * position alone: nothing adds up, however long it runs.
 */
export class PlayLine {
  readonly #sampleUs: number;
  readonly #window: PlayWindow;
  readonly #gridStart: number; // where the window begins on the source's grid
  readonly #roundPositions: number;
  readonly #periodUs: number;
  readonly #runs: readonly Run[]; // of the first round
  readonly #absences: readonly { readonly from: number; readonly to: number }[];
  readonly #seams: readonly number[];

  constructor(group: SignalGroup, window: PlayWindow, { periodUs, absences = [], seamsUs = [] }: LineOptions) {
    const { num, den } = group.rate;
    this.#sampleUs = (den * 1_000_000) / num;
    this.#window = window;
    this.#periodUs = periodUs;
    this.#gridStart = Math.ceil(window.startUs / this.#sampleUs - ROUNDING);
    this.#roundPositions = Math.round(periodUs / this.#sampleUs);
    this.#runs = runsOf(group, this.#sampleUs, this.#gridStart, this.#roundPositions);
    this.#absences = absences
      .map(({ fromUs, toUs }) => ({ from: this.firstAt(fromUs), to: this.firstAt(toUs) }))
      .filter(({ from, to }) => to > from)
      .sort((a, b) => a.from - b.from);
    this.#seams = seamsUs.map((us) => this.firstAt(us)).sort((a, b) => a - b);
  }

  get sampleUs(): number {
    return this.#sampleUs;
  }

  /** Line time of a position: the moment its sample is taken. */
  timeUs(position: number): number {
    const round = this.#window.loop ? Math.floor(position / this.#roundPositions) : 0;
    return round * this.#periodUs + (this.#gridStart + position - round * this.#roundPositions) * this.#sampleUs - this.#window.startUs;
  }

  /** The first position at or after a moment. */
  firstAt(lineUs: number): number {
    return this.#countTo(lineUs, (grid) => Math.ceil(grid - ROUNDING));
  }

  /** How many positions are complete by then: a sample takes until the next one begins. */
  completeBy(lineUs: number): number {
    return this.#countTo(lineUs, (grid) => Math.floor(grid + ROUNDING));
  }

  /** The unbroken run of samples at `position`, or the next one after it; null when nothing follows. It never crosses a round or a seam. */
  runAt(position: number): Run | null {
    const run = this.#unbrokenAt(position);
    if (run === null) return null;
    const seam = this.#seams.find((one) => one > run.from && one < run.to);
    return seam === undefined ? run : { ...run, to: seam };
  }

  #unbrokenAt(position: number): Run | null {
    for (let at = Math.max(0, position); ; ) {
      const run = this.#presentAt(at);
      if (run === null) return null;
      const absence = this.#absences.find(({ from, to }) => run.from < to && from < run.to);
      if (absence === undefined) return run;
      if (absence.from > run.from) return { ...run, to: absence.from };
      at = absence.to;
    }
  }

  #presentAt(position: number): Run | null {
    if (this.#runs.length === 0) return null;
    let round = Math.floor(position / this.#roundPositions);
    let inRound = position - round * this.#roundPositions;
    if (round > 0 && !this.#window.loop) return null;
    let run = this.#runs.find(({ to }) => to > inRound);
    if (run === undefined) {
      if (!this.#window.loop) return null;
      round += 1;
      inRound = 0;
      run = this.#runs[0];
      if (run === undefined) return null;
    }
    const skipped = Math.max(0, inRound - run.from);
    const start = round * this.#roundPositions;
    return { from: start + run.from + skipped, to: start + run.to, sample: run.sample + skipped };
  }

  #countTo(lineUs: number, round: (grid: number) => number): number {
    if (lineUs < 0) return 0;
    if (!Number.isFinite(lineUs)) return this.#window.loop ? Number.POSITIVE_INFINITY : this.#roundPositions;
    const rounds = this.#window.loop ? Math.floor(lineUs / this.#periodUs) : 0;
    const grid = round((lineUs - rounds * this.#periodUs + this.#window.startUs) / this.#sampleUs) - this.#gridStart;
    return rounds * this.#roundPositions + Math.min(this.#roundPositions, Math.max(0, grid));
  }
}

/** How long one round of a window is: a whole number of samples of the source's fastest group, so that this one never drifts at a seam. */
export function periodOf(groups: readonly SignalGroup[], durationUs: number): number {
  const [fastest] = groups.toSorted((a, b) => b.rate.num / b.rate.den - a.rate.num / a.rate.den);
  if (fastest === undefined) return durationUs;
  const { num, den } = fastest.rate;
  return (Math.max(1, Math.round((durationUs * num) / den / 1_000_000)) * den * 1_000_000) / num;
}

function runsOf({ stretches }: SignalGroup, sampleUs: number, gridStart: number, roundPositions: number): Run[] {
  const runs: Run[] = [];
  let free = 0; // stretches never overlap, whatever their onsets say
  for (const { onsetUs, firstSample, samples } of stretches) {
    const grid = Math.max(free, Math.round(onsetUs / sampleUs));
    free = grid + samples;
    const from = Math.max(0, grid - gridStart);
    const to = Math.min(roundPositions, grid + samples - gridStart);
    if (to <= from) continue;
    const sample = firstSample + from + gridStart - grid;
    const before = runs.at(-1);
    if (before !== undefined && before.to === from && before.sample + before.to - before.from === sample)
      runs[runs.length - 1] = { ...before, to };
    else runs.push({ from, to, sample });
  }
  return runs;
}
