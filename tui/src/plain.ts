import type { Client, LinkCondition } from '@vitalwire/client';
import type { GatewayState, PatientState } from '@vitalwire/contract';
import { labelShort } from '@vitalwire/contract';
import { ageMs, formatAge, freshnessOf, stateWord } from '@vitalwire/vitals';
import { nameOf } from './compose.ts';

export type EventPrinter = {
  readonly takeState: (change: { whole: boolean; patients: readonly PatientState[] }) => void;
  readonly takeLink: (condition: LinkCondition) => void;
  readonly takeGateway: (status: GatewayState) => void;
  readonly tick: () => void;
};

export type PlainOptions = { readonly client: Client; readonly signal: AbortSignal; readonly write: (line: string) => void };

/** One line per event, for logs and pipes: a state that changes, data that stops or returns, a connection lost. */
export async function runPlain({ client, signal, write }: PlainOptions): Promise<void> {
  const { takeState, takeLink, takeGateway, tick } = printEvents(() => client.nowUs(), write);
  const stream = client.live({ streams: [] }, { onState: takeState, onLink: takeLink, onGateway: takeGateway });
  const ticker = setInterval(tick, 1_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(ticker);
  stream.close();
}

/** Turns the live stream into lines: one per event, never one per value. */
export function printEvents(nowUs: () => number, write: (line: string) => void): EventPrinter {
  const patients = new Map<string, PatientState>();
  const shownState = new Map<string, string>();
  const silent = new Set<string>();
  const gateways = new Map<string, string>();
  const say = (text: string): void => write(`${new Date(nowUs() / 1000).toISOString()} ${text}`);
  write(labelShort);

  const tellState = (patient: PatientState): void => {
    const { detection } = patient;
    const { state } = stateWord(detection?.state ?? null, detection === null ? null : ageMs(detection.at, nowUs()));
    if (shownState.get(patient.key) === state.key) return;
    shownState.set(patient.key, state.key);
    const facts = [state.word];
    if (detection !== null && state.key !== 'no-data') {
      if (detection.probability !== null) facts.push(`probability ${detection.probability.toFixed(2)}`);
      if (detection.reason !== null) facts.push(detection.reason);
      facts.push(`model ${detection.modelVersion}`, `${formatAge(ageMs(detection.at, nowUs()))} old`);
    }
    if (patient.replay !== null) facts.push('REPLAY');
    say(`${nameOf(patient)} [${patient.key}]: ${facts.join(', ')}`);
  };

  const tellSilence = (patient: PatientState): void => {
    if (patient.eeg === null) return;
    const age = ageMs(patient.eeg.at, nowUs());
    const freshness = freshnessOf('eeg', age);
    if ((freshness === 'overdue' || freshness === 'hidden') && !silent.has(patient.key)) {
      silent.add(patient.key);
      say(`${nameOf(patient)} [${patient.key}]: no EEG for ${formatAge(age)}`);
    } else if (freshness === 'fresh' && silent.delete(patient.key)) say(`${nameOf(patient)} [${patient.key}]: EEG again`);
  };

  return {
    takeState({ whole, patients: changed }) {
      if (whole) patients.clear();
      for (const patient of changed) {
        patients.set(patient.key, patient);
        tellState(patient);
        tellSilence(patient);
      }
    },
    takeLink(condition) {
      if (condition !== 'closed') say(`connection: ${condition}`);
    },
    takeGateway({ gateway, state, version }) {
      if (gateways.get(gateway) === state) return;
      gateways.set(gateway, state);
      say(`gateway ${gateway}: ${state}${version === null ? '' : `, version ${version}`}`);
    },
    tick() {
      for (const patient of patients.values()) {
        tellState(patient);
        tellSilence(patient);
      }
    },
  };
}
