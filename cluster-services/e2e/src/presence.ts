import { isNumericChunk, type Message } from '@vitalwire/contract';

/** A reading counts as present when it arrives at most this long after it was measured: what is older is history being caught up. */
const PRESENT_MS = 5_000;

export type Hole = { readonly of: string; readonly ms: number; readonly afterMs: number };
type Arrival = { readonly atMs: number; readonly ageMs: number };

/** What arrived of the present at one subscriber, per device and stream, and the holes in it. */
export class Presence {
  readonly #arrivals = new Map<string, Arrival[]>();

  take(device: string, message: Message, nowUs: number): void {
    const endUs = endOf(message);
    if (endUs === null) return;
    const key = `${device} ${message.stream}`;
    const arrival = { atMs: nowUs / 1000, ageMs: (nowUs - endUs) / 1000 };
    const known = this.#arrivals.get(key);
    if (known === undefined) this.#arrivals.set(key, [arrival]);
    else known.push(arrival);
  }

  /** Every `<device> <stream>` that was heard of. */
  keys(stream: Message['stream']): string[] {
    return [...this.#arrivals.keys()].filter((key) => key.endsWith(` ${stream}`));
  }

  /** Times without anything present between two moments, longest first, over all devices of these streams; both ends count as arrivals. */
  holes(streams: readonly Message['stream'][], fromMs: number, toMs: number): Hole[] {
    const keys = streams.flatMap((stream) => this.keys(stream));
    if (keys.length === 0) return [{ of: 'nothing was heard', ms: toMs - fromMs, afterMs: 0 }];
    return keys.flatMap((key) => this.#holesOf(key, fromMs, toMs)).sort((a, b) => b.ms - a.ms);
  }

  #holesOf(key: string, fromMs: number, toMs: number): Hole[] {
    const present = (this.#arrivals.get(key) ?? []).filter(({ atMs, ageMs }) => ageMs <= PRESENT_MS && atMs >= fromMs && atMs <= toMs);
    const moments = [fromMs, ...present.map(({ atMs }) => atMs), toMs];
    return moments.slice(1).map((moment, index) => {
      const beforeMs = moments[index] ?? moment;
      return { of: key, ms: Math.round(moment - beforeMs), afterMs: Math.round(beforeMs - fromMs) };
    });
  }
}

/** When the last thing in a message was measured; null for what is no reading. */
function endOf(message: Message): number | null {
  if (isNumericChunk(message)) return message.readings.at(-1)?.atUs ?? null;
  switch (message.stream) {
    case 'eeg':
      return message.measuredAtUs + (message.samplesPerChannel * 1e6 * message.rate.den) / message.rate.num;
    case 'detection':
      return message.measuredAtUs + (message.samples * 1e6 * 100) / 17_361; // what is replayed has 173.61 Hz
    default:
      return null;
  }
}
