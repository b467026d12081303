import { type Log, RuntimeError, readKept, writeKept } from '@vitalwire/runtime';
import { z } from 'zod';

const Level = z.int().min(0).max(65_535).nullable();
const Kept = z.object({
  device: z.string(),
  captureId: z.string(),
  replayed: z.boolean(),
  montageHash: z.string(),
  rate: z.object({ num: z.number(), den: z.number() }),
  levels: z.array(Level), // 1/1000 of log µV, one per channel; null = the population's
  seenUs: z.number(), // wall clock
});
const File = z.object({ devices: z.array(Kept) });

/** What was usual in each channel of a device when it was last judged. */
export type KeptBaselines = z.infer<typeof Kept>;

/**
 * Baselines of the watched devices on the disk: a seizure across a restart of the agent is compared with the calm before it. What cannot
 * be read costs the baselines, which are sought anew, and is said; it never costs the watch.
 */
export class BaselineFile {
  readonly #path: string;
  readonly #log: Pick<Log, 'warn'>;
  #problem = '';
  #isLeftAlone = false; // what cannot be read is not replaced

  constructor(path: string, log: Pick<Log, 'warn'>) {
    this.#path = path;
    this.#log = log;
  }

  async load(): Promise<readonly KeptBaselines[]> {
    try {
      const text = await readKept(this.#path);
      return text === null ? [] : File.parse(JSON.parse(text)).devices;
    } catch (error) {
      this.#isLeftAlone = RuntimeError.is(error, 'KEPT_UNREADABLE');
      this.#tell(error, 'the baselines of this gateway cannot be read; they are sought anew');
      return [];
    }
  }

  async write(devices: readonly KeptBaselines[]): Promise<void> {
    if (this.#isLeftAlone) return;
    try {
      await writeKept(this.#path, JSON.stringify({ devices }));
      this.#problem = '';
    } catch (error) {
      this.#tell(error, 'the baselines of this gateway cannot be written; after a restart they are sought anew');
    }
  }

  /** Once for each reason, not every half a minute. */
  #tell(error: unknown, message: string): void {
    if (this.#problem === message) return;
    this.#problem = message;
    this.#log.warn({ err: error, path: this.#path }, message);
  }
}
