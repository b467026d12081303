import type { AlarmCondition, ReplayMark, Verdict } from '@vitalwire/contract';
import { badSignalUs, holeUs, leadOffEscalatesUs } from './rules.ts';
import type { Statement } from './statement.ts';

/** A scored or refused window, as far as alarms care. */
export type DetectionInput = {
  readonly device: string;
  readonly key: string; // recording, model and window: the same on both lanes and in every repeat
  readonly model: string;
  readonly fromUs: number; // data time
  readonly toUs: number;
  readonly hopUs: number; // to the next window
  readonly probability: number | null;
  readonly verdict: Verdict;
  readonly reason: string | null;
  readonly channel: number;
  readonly channelLabels?: readonly string[]; // of the montage, in its order; absent = not known
  readonly channelProbabilities?: readonly (number | null)[]; // one per channel of the montage; absent = not told
  readonly replay: ReplayMark | null;
  readonly recording?: string; // and where sample 0 of it lies by the device's clock: how it is seen that the clock was set
  readonly originUs?: number;
  readonly isStored?: boolean; // read from storage: when it arrived is not known any more
  readonly take?: string; // of a replay: which; '' or absent = the device itself
};

const watched = ['lead-off', 'poor-signal', 'model-unavailable'] as const satisfies readonly AlarmCondition[];
type Watched = (typeof watched)[number];

/** Which technical condition a refused window speaks for; null for one that was judged, or simply unsure. */
function badSignalOf({ verdict, reason }: Pick<DetectionInput, 'verdict' | 'reason'>): Watched | null {
  if (verdict === 'unsure') return reason === 'unlike-training' ? 'poor-signal' : null;
  if (verdict !== 'not-scorable') return null;
  switch (reason) {
    case 'flat':
    case 'railed':
    case 'low-amplitude':
    case 'missing':
      return 'lead-off';
    case 'rate':
    case 'unit':
      return 'model-unavailable';
    default:
      return 'poor-signal'; // hum, noise, steps, too large, and whatever a later gate names
  }
}

/** Follows the newest windows of one device: a signal that has been bad for long enough is a technical condition. Late windows are history. */
export class SignalWatch {
  #newestUs: number | null = null;
  #hopUs = 0; // of that window
  #run: { kind: Watched; sinceUs: number } | null = null;

  take(window: DetectionInput): Statement[] {
    if (this.#newestUs !== null && window.toUs <= this.#newestUs) return [];
    const joins = this.#newestUs !== null && window.fromUs - this.#newestUs <= holeUs + this.#hopUs;
    this.#newestUs = window.toUs;
    this.#hopUs = window.hopUs;
    const kind = badSignalOf(window);
    if (kind === null) this.#run = null;
    else if (this.#run === null || this.#run.kind !== kind || !joins) this.#run = { kind, sinceUs: window.fromUs };
    const run = this.#run;
    const isLasting = run !== null && window.toUs - run.sinceUs >= badSignalUs;
    return watched.flatMap((condition) => {
      if (run?.kind !== condition) return [over(condition, window.toUs)];
      if (!isLasting) return [];
      return [
        {
          condition,
          aspect: 'eeg',
          holds: true,
          priority: condition !== 'poor-signal' && window.toUs - run.sinceUs >= leadOffEscalatesUs ? 'high' : 'medium',
          sinceUs: run.sinceUs,
          value: null,
          limit: badSignalUs / 1_000_000,
          channel: window.channel,
          replay: window.replay,
          text: `EEG: ${textOf(condition)} (${window.reason ?? 'no reason given'}); seizures are not detected meanwhile`,
        },
      ];
    });
  }
}

function over(condition: AlarmCondition, atUs: number): Statement {
  return { condition, aspect: 'eeg', holds: false, endedUs: atUs, text: 'EEG can be judged again' };
}

function textOf(condition: Watched): string {
  if (condition === 'lead-off') return 'lead off';
  return condition === 'poor-signal' ? 'poor signal' : 'the detector cannot judge this recording';
}
