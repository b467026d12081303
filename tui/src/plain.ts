import type { Client, LinkCondition } from '@vitalwire/client';
import type { Alarm, AlarmInfo, GatewayState, LinkState, PatientState, Problem } from '@vitalwire/contract';
import { cleanLine, labelShort } from '@vitalwire/contract';
import { ageMs, alarmMeasure, alarmWord, categoryOf, everyText, formatAge, freshnessOf, shownState, sourceMarks } from '@vitalwire/vitals';
import { nameOf } from './patient-words.ts';
import { clean } from './spans.ts';

export type EventPrinter = {
  readonly takeState: (change: {
    whole: boolean;
    links?: LinkState;
    systemAlarms?: readonly AlarmInfo[];
    patients: readonly PatientState[];
  }) => void;
  /** One line of an alarm log. */
  readonly takeAlarm: (line: Alarm) => void;
  readonly takeLink: (condition: LinkCondition) => void;
  readonly takeGateway: (status: GatewayState) => void;
  readonly tick: () => void;
};

export type PlainOptions = {
  readonly client: Client;
  readonly signal: AbortSignal;
  readonly write: (line: string) => void;
  /** Everything, unless told otherwise. */
  readonly only?: 'alarms';
};

/** One line per event, for logs and pipes: a state that changes, data that stops or returns, a connection lost. */
export async function runPlain({ client, signal, write, only }: PlainOptions): Promise<void> {
  const { takeState, takeAlarm, takeLink, takeGateway, tick } = printEvents(() => client.nowUs(), write, only);
  const stream = client.live(
    { streams: ['alarm'] },
    {
      onState: takeState,
      onLink: takeLink,
      onGateway: takeGateway,
      onMessage: (message) => {
        if (message.stream === 'alarm') takeAlarm(message);
      },
    },
  );
  const ticker = setInterval(tick, 1_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(ticker);
  stream.close();
}

/** Turns the live stream into lines: one per event, never one per value. */
export function printEvents(nowUs: () => number, write: (line: string) => void, only?: 'alarms'): EventPrinter {
  const patients = new Map<string, PatientState>();
  const toldState = new Map<string, string>();
  const silent = new Set<string>();
  const gateways = new Map<string, string>();
  const toldOpen = new Set<string>();
  const toldProblems = new Map<string, string>(); // what was told about a gateway or service, its numbers apart
  let watched: boolean | null = null;
  const say = (text: string): void => write(cleanLine(`${new Date(nowUs() / 1000).toISOString()} ${text}`));
  write(labelShort);

  const tellState = (patient: PatientState): void => {
    if (only === 'alarms') return;
    const { detection } = patient;
    const { state, probability } = shownState(patient, nowUs());
    if (toldState.get(patient.key) === state.key) return;
    toldState.set(patient.key, state.key);
    const facts = [state.word];
    if (detection !== null && state.key !== 'no-data' && state.key !== 'not-judged') {
      if (probability !== null) facts.push(`probability ${probability.toFixed(2)}`);
      if (detection.reason !== null) facts.push(detection.reason);
      if (everyText(detection) !== '') facts.push(`judged ${everyText(detection)}`);
      facts.push(`model ${detection.modelVersion}`, `${formatAge(ageMs(detection.at, nowUs()))} old`);
    }
    facts.push(...sourceMarks(patient));
    say(`${nameOf(patient)} [${patient.key}]: ${facts.join(', ')}`);
  };

  const tellSilence = (patient: PatientState): void => {
    if (patient.eeg === null || only === 'alarms') return;
    const age = ageMs(patient.eeg.at, nowUs());
    const freshness = freshnessOf('eeg', age);
    if ((freshness === 'overdue' || freshness === 'hidden') && !silent.has(patient.key)) {
      silent.add(patient.key);
      say(`${nameOf(patient)} [${patient.key}]: no EEG for ${formatAge(age)}`);
    } else if (freshness === 'fresh' && silent.delete(patient.key)) say(`${nameOf(patient)} [${patient.key}]: EEG again`);
  };

  // Who wears the device, as far as is known; else the device itself.
  const ownerOf = (device: string): string => {
    for (const patient of patients.values()) if (patient.devices.includes(device)) return `${nameOf(patient)} [${patient.key}]`;
    return clean(device);
  };

  const tellOpen = (owner: string, alarm: AlarmInfo): void => {
    if (toldOpen.has(alarm.alarmId)) return;
    toldOpen.add(alarm.alarmId);
    const { mark, word } = alarmWord(alarm);
    const who = alarm.state === 'acknowledged' ? `acknowledged by ${clean(alarm.acknowledgedBy ?? '?')}` : alarm.state;
    say(`${owner}: ${mark} ${word}, ${who}${measureText(alarm)}${alarm.replay === null ? '' : ', REPLAY'}${textOf(alarm)}`);
  };

  const tellWatched = (alarms: LinkState['alarms']): void => {
    const isWatched = alarms === 'ok';
    if (watched === isWatched || alarms === 'unknown') return;
    watched = isWatched;
    say(isWatched ? 'alarms: watched' : 'alarms: !!! ALARMS NOT WATCHED, the alarm path is silent: alarms may be missing');
  };

  const tellProblems = (problems: readonly Problem[]): void => {
    for (const { about, text } of problems) {
      const kind = text.replace(/\d+/g, '#');
      if (toldProblems.get(about) === kind) continue;
      toldProblems.set(about, kind);
      say(`PROBLEM ${clean(about)}: ${clean(text)}`);
    }
    for (const about of toldProblems.keys()) {
      if (problems.some((one) => one.about === about)) continue;
      toldProblems.delete(about);
      say(`no problem any more: ${clean(about)}`);
    }
  };

  return {
    takeAlarm(line) {
      toldOpen.add(line.alarmId);
      if (line.transition === 'updated' || line.transition === 'pulse') return; // nothing happened
      const by = line.by === '' ? '' : ` by ${clean(line.by)}`;
      if (line.condition === null) {
        const until = line.untilUs === null ? '' : ` until ${new Date(line.untilUs / 1000).toISOString()}`;
        say(`${ownerOf(line.device)}: alarms ${line.transition}${until}${by}`);
        return;
      }
      const category = categoryOf(line.condition);
      const { mark, word } = alarmWord({ condition: line.condition, category, priority: line.priority });
      const what = line.transition.replace('-', ' ');
      const state = line.transition === line.state ? '' : `, ${line.state}`;
      const measure = measureText({ condition: line.condition, value: line.value, limit: line.limit });
      say(
        `${ownerOf(line.device)}: ${mark} ${word} ${what}${by}${state}${measure}${line.replay === null ? '' : ', REPLAY'}${textOf(line)}`,
      );
    },
    takeState({ whole, links, systemAlarms, patients: changed }) {
      if (links !== undefined) tellWatched(links.alarms);
      if (links !== undefined && only !== 'alarms') tellProblems(links.problems ?? []);
      if (whole) for (const alarm of systemAlarms ?? []) if (alarm.condition !== 'alarm-path') tellOpen(clean(alarm.device), alarm);
      if (whole) patients.clear();
      for (const patient of changed) {
        patients.set(patient.key, patient);
        tellState(patient);
        tellSilence(patient);
        // What was open before this screen looked; what happens from now on comes as lines.
        if (whole) for (const alarm of patient.alarms) tellOpen(`${nameOf(patient)} [${patient.key}]`, alarm);
      }
    },
    takeLink(condition) {
      if (condition !== 'closed') say(`connection: ${condition}`);
    },
    takeGateway({ gateway, state, version }) {
      if (gateways.get(gateway) === state || only === 'alarms') return;
      gateways.set(gateway, state);
      say(`gateway ${clean(gateway)}: ${state}${version === null ? '' : `, version ${clean(version)}`}`);
    },
    tick() {
      for (const patient of patients.values()) {
        tellState(patient);
        tellSilence(patient);
      }
    },
  };
}

function measureText(alarm: Pick<AlarmInfo, 'condition' | 'value' | 'limit'>): string {
  const measure = alarmMeasure(alarm);
  return measure === '' ? '' : `, ${measure}`;
}

function textOf({ text }: { text: string }): string {
  return text === '' ? '' : `, ${clean(text)}`;
}
