import type { EegChunk, RecordingStart } from '@vitalwire/contract';
import type { RecalledBaselines } from '@vitalwire/detector';
import { RecentMap } from '@vitalwire/runtime';
import type { TimedWindow } from './recording-windows.ts';

/** Devices, and recordings, that are remembered; beyond it the one unheard for longest is asked of storage, as after a restart. */
const MAX_KNOWN = 512;
/** A recording that began so soon after its predecessor, with the same montage, goes on with its baselines: an agent that restarted. */
export const SAME_ELECTRODES_US = 600_000_000;
/** Before every window. */
export const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

type Known = {
  readonly recordingId: string;
  readonly montageHash: string;
  readonly rate: EegChunk['rate'];
  readonly levels: RecalledBaselines['levels'];
  readonly seenUs: number; // data time of the newest window
};

/**
 * What the channels of each device were compared with last, so that what is shown before storage has been read is judged by it too: over
 * a hole, and in a recording that goes on where an agent restarted. What is stored is never judged by this.
 */
export class KnownLevels {
  readonly #byDevice = new RecentMap<string, Known>(MAX_KNOWN); // last = scored last
  readonly #predecessors = new RecentMap<string, string | null>(MAX_KNOWN); // by recording

  announced({ subject, predecessor }: RecordingStart): void {
    this.#predecessors.renew(subject, predecessor);
  }

  scored(device: string, chunk: EegChunk, windows: readonly TimedWindow[]): void {
    const newest = windows.findLast(({ baseline }) => baseline === 'own');
    if (newest === undefined) return;
    const { recordingId, montageHash, rate } = chunk;
    this.#byDevice.renew(device, { recordingId, montageHash, rate, levels: newest.channelBaselines, seenUs: newest.measuredAtUs });
  }

  /** For a recording of which nothing before this chunk is known here. */
  before(device: string, { recordingId, montageHash, rate, measuredAtUs }: EegChunk): readonly RecalledBaselines[] {
    const known = this.#byDevice.get(device);
    if (known === undefined || known.montageHash !== montageHash) return [];
    if (known.rate.num !== rate.num || known.rate.den !== rate.den) return [];
    const goesOn = this.#predecessors.get(recordingId) === known.recordingId && Math.abs(measuredAtUs - known.seenUs) <= SAME_ELECTRODES_US;
    return known.recordingId === recordingId || goesOn ? [{ window: BEFORE_ALL, levels: known.levels }] : [];
  }
}
