import { roundHalfEven } from './round-half-even.ts';
import type { ScoreCounts } from './scores.ts';
import type { TimeEvent } from './time-event.ts';

const HZ = 1;

/**
 * Sample scoring of SzCORE (timescoring 0.0.7, `SampleScoring`): masks of 1 Hz, compared second by second; nothing is merged, split or tolerated.
 * Both masks have the length of the recording: where lists came with lengths of their own, the caller has compared them.
 */
export function scoreSamples(reference: readonly TimeEvent[], hypothesis: readonly TimeEvent[], durationS: number): ScoreCounts {
  const samples = roundHalfEven(durationS * HZ);
  const ref = maskOf(reference, samples);
  const hyp = maskOf(hypothesis, samples);
  let refs = 0;
  let tp = 0;
  let fp = 0;
  for (let at = 0; at < samples; at++) {
    const isSeizure = ref[at] === 1;
    if (isSeizure) refs += 1;
    if (hyp[at] === 1) {
      if (isSeizure) tp += 1;
      else fp += 1;
    }
  }
  return { refs, tp, fp, samples, hz: HZ };
}

function maskOf(events: readonly TimeEvent[], samples: number): Uint8Array {
  const mask = new Uint8Array(samples);
  for (const { startS, endS } of events) {
    const from = roundHalfEven(startS * HZ);
    mask.fill(1, from, Math.max(from, roundHalfEven(endS * HZ)));
  }
  return mask;
}
