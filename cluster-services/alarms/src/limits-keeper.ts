import { join } from 'node:path';
import {
  AllLimits,
  DeviceOwners,
  inTableOrder,
  type NumericLimits,
  type NumericStream,
  numericFacts,
  type PatientLimits,
  Registry,
} from '@vitalwire/contract';
import { type Clock, type HttpClient, KeptJson, type Lifecycle, type Log, type Timer } from '@vitalwire/runtime';
import { z } from 'zod';

export type LimitsKeeperOptions = {
  readonly http: Pick<HttpClient, 'getJson'>;
  readonly dataDir: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every device whose patient has limits of their own, at every look: the log takes each change once. */
  readonly onLimits: (device: string, by: string, text: string) => void;
  /** What was believed of this device until now was another gateway's. */
  readonly onForeign: (device: string, gateway: string) => void;
};

const AT_MOST_EVERY_MS = 1_000;

// Only what limits need: no label, no notes.
const Known = z.object({
  assignments: Registry.shape.assignments,
  devices: Registry.shape.devices.optional(), // absent in a file of an older release
  owners: Registry.shape.owners,
  limits: z.array(z.preprocess(sinceEveryVital, AllLimits.shape.limits.element)),
});
type Known = z.infer<typeof Known>;

/**
 * What of the registry counts here: the limits of each device (those of the patient who wears it), and whose each device is. Kept on disk,
 * so that a dead database changes nothing.
 */
export class LimitsKeeper implements Lifecycle {
  readonly owners = new DeviceOwners();
  readonly #options: LimitsKeeperOptions;
  readonly #file: KeptJson<Known>;
  #known: Known = { assignments: [], limits: [] };
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #stopped = false;
  #isStale = true;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #text = '';

  constructor(options: LimitsKeeperOptions) {
    this.#options = options;
    this.#file = new KeptJson({ path: join(options.dataDir, 'limits.json'), schema: Known, what: "patients' limits", log: options.log });
  }

  /** Whether the last look failed: then these are the limits last known. */
  get isStale(): boolean {
    return this.#isStale;
  }

  async start(): Promise<void> {
    this.#known = (await this.#file.load()) ?? this.#known;
    this.#takeOwners();
    this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
    await this.#file.saved();
  }

  limitsOf(device: string, stream: NumericStream): NumericLimits {
    const patient = this.#wearer(device);
    const own = this.#known.limits.find((one) => one.patient === patient && one.stream === stream);
    return own?.limits ?? numericFacts(stream).limits.usual;
  }

  /** A device is heard of which nothing is known: resolves when an answer is there that was asked for after this call, or storage gives none. */
  lookNow(): Promise<void> {
    if (this.#isStale || this.#stopped) return this.#looking;
    this.#next ??= this.#lookNext();
    return this.#next;
  }

  async #lookNext(): Promise<void> {
    await this.#looking;
    const { clock } = this.#options;
    const waitMs = AT_MOST_EVERY_MS - (clock.monotonicMs() - this.#lookedMs);
    if (waitMs > 0) await clock.sleep(waitMs);
    this.#next = null; // whoever asks from here on wants another answer
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#look();
    await this.#looking;
  }

  #look(): void {
    this.#lookedMs = this.#options.clock.monotonicMs();
    this.#looking = this.#refresh().finally(() => {
      if (!this.#stopped) this.#timer = this.#options.clock.setTimer(this.#options.everyMs, () => this.#look());
    });
  }

  async #refresh(): Promise<void> {
    const { http, log } = this.#options;
    try {
      const [{ assignments, devices, owners }, { limits }] = await Promise.all([
        http.getJson('/v1/registry', Registry),
        http.getJson('/v1/alarm-limits', AllLimits),
      ]);
      const known: Known = { assignments, devices: devices.map((device) => ({ ...device, label: null })), owners, limits };
      const text = JSON.stringify(known);
      this.#isStale = false;
      if (text !== this.#text) {
        this.#text = text;
        this.#known = known;
        this.#takeOwners();
        void this.#file.save(known);
      }
    } catch (error) {
      if (!this.#isStale) log.warn({ err: error }, "patients' limits cannot be read; the last known ones hold");
      this.#isStale = true;
    }
    this.#tell();
  }

  #takeOwners(): void {
    const { devices = [], owners } = this.#known;
    for (const { device, gateway } of this.owners.take({ devices, owners })) this.#options.onForeign(device, gateway);
  }

  #tell(): void {
    const changed = this.#known.limits.filter(({ changedBy }) => changedBy !== null);
    for (const device of new Set(this.#known.assignments.map((one) => one.device))) {
      const wearer = this.#wearer(device);
      const own = changed.filter(({ patient }) => patient === wearer);
      const newest = own.toSorted((a, b) => (a.changedAtUs ?? 0) - (b.changedAtUs ?? 0)).at(-1);
      if (newest === undefined) continue;
      this.#options.onLimits(device, newest.changedBy ?? '', inTableOrder(own).map(describe).join('; '));
    }
  }

  #wearer(device: string): string | null {
    const nowUs = this.#options.clock.nowUs();
    const worn = this.#known.assignments.filter(
      (one) => one.device === device && one.fromUs <= nowUs && (one.toUs === null || nowUs < one.toUs),
    );
    return worn.at(-1)?.patient ?? null;
  }
}

/** A file of a release that knew limits of the heart rate only. */
function sinceEveryVital(limits: unknown): unknown {
  if (typeof limits !== 'object' || limits === null || !('heartRate' in limits)) return limits;
  const { heartRate, ...rest } = limits;
  return { ...rest, stream: 'heart-rate', limits: heartRate };
}

function describe({ stream, limits: { low, high, extremeDelta } }: PatientLimits): string {
  const extreme = extremeDelta === null ? 'no extremes' : `extremes ${extremeDelta} beyond`;
  return `${numericFacts(stream).label} limits ${low ?? 'none'} to ${high ?? 'none'}, ${extreme}`;
}
