import type { EegChunk, RecordingStart } from '@vitalwire/contract';
import type { RecalledBaselines } from '@vitalwire/detector';
import { RecentMap } from '@vitalwire/runtime';
import { z } from 'zod';
import type { TimedWindow } from './recording-windows.ts';

/** Devices, and recordings, that are remembered; beyond it the one unheard for longest is asked of storage, as after a restart. */
const MAX_KNOWN = 512;
/** A recording that began so soon after its predecessor, with the same montage, goes on with its baselines: an agent that restarted. */
export const SAME_ELECTRODES_US = 600_000_000;
/** Before every window. */
export const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

const Known = z.object({
  recordingId: z.string(),
  montageHash: z.string(),
  rate: z.object({ num: z.number(), den: z.number() }),
  levels: z.array(z.number().nullable()),
  seenUs: z.number(), // data time of the newest window
});
type Known = Readonly<z.infer<typeof Known>>;

/** As it is kept on disk, what was scored or announced last at the end; levels are of one model. */
export const KeptLevels = z.object({
  modelHash: z.string(),
  devices: z.array(z.tuple([z.string(), Known])).max(MAX_KNOWN),
  predecessors: z.array(z.tuple([z.string(), z.string().nullable()])).max(MAX_KNOWN), // by recording
});
export type KeptLevels = z.infer<typeof KeptLevels>;

/**
 * What the channels of each device were compared with last, so that what is shown before storage has been read is judged by it too: over
 * a hole, and in a recording that goes on where an agent restarted. What is stored is never judged by this.
 */
export class KnownLevels {
  readonly #byDevice = new RecentMap<string, Known>(MAX_KNOWN); // last = scored last
  readonly #predecessors = new RecentMap<string, string | null>(MAX_KNOWN); // by recording
  #revision = 0;

  /** Changes with everything that `keep` would say. */
  get revision(): number {
    return this.#revision;
  }

  keep(): Pick<KeptLevels, 'devices' | 'predecessors'> {
    return { devices: [...this.#byDevice], predecessors: [...this.#predecessors] };
  }

  restore({ devices, predecessors }: Pick<KeptLevels, 'devices' | 'predecessors'>): void {
    for (const [device, known] of devices) this.#byDevice.renew(device, known);
    for (const [recordingId, predecessor] of predecessors) this.#predecessors.renew(recordingId, predecessor);
  }

  announced({ subject, predecessor }: RecordingStart): void {
    if (this.#predecessors.get(subject) !== predecessor) this.#revision += 1;
    this.#predecessors.renew(subject, predecessor);
  }

  scored(device: string, chunk: EegChunk, windows: readonly TimedWindow[]): void {
    const newest = windows.findLast(({ baseline }) => baseline === 'own');
    if (newest === undefined) return;
    const { recordingId, montageHash, rate } = chunk;
    const levels = [...newest.channelBaselines];
    this.#byDevice.renew(device, { recordingId, montageHash, rate, levels, seenUs: newest.measuredAtUs });
    this.#revision += 1;
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
