import type { Client, LinkCondition } from '@vitalwire/client';
import type { Alarm, AlarmInfo, GatewayState, LinkState, PatientState, Problem } from '@vitalwire/contract';
import { cleanLine, labelShort } from '@vitalwire/contract';
import {
  ageMs,
  alarmMeasure,
  alarmWord,
  categoryOf,
  everyText,
  formatAge,
  freshnessOf,
  reasonText,
  shownState,
  sourceMarks,
} from '@vitalwire/vitals';
import { nameOf } from './patient-words.ts';
import { clean } from './spans.ts';

export type PlainOptions = {
  readonly client: Client;
  readonly signal: AbortSignal;
  readonly write: (line: string) => void;
  /** Everything, unless told otherwise. */
  readonly only?: 'alarms';
};

/** One line per event, for logs and pipes: a state that changes, data that stops or returns, a connection lost. */
export async function runPlain({ client, signal, write, only }: PlainOptions): Promise<void> {
  const printer = new EventPrinter(() => client.nowUs(), write, only);
  const stream = client.live(
    { streams: ['alarm'] },
    {
      onState: (change) => printer.takeState(change),
      onLink: (condition) => printer.takeLink(condition),
      onGateway: (status) => printer.takeGateway(status),
      onMessage: (message) => {
        if (message.stream === 'alarm') printer.takeAlarm(message);
      },
    },
  );
  const ticker = setInterval(() => printer.tick(), 1_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(ticker);
  stream.close();
}

type StateChange = {
  readonly whole: boolean;
  readonly links?: LinkState;
  readonly systemAlarms?: readonly AlarmInfo[];
  readonly patients: readonly PatientState[];
};

/** Turns the live stream into lines: one per event, never one per value. */
export class EventPrinter {
  readonly #nowUs: () => number;
  readonly #write: (line: string) => void;
  readonly #onlyAlarms: boolean;
  readonly #patients = new Map<string, PatientState>();
  readonly #toldState = new Map<string, string>();
  readonly #silent = new Set<string>();
  readonly #gateways = new Map<string, string>();
  readonly #toldOpen = new Set<string>();
  readonly #toldProblems = new Map<string, string>(); // what was told about a gateway or service, its numbers apart
  #watched: boolean | null = null;

  constructor(nowUs: () => number, write: (line: string) => void, only?: 'alarms') {
    this.#nowUs = nowUs;
    this.#write = write;
    this.#onlyAlarms = only === 'alarms';
    write(labelShort);
  }

  takeState({ whole, links, systemAlarms = [], patients: changed }: StateChange): void {
    if (links !== undefined) this.#tellWatched(links.alarms);
    if (links !== undefined && !this.#onlyAlarms) this.#tellProblems(links.problems ?? []);
    if (whole) for (const alarm of systemAlarms) if (alarm.condition !== 'alarm-path') this.#tellOpen(clean(alarm.device), alarm);
    if (whole) this.#patients.clear();
    for (const patient of changed) {
      this.#patients.set(patient.key, patient);
      this.#tellPatient(patient);
      // What was open before this screen looked; what happens from now on comes as lines.
      if (whole) for (const alarm of patient.alarms) this.#tellOpen(titleOf(patient), alarm);
    }
  }

  /** One line of an alarm log. */
  takeAlarm(line: Alarm): void {
    this.#toldOpen.add(line.alarmId);
    if (line.transition === 'updated' || line.transition === 'pulse') return; // nothing happened
    const owner = this.#ownerOf(line.device);
    const by = line.by === '' ? '' : ` by ${clean(line.by)}`;
    if (line.condition === null) {
      const until = line.untilUs === null ? '' : ` until ${new Date(line.untilUs / 1000).toISOString()}`;
      this.#say(`${owner}: alarms ${line.transition}${until}${by}`);
      return;
    }
    const category = categoryOf(line.condition);
    const { mark, word } = alarmWord({ condition: line.condition, category, priority: line.priority });
    const state = line.transition === line.state ? '' : `, ${line.state}`;
    const measure = measureText({ condition: line.condition, value: line.value, limit: line.limit });
    const what = `${word} ${line.transition.replace('-', ' ')}${by}${state}`;
    this.#say(`${owner}: ${mark} ${what}${measure}${line.replay === null ? '' : ', REPLAY'}${textOf(line)}`);
  }

  takeLink(condition: LinkCondition): void {
    if (condition !== 'closed') this.#say(`connection: ${condition}`);
  }

  takeGateway({ gateway, state, version }: GatewayState): void {
    if (this.#gateways.get(gateway) === state || this.#onlyAlarms) return;
    this.#gateways.set(gateway, state);
    this.#say(`gateway ${clean(gateway)}: ${state}${version === null ? '' : `, version ${clean(version)}`}`);
  }

  tick(): void {
    for (const patient of this.#patients.values()) this.#tellPatient(patient);
  }

  #tellPatient(patient: PatientState): void {
    if (this.#onlyAlarms) return;
    this.#tellVerdict(patient);
    this.#tellSilence(patient);
  }

  #tellVerdict(patient: PatientState): void {
    const { detection } = patient;
    const { state, probability } = shownState(patient, this.#nowUs());
    if (this.#toldState.get(patient.key) === state.key) return;
    this.#toldState.set(patient.key, state.key);
    const facts = [state.word];
    if (detection !== null && state.key !== 'no-data' && state.key !== 'not-judged') {
      if (probability !== null) facts.push(`probability ${probability.toFixed(2)}`);
      if (detection.reason !== null) facts.push(reasonText(detection.reason));
      if (everyText(detection) !== '') facts.push(`judged ${everyText(detection)}`);
      facts.push(`model ${detection.modelVersion}`, `${formatAge(ageMs(detection.at, this.#nowUs()))} old`);
    }
    facts.push(...sourceMarks(patient));
    this.#say(`${titleOf(patient)}: ${facts.join(', ')}`);
  }

  #tellSilence(patient: PatientState): void {
    if (patient.eeg === null) return;
    const age = ageMs(patient.eeg.at, this.#nowUs());
    const freshness = freshnessOf('eeg', age);
    if ((freshness === 'overdue' || freshness === 'hidden') && !this.#silent.has(patient.key)) {
      this.#silent.add(patient.key);
      this.#say(`${titleOf(patient)}: no EEG for ${formatAge(age)}`);
    } else if (freshness === 'fresh' && this.#silent.delete(patient.key)) this.#say(`${titleOf(patient)}: EEG again`);
  }

  #tellOpen(owner: string, alarm: AlarmInfo): void {
    if (this.#toldOpen.has(alarm.alarmId)) return;
    this.#toldOpen.add(alarm.alarmId);
    const { mark, word } = alarmWord(alarm);
    const who = alarm.state === 'acknowledged' ? `acknowledged by ${clean(alarm.acknowledgedBy ?? '?')}` : alarm.state;
    this.#say(`${owner}: ${mark} ${word}, ${who}${measureText(alarm)}${alarm.replay === null ? '' : ', REPLAY'}${textOf(alarm)}`);
  }

  #tellWatched(alarms: LinkState['alarms']): void {
    const isWatched = alarms === 'ok';
    if (this.#watched === isWatched || alarms === 'unknown') return;
    this.#watched = isWatched;
    this.#say(isWatched ? 'alarms: watched' : 'alarms: !!! ALARMS NOT WATCHED, the alarm path is silent: alarms may be missing');
  }

  #tellProblems(problems: readonly Problem[]): void {
    for (const { about, text } of problems) {
      const kind = text.replace(/\d+/g, '#');
      if (this.#toldProblems.get(about) === kind) continue;
      this.#toldProblems.set(about, kind);
      this.#say(`PROBLEM ${clean(about)}: ${clean(text)}`);
    }
    for (const about of this.#toldProblems.keys()) {
      if (problems.some((one) => one.about === about)) continue;
      this.#toldProblems.delete(about);
      this.#say(`no problem any more: ${clean(about)}`);
    }
  }

  /** Who wears the device, as far as is known; else the device itself. */
  #ownerOf(device: string): string {
    for (const patient of this.#patients.values()) if (patient.devices.includes(device)) return titleOf(patient);
    return clean(device);
  }

  #say(text: string): void {
    this.#write(cleanLine(`${new Date(this.#nowUs() / 1000).toISOString()} ${text}`));
  }
}

function titleOf(patient: PatientState): string {
  return `${nameOf(patient)} [${patient.key}]`;
}

function measureText(alarm: Pick<AlarmInfo, 'condition' | 'value' | 'limit'>): string {
  const measure = alarmMeasure(alarm);
  return measure === '' ? '' : `, ${measure}`;
}

function textOf({ text }: { text: string }): string {
  return text === '' ? '' : `, ${clean(text)}`;
}
