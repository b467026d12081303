import type { Detection, Rate, ReplayMark } from '@vitalwire/contract';
import type { DetectionInput } from './signal-watch.ts';

type Judged = Pick<
  Detection,
  'device' | 'subject' | 'modelHash' | 'seq' | 'measuredAtUs' | 'samples' | 'firstSample' | 'probability' | 'verdict' | 'reason' | 'channel'
> & { readonly everyS?: number | undefined; readonly channelProbabilities?: readonly (number | null)[] };

/** What the engine needs of a detection. The rate is that of its recording: detections do not carry one. */
export function detectionInputOf(
  detection: Judged,
  rate: Rate,
  replay: ReplayMark | null,
  channelLabels: readonly string[] = [],
): DetectionInput {
  const {
    device,
    subject,
    modelHash,
    seq,
    measuredAtUs,
    samples,
    firstSample,
    probability,
    verdict,
    reason,
    channel,
    channelProbabilities = [],
    everyS = 1,
  } = detection;
  const usPerSample = (1_000_000 * rate.den) / rate.num;
  // Window w begins at sample w × hop; of window 0 alone the hop cannot be told: then a second, or the window if that is shorter.
  const hopUs = seq > 0 ? (firstSample / seq) * usPerSample : Math.min(1_000_000, samples * usPerSample);
  return {
    device,
    key: `${subject}/${modelHash}/${seq}`,
    model: modelHash,
    fromUs: measuredAtUs,
    toUs: Math.round(measuredAtUs + samples * usPerSample),
    hopUs: Math.max(1, Math.round(hopUs * everyS)), // under overload the next window that is judged lies further away
    probability,
    verdict,
    reason,
    channel,
    channelProbabilities,
    channelLabels,
    replay,
    recording: subject,
    originUs: Math.round(measuredAtUs - firstSample * usPerSample),
  };
}
