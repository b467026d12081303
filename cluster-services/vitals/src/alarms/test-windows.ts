import type { DetectionInput } from './signal-watch.ts';

/** Windows of 4 s, one second apart, for tests: `probabilities[i]` is that of the window from second i; null is not scorable. */
export function windowsOf(
  probabilities: readonly (number | null)[],
  options: { readonly fromS?: number; readonly device?: string; readonly recording?: string; readonly reason?: string } = {},
): DetectionInput[] {
  const { fromS = 0, device = 'eeg-1', recording = 'r', reason = 'mains-hum' } = options;
  return probabilities.map((probability, index) => ({
    device,
    key: `${recording}/${index}`,
    model: 'm',
    fromUs: (fromS + index) * 1_000_000,
    toUs: (fromS + index + 4) * 1_000_000,
    hopUs: 1_000_000,
    probability,
    verdict: probability === null ? 'not-scorable' : probability >= 0.8 ? 'seizure' : 'quiet',
    reason: probability === null ? reason : null,
    channel: 0,
    replay: null,
  }));
}

/** The same probability for so many windows. */
export function lasting(seconds: number, probability: number | null): (number | null)[] {
  return Array.from({ length: seconds }, () => probability);
}
