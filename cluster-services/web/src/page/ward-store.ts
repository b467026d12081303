import type { AlarmInfo, ChannelScale, EegChunk, PatientState, WallState } from '@vitalwire/contract';
import { isId } from '@vitalwire/contract';
import {
  acuityClass,
  alarmWord,
  Bell,
  EegTrace,
  type Hearing,
  isUnacknowledged,
  shownState,
  soundingOf,
  systemAlarmsOf,
  toldApart,
} from '@vitalwire/vitals';
import { AlarmSound } from './alarm-sound.ts';
import { type LinkCondition, PageLink } from './live.ts';
import { nameOf } from './reading.ts';

const ASK_AGAIN_MS = 2_000;
const NOTICE_SHOWN_MS = 8_000;
const BY_KEPT = 'vitalwire.by';

/** Everything the page knows, in one place; components read it and are told when it changed. */
export class WardStore {
  readonly link: PageLink;
  condition: LinkCondition = 'connecting';
  links: WallState['links'] | null = null;
  behindUntilMs = 0;
  selectedKey: string | null = null;
  readonly sound = new AlarmSound();
  /** Who acknowledges here. */
  by = sessionStorage.getItem(BY_KEPT) ?? '';
  notice: { readonly text: string; readonly isBad: boolean } | null = null;
  readonly #bell = new Bell();
  #systemAlarms: readonly AlarmInfo[] = [];
  #lostSinceUs: number | null = null;
  #noticeTimer = 0;
  readonly #received = new Map<string, PatientState>();
  #patients: ReadonlyMap<string, PatientState> = new Map(); // as they are shown: those of one label told apart
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
        if (condition === 'live') this.#lostSinceUs = null;
        else this.#lostSinceUs ??= this.link.nowUs();
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

  /** By acuity; inside a class the registry's order, so that tiles do not jump. */
  patients(): PatientState[] {
    const nowUs = this.link.nowUs();
    const all = this.#order.flatMap((key) => this.#patients.get(key) ?? []);
    const classes = new Map(all.map((patient) => [patient.key, acuityClass(patient.alarms, isSeizure(patient, nowUs))]));
    return all.sort((a, b) => (classes.get(a.key) ?? 0) - (classes.get(b.key) ?? 0));
  }

  systemAlarms(): readonly AlarmInfo[] {
    return systemAlarmsOf(this.#hearing());
  }

  /** Asked a few times a second: sounds for a new high alarm, and again while nobody answers it. */
  soundIfNeeded(): void {
    const sounding = this.sound.isOn ? soundingOf(this.#patients.values(), this.#hearing(), this.link.nowUs()) : [];
    const pattern = this.#bell.ring(sounding, performance.now());
    if (pattern !== null) this.sound.burst(pattern);
  }

  toggleSound(): void {
    const switching = this.sound.isOn ? this.sound.switchOff() : this.sound.switchOn();
    void switching.catch(() => this.#say('This browser gives no sound', true)).then(() => this.#onChange());
  }

  isByValid(): boolean {
    return isId(this.by);
  }

  setBy(by: string): void {
    this.by = by.trim();
    sessionStorage.setItem(BY_KEPT, this.by);
    this.#onChange();
  }

  /** Silences one alarm. The screen shows it when the alarms service says so. */
  async acknowledge(alarm: AlarmInfo): Promise<void> {
    await this.#ask([`/v1/alarms/${alarm.alarmId}/acknowledge`], { by: this.by }, `${alarmWord(alarm).word} acknowledged by ${this.by}`);
  }

  /** Silences everything of a patient that nobody has answered. */
  async acknowledgeAll(patient: PatientState): Promise<void> {
    const paths = patient.alarms.filter(isUnacknowledged).map(({ alarmId }) => `/v1/alarms/${alarmId}/acknowledge`);
    await this.#ask(paths, { by: this.by }, `${paths.length} alarms of ${nameOf(patient)} acknowledged by ${this.by}`);
  }

  /** Switches the sound of everything a patient wears off for a while; 0 switches it on again. */
  async pause(patient: PatientState, seconds: number): Promise<void> {
    const paths = patient.devices.map((device) => `/v1/devices/${encodeURIComponent(device)}/alarm-pause`);
    const done = seconds === 0 ? `Sound of ${nameOf(patient)} is on again` : `Sound of ${nameOf(patient)} off for ${seconds} s`;
    await this.#ask(paths, { seconds, by: this.by }, done);
  }

  async #ask(paths: readonly string[], body: unknown, done: string): Promise<void> {
    if (!this.isByValid()) {
      this.#say('Not done: write your id at the top first (letters, digits, dots, hyphens), so that it is known who did it', true);
      return;
    }
    for (const path of paths) {
      const refusal = await this.link.post(path, body);
      if (refusal !== null) {
        this.#say(`Not done: ${refusal}`, true);
        return;
      }
    }
    this.#say(done, false);
  }

  #say(text: string, isBad: boolean): void {
    this.notice = { text, isBad };
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = window.setTimeout(() => {
      this.notice = null;
      this.#onChange();
    }, NOTICE_SHOWN_MS);
    this.#onChange();
  }

  #hearing(): Hearing {
    return { links: this.links, systemAlarms: this.#systemAlarms, lostSinceUs: this.#lostSinceUs };
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

  #takeState({ whole, links, systemAlarms, patients }: Pick<WallState, 'links' | 'systemAlarms' | 'patients'> & { whole: boolean }): void {
    this.links = links;
    this.#systemAlarms = systemAlarms;
    if (whole) {
      this.#received.clear();
      this.#order = patients.map(({ key }) => key);
    }
    for (const patient of patients) {
      if (!this.#order.includes(patient.key)) this.#order.push(patient.key);
      this.#received.set(patient.key, patient);
    }
    this.#patients = new Map(toldApart([...this.#received.values()]).map((patient) => [patient.key, patient]));
    if (this.selected() === null) {
      const worst = this.patients();
      const first = worst.find(({ alarms, eeg }) => alarms.length > 0 || eeg !== null) ?? worst[0];
      if (first !== undefined) this.select(first.key);
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

/** Whether the state word is a seizure pattern, however old it may be that it is still shown. */
export function isSeizure(patient: PatientState, nowUs: number): boolean {
  return shownState(patient, nowUs).state.key === 'seizure';
}
