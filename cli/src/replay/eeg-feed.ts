import type { SampleBits, Samples } from '@vitalwire/contract';
import type { SignalSource } from '@vitalwire/datasets';
import type { Feed } from './feed.ts';
import { dataMsOf, type Leg, lineUsOf } from './leg.ts';
import type { PlayLine } from './play-line.ts';

/** The samples of one device: a group of a source, or some of its channels. */
export type EegSignal = {
  readonly source: Pick<SignalSource, 'read'>;
  readonly group: number;
  readonly channels: readonly number[];
  readonly sampleBits: SampleBits;
  readonly line: PlayLine;
  /** What faults do to the samples before they leave the device; `position` is the line's. */
  readonly disturb?: (samples: Samples, position: number, count: number) => void;
};

/** At life speed a device sends four times a second; a faster replay sends larger blocks, because nobody can look that often. */
const BLOCK_MS = 250;
const MOST_BLOCK_MS = 16_000;
const UNHURRIED_SPEED = 4;
/** One request stays small beside the intake's limit, so that several devices fit into its memory. */
const MAX_REQUEST_BYTES = 1024 * 1024;

/** EEG in whole blocks; the first of a line's run begins it anew, so that no block ever spans a hole or a seam. */
export function eegFeed(signal: EegSignal, leg: Leg, speed: number): Feed<Samples> {
  const { line, sampleBits, channels } = signal;
  // Where one leg ends the next begins with the sample that was not yet complete.
  const first = line.completeBy(leg.fromUs);
  const last = leg.toUs === null ? Number.POSITIVE_INFINITY : line.completeBy(leg.toUs);
  const most = Math.max(1, Math.floor(MAX_REQUEST_BYTES / ((channels.length * sampleBits) / 8)));
  const samplesIn = (ms: number): number => Math.max(1, Math.floor((ms * 1_000) / line.sampleUs));
  const blockSamples = Math.min(most, samplesIn(blockMs(speed)));
  return {
    maxPerRequest: Math.min(most, Math.max(blockSamples, samplesIn(MOST_BLOCK_MS))),
    async blockAt(position) {
      const run = line.runAt(first + position);
      if (run === null || run.from >= last) return null;
      const end = Math.min(run.to, last, (Math.floor(run.from / blockSamples) + 1) * blockSamples);
      const joins = run.from === first + position && !startsRun(line, run.from);
      return { begin: run.from - first, end: end - first, dueMs: dataMsOf(leg, line.timeUs(end - 1) + line.sampleUs), joins };
    },
    measuredBy: async (dataMs) => Math.max(0, Math.min(last, line.completeBy(lineUsOf(leg, dataMs))) - first),
    async read(from, to) {
      const count = to - from;
      const samples = sampleBits === 16 ? new Int16Array(count * channels.length) : new Int32Array(count * channels.length);
      for (let done = 0; done < count; ) {
        const position = first + from + done;
        const run = line.runAt(position);
        if (run === null || run.from !== position) throw new RangeError(`there is no sample at position ${from + done}`);
        const taken = Math.min(run.to - run.from, count - done);
        const rows = await signal.source.read(signal.group, run.sample, taken, channels);
        for (const [index, row] of rows.entries()) samples.set(row, index * count + done);
        done += taken;
      }
      if (count > 0) signal.disturb?.(samples, first + from, count);
      return samples;
    },
  };
}

function blockMs(speed: number): number {
  return Math.min(MOST_BLOCK_MS, Math.max(BLOCK_MS, (BLOCK_MS * speed) / UNHURRIED_SPEED));
}

function startsRun(line: PlayLine, position: number): boolean {
  return position === 0 || line.runAt(position - 1)?.to === position;
}
