import type { LinkCondition } from '@vitalwire/client';
import type { EegChunk, PatientState, Topic, WallState } from '@vitalwire/contract';
import { ageMs, EegTrace, freshnessOf, stateWord } from '@vitalwire/vitals';

/** One window's probability for the trend; null where there was none. */
export type TrendPoint = { readonly atUs: number; readonly probability: number | null };

const TREND_POINTS = 120;
const BEHIND_SHOWN_MS = 5_000;

/** Everything the wall shows, and nothing about how. Times come in as arguments. */
export class WallModel {
  readonly trace: EegTrace;
  link: LinkCondition = 'connecting';
  links: WallState['links'] | null = null;
  detail = false;
  help = false;
  #order: string[] = [];
  readonly #patients = new Map<string, PatientState>();
  #selected: string | null = null;
  #chosenChannel: number | null = null;
  #trend: TrendPoint[] = [];
  #behind = { dropped: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(columns: number) {
    this.trace = new EegTrace(columns);
  }

  takeState(change: { whole: boolean; links: WallState['links']; patients: readonly PatientState[] }): void {
    this.links = change.links;
    if (change.whole) {
      this.#patients.clear();
      this.#order = change.patients.map(({ key }) => key);
    }
    for (const patient of change.patients) {
      if (!this.#patients.has(patient.key) && !this.#order.includes(patient.key)) this.#order.push(patient.key);
      this.#patients.set(patient.key, patient);
      if (patient.key === this.#selected) this.#takeTrend(patient);
    }
    if (this.#selected === null || !this.#patients.has(this.#selected)) this.select(this.#firstWorthSeeing());
  }

  takeChunk(chunk: EegChunk, topic: Topic, nowMs: number): boolean {
    if (topic.device !== this.selected()?.eeg?.device) return false;
    this.trace.take(chunk, nowMs);
    if (this.#chosenChannel === null) this.trace.useChannel(this.selected()?.detection?.channel ?? 0);
    return true;
  }

  takeBehind(dropped: number, nowMs: number): void {
    this.#behind = { dropped, atMs: nowMs };
  }

  /** Frames the server dropped lately because this screen was behind. */
  behind(nowMs: number): number {
    return nowMs - this.#behind.atMs < BEHIND_SHOWN_MS ? this.#behind.dropped : 0;
  }

  /** Seizure patterns first; otherwise the registry's order, so that rows do not jump. */
  patients(nowUs: number): PatientState[] {
    const all = this.#order.flatMap((key) => this.#patients.get(key) ?? []);
    return [...all.filter((patient) => isSeizure(patient, nowUs)), ...all.filter((patient) => !isSeizure(patient, nowUs))];
  }

  selected(): PatientState | null {
    return this.#selected === null ? null : (this.#patients.get(this.#selected) ?? null);
  }

  select(key: string | null): void {
    if (key === this.#selected) return;
    this.#selected = key;
    this.#trend = [];
    this.#chosenChannel = null;
    this.trace.clear();
    const patient = this.selected();
    if (patient !== null) this.#takeTrend(patient);
  }

  /** Up or down in the list as it is shown. */
  move(step: number, nowUs: number): void {
    const shown = this.patients(nowUs);
    const at = shown.findIndex(({ key }) => key === this.#selected);
    const next = shown[Math.min(shown.length - 1, Math.max(0, at + step))];
    if (next !== undefined) this.select(next.key);
  }

  moveChannel(step: number): void {
    const next = Math.min(this.trace.channels - 1, Math.max(0, this.trace.channel + step));
    this.#chosenChannel = next;
    this.trace.useChannel(next);
  }

  /** Whether the strip shows the present. */
  isStripFresh(nowUs: number): boolean {
    const eeg = this.selected()?.eeg ?? null;
    return eeg !== null && freshnessOf('eeg', ageMs(eeg.at, nowUs)) === 'fresh';
  }

  trend(): readonly TrendPoint[] {
    return this.#trend;
  }

  #takeTrend({ detection }: PatientState): void {
    if (detection === null || this.#trend.at(-1)?.atUs === detection.at.measuredAtUs) return;
    this.#trend.push({ atUs: detection.at.measuredAtUs, probability: detection.probability });
    if (this.#trend.length > TREND_POINTS) this.#trend.shift();
  }

  #firstWorthSeeing(): string | null {
    const withEeg = this.#order.find((key) => (this.#patients.get(key)?.eeg ?? null) !== null);
    return withEeg ?? this.#order[0] ?? null;
  }
}

export function isSeizure({ detection }: PatientState, nowUs: number): boolean {
  return detection !== null && stateWord(detection.state, ageMs(detection.at, nowUs)).state.key === 'seizure';
}
