import type { LinkCondition, StateChange } from '@vitalwire/client';
import type { AlarmInfo, EegChunk, PatientState, Topic, WallState } from '@vitalwire/contract';
import {
  acuityClass,
  ageMs,
  EegTrace,
  freshnessOf,
  type Hearing,
  isSignalling,
  isUnacknowledged,
  type Sounding,
  shownState,
  soundingOf,
  systemAlarmsOf,
  toldApart,
} from '@vitalwire/vitals';
import type { Tone } from './spans.ts';

/** One window's probability for the trend; null where there was none. */
export type TrendPoint = { readonly atUs: number; readonly probability: number | null };

const TREND_POINTS = 120;
const BEHIND_SHOWN_MS = 5_000;
const NOTICE_SHOWN_MS = 6_000;

/** What the wall says about something a person just did. */
export type Notice = { readonly text: string; readonly tone: Tone };

/** Everything the wall shows, and nothing about how. Times come in as arguments. */
export class WallModel {
  readonly trace: EegTrace;
  link: LinkCondition = 'connecting';
  links: WallState['links'] | null = null;
  detail = false;
  help = false;
  /** Whether this terminal's bell sounds for alarms. */
  bell = true;
  /** Nothing flashes. */
  isSteady = false;
  /** Where the page is, with whatever opens it; '' = not known here. */
  pageUrl = '';
  #systemAlarms: readonly AlarmInfo[] = [];
  #lostSinceUs: number | null = null;
  #notice: { readonly notice: Notice; readonly atMs: number } | null = null;
  #order: string[] = [];
  readonly #received = new Map<string, PatientState>();
  #patients: ReadonlyMap<string, PatientState> = new Map(); // as they are shown: those of one label told apart
  #selected: string | null = null;
  #chosenChannel: number | null = null;
  #trend: TrendPoint[] = [];
  #behind = { dropped: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(columns: number) {
    this.trace = new EegTrace(columns);
  }

  takeState(change: Pick<StateChange, 'whole' | 'links' | 'systemAlarms' | 'patients'>): void {
    this.links = change.links;
    this.#systemAlarms = change.systemAlarms;
    if (change.whole) {
      this.#received.clear();
      this.#order = change.patients.map(({ key }) => key);
    }
    for (const patient of change.patients) {
      if (!this.#received.has(patient.key) && !this.#order.includes(patient.key)) this.#order.push(patient.key);
      this.#received.set(patient.key, patient);
      if (patient.key === this.#selected) this.#takeTrend(patient);
    }
    this.#patients = new Map(toldApart([...this.#received.values()]).map((patient) => [patient.key, patient]));
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

  takeLink(condition: LinkCondition, nowUs: number): void {
    this.link = condition;
    if (condition === 'live') this.#lostSinceUs = null;
    else this.#lostSinceUs ??= nowUs;
  }

  /** By acuity; inside a class the registry's order, so that rows do not jump. */
  patients(nowUs: number): PatientState[] {
    const all = this.#order.flatMap((key) => this.#patients.get(key) ?? []);
    const classes = new Map(all.map((patient) => [patient.key, acuityClass(patient.alarms, isSeizure(patient, nowUs))]));
    return all.sort((a, b) => (classes.get(a.key) ?? 0) - (classes.get(b.key) ?? 0));
  }

  /** Alarms about gateways and services. When this screen itself hears nothing, that is the first of them. */
  systemAlarms(): readonly AlarmInfo[] {
    return systemAlarmsOf(this.#hearing());
  }

  /** What the bell sounds for, and how. */
  sounding(nowUs: number): Sounding[] {
    return soundingOf(this.#patients.values(), this.#hearing(), nowUs);
  }

  #hearing(): Hearing {
    return { links: this.links, systemAlarms: this.#systemAlarms, lostSinceUs: this.#lostSinceUs };
  }

  /** Whether any badge is flashing now. */
  isFlashing(nowUs: number): boolean {
    if (this.isSteady) return false;
    for (const { alarms, pauses } of this.#patients.values())
      for (const alarm of alarms)
        if (alarm.category === 'physiological' && alarm.priority !== 'low' && isSignalling(alarm, pauses, nowUs)) return true;
    return false;
  }

  /** What `a` acknowledges: the worst of the selected patient that nobody has, else of the system. */
  toAcknowledge(): AlarmInfo | null {
    const own = this.selected()?.alarms.find(isUnacknowledged);
    return own ?? this.#systemAlarms.find((alarm) => alarm.condition !== 'alarm-path' && isUnacknowledged(alarm)) ?? null;
  }

  /** What `A` acknowledges: everything of the selected patient that nobody has. */
  allToAcknowledge(): readonly AlarmInfo[] {
    return this.selected()?.alarms.filter(isUnacknowledged) ?? [];
  }

  say(text: string, tone: Tone, nowMs: number): void {
    this.#notice = { notice: { text, tone }, atMs: nowMs };
  }

  notice(nowMs: number): Notice | null {
    return this.#notice !== null && nowMs - this.#notice.atMs < NOTICE_SHOWN_MS ? this.#notice.notice : null;
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

  // The worst first; among equals one who sends an EEG.
  #firstWorthSeeing(): string | null {
    const all = this.#order.flatMap((key) => this.#patients.get(key) ?? []);
    const rank = ({ alarms, detection, eeg }: PatientState): number =>
      2 * acuityClass(alarms, detection?.state === 'seizure') + (eeg === null ? 1 : 0);
    let best: PatientState | null = null;
    for (const patient of all) if (best === null || rank(patient) < rank(best)) best = patient;
    return best?.key ?? null;
  }
}

/** Whether the state word is a seizure pattern, however old it may be that a screen still shows it. */
export function isSeizure(patient: PatientState, nowUs: number): boolean {
  return shownState(patient, nowUs).state.key === 'seizure';
}

/** Whether a seizure pattern is seen now: what is 10 s old is not counted as going on. */
export function isSeizureNow(patient: PatientState, nowUs: number): boolean {
  const { state, freshness } = shownState(patient, nowUs);
  return state.key === 'seizure' && (freshness === 'fresh' || freshness === 'grey');
}
