import type { ChannelScale, EegChunk, PatientState, WallState } from '@vitalwire/contract';
import { ageMs, EegTrace, stateWord } from '@vitalwire/vitals';
import { type LinkCondition, PageLink } from './live.ts';

const ASK_AGAIN_MS = 2_000;

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
  readonly trace = new EegTrace(600);
  readonly #scales = new Map<string, readonly ChannelScale[]>();
  readonly #asked = new Set<string>();

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
    this.trace.clear();
    this.link.follow(this.selected()?.eeg?.device ?? null);
    this.#onChange();
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
    this.trace.take(chunk, performance.now());
    this.trace.useChannel(Math.min(this.selected()?.detection?.channel ?? 0, chunk.channels - 1));
    const known = this.#scales.get(chunk.montageHash);
    if (known !== undefined) this.trace.useScales(chunk.montageHash, known);
    else this.#askScales(chunk.montageHash);
  }

  #askScales(hash: string): void {
    if (this.#asked.has(hash)) return;
    this.#asked.add(hash);
    void this.link.montage(hash).then((montage) => {
      if (montage === null) {
        setTimeout(() => this.#asked.delete(hash), ASK_AGAIN_MS); // until then the strip is in counts, and says so
        return;
      }
      this.#scales.set(hash, montage.channels);
      this.trace.useScales(hash, montage.channels);
    });
  }
}

export function isSeizure({ detection }: PatientState, nowUs: number): boolean {
  return detection !== null && stateWord(detection.state, ageMs(detection.at, nowUs)).state.key === 'seizure';
}
