import type { ChannelScale, EegChunk, PatientState, WallState } from '@vitalwire/contract';
import { ageMs, chooseHalfRange, gainOf, Sweep, stateWord } from '@vitalwire/vitals';
import { type LinkCondition, PageLink } from './live.ts';

export const PAGE_SECONDS = 10;
const SILENT_MS = 1_500;

/** What the strip needs to draw itself. */
export type Strip = { readonly sweep: Sweep; readonly label: string; readonly unit: string; readonly halfRange: number };

/** Everything the page knows, in one place; components read it and are told when it changed. */
export class WardStore {
  readonly link: PageLink;
  condition: LinkCondition = 'connecting';
  links: WallState['links'] | null = null;
  behindUntilMs = 0;
  selectedKey: string | null = null;
  readonly #patients = new Map<string, PatientState>();
  #order: string[] = [];
  #onChange: () => void = () => {};
  #sweep = new Sweep(600, PAGE_SECONDS);
  #halfRange: number | null = null;
  #base: { recordingId: string; us: number } | null = null;
  #scales = new Map<string, readonly ChannelScale[]>();
  #montageHash: string | null = null;
  #asked = new Set<string>();
  #lastNewMs = 0;
  #strip = { label: '', unit: '' };

  constructor(token: string) {
    this.link = new PageLink(token, {
      onState: (change) => this.#takeState(change),
      onChunk: (chunk, device) => this.#takeChunk(chunk, device),
      onLink: (condition) => {
        this.condition = condition;
        this.#onChange();
      },
      onBehind: () => {
        this.behindUntilMs = Date.now() + 5_000;
        this.#onChange();
      },
    });
  }

  subscribe(onChange: () => void): void {
    this.#onChange = onChange;
  }

  /** Seizure patterns first; otherwise the registry's order, so that tiles do not jump. */
  patients(): PatientState[] {
    const nowUs = this.link.nowUs();
    const all = this.#order.flatMap((key) => this.#patients.get(key) ?? []);
    return [...all.filter((patient) => isSeizure(patient, nowUs)), ...all.filter((patient) => !isSeizure(patient, nowUs))];
  }

  selected(): PatientState | null {
    return this.selectedKey === null ? null : (this.#patients.get(this.selectedKey) ?? null);
  }

  select(key: string): void {
    if (key === this.selectedKey) return;
    this.selectedKey = key;
    this.#clearStrip();
    this.link.follow(this.selected()?.eeg?.device ?? null);
    this.#onChange();
  }

  /** A sweep of this many columns; a new width begins an empty page. */
  strip(columns: number): Strip {
    if (columns !== this.#sweep.columns) {
      this.#sweep = new Sweep(columns, PAGE_SECONDS);
      this.#halfRange = null;
    }
    const lastUs = this.#sweep.lastUs();
    const silentMs = performance.now() - this.#lastNewMs;
    if (lastUs !== null && silentMs > SILENT_MS) this.#sweep.advanceTo(lastUs + silentMs * 1000);
    this.#halfRange = chooseHalfRange(this.#halfRange, this.#sweep.peak());
    return { sweep: this.#sweep, ...this.#strip, halfRange: this.#halfRange };
  }

  #takeState({ whole, links, patients }: { whole: boolean; links: WallState['links']; patients: readonly PatientState[] }): void {
    this.links = links;
    if (whole) {
      this.#patients.clear();
      this.#order = patients.map(({ key }) => key);
    }
    for (const patient of patients) {
      if (!this.#order.includes(patient.key)) this.#order.push(patient.key);
      this.#patients.set(patient.key, patient);
    }
    if (this.selected() === null) {
      const first = this.#order.find((key) => (this.#patients.get(key)?.eeg ?? null) !== null) ?? this.#order[0];
      if (first !== undefined) this.select(first);
    }
    this.link.follow(this.selected()?.eeg?.device ?? null);
    this.#onChange();
  }

  #takeChunk(chunk: EegChunk, device: string): void {
    if (device !== this.selected()?.eeg?.device) return;
    if (chunk.montageHash !== this.#montageHash) {
      this.#clearStrip();
      this.#montageHash = chunk.montageHash;
    }
    const scales = this.#scales.get(chunk.montageHash);
    if (scales === undefined) this.#askScales(chunk.montageHash);
    const channel = Math.min(this.selected()?.detection?.channel ?? 0, chunk.channels - 1);
    const scale = scales?.[channel];
    const line = scale === undefined ? null : gainOf(scale);
    this.#strip = { label: scale?.label ?? `channel ${channel + 1}`, unit: scale?.unit ?? 'counts' };
    const digital = chunk.samples.subarray(channel * chunk.samplesPerChannel, (channel + 1) * chunk.samplesPerChannel);
    const values = line === null ? digital : Float64Array.from(digital, (value) => value * line.gain + line.offset);
    const before = this.#sweep.lastUs() ?? 0;
    this.#sweep.push(this.#place(chunk), intervalOf(chunk), values);
    if ((this.#sweep.lastUs() ?? 0) > before) this.#lastNewMs = performance.now();
  }

  // Sample indexes place chunks of a recording exactly; the clock only says where the recording lies.
  #place(chunk: EegChunk): number {
    const ownBase = chunk.measuredAtUs - chunk.firstSample * intervalOf(chunk);
    if (this.#base?.recordingId !== chunk.recordingId || Math.abs(this.#base.us - ownBase) > 1e6)
      this.#base = { recordingId: chunk.recordingId, us: ownBase };
    return this.#base.us + chunk.firstSample * intervalOf(chunk);
  }

  #askScales(hash: string): void {
    if (this.#asked.has(hash)) return;
    this.#asked.add(hash);
    void this.link.montage(hash).then((montage) => {
      if (montage === null) setTimeout(() => this.#asked.delete(hash), 2_000);
      else {
        this.#scales.set(hash, montage.channels);
        this.#clearStrip(); // what was drawn so far is in counts
      }
    });
  }

  #clearStrip(): void {
    this.#sweep.clear();
    this.#halfRange = null;
    this.#base = null;
    this.#montageHash = null;
  }
}

export function isSeizure({ detection }: PatientState, nowUs: number): boolean {
  return detection !== null && stateWord(detection.state, ageMs(detection.at, nowUs)).state.key === 'seizure';
}

function intervalOf(chunk: EegChunk): number {
  return (chunk.rate.den / chunk.rate.num) * 1e6;
}
