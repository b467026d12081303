import type { PatientState, Verdict } from '@vitalwire/contract';
import { type AgeMs, ageMs, type Freshness, freshnessOf } from './freshness.ts';

/** How a state is shown: always a word, a symbol and a colour together, never a colour alone. */
export type StateWord = {
  readonly key: Verdict | 'no-data' | 'not-judged';
  readonly word: string;
  readonly short: string; // the same in at most 10 characters, for narrow cells
  readonly symbol: string;
  readonly ascii: string; // the same symbol for terminals without Unicode
};

const words = {
  seizure: { key: 'seizure', word: 'seizure pattern', short: 'seizure', symbol: '▲', ascii: '!' },
  focal: { key: 'focal', word: 'focal pattern', short: 'focal', symbol: '△', ascii: '^' },
  quiet: { key: 'quiet', word: 'quiet', short: 'quiet', symbol: '●', ascii: 'o' },
  unsure: { key: 'unsure', word: 'unsure', short: 'unsure', symbol: '◆', ascii: '?' },
  'not-scorable': { key: 'not-scorable', word: 'not scorable', short: 'no score', symbol: '✕', ascii: 'x' },
  calibrating: { key: 'calibrating', word: 'calibrating', short: 'calibr.', symbol: '○', ascii: '~' },
  'not-judged': { key: 'not-judged', word: 'not judged', short: 'not judged', symbol: '□', ascii: '=' },
  'no-data': { key: 'no-data', word: 'no data', short: 'no data', symbol: '–', ascii: '-' },
} as const satisfies Record<Verdict | 'no-data' | 'not-judged', StateWord>;

/** The state word of a patient and how fresh it is. A verdict too old to show is "no data", never "quiet". */
export function stateWord(verdict: Verdict | null, age: AgeMs | null): { state: StateWord; freshness: Freshness } {
  if (verdict === null) return { state: words['no-data'], freshness: 'hidden' };
  const freshness = freshnessOf('eeg', age);
  return { state: freshness === 'hidden' ? words['no-data'] : words[verdict], freshness };
}

/** From this age on the age of a state stands beside its word on every screen. */
const STATE_AGE_SHOWN_MS = 2_000;

export type ShownState = {
  readonly state: StateWord;
  readonly age: AgeMs | null; // of the verdict, in ms; null = not known, or there is none to show
  readonly freshness: Freshness;
  readonly probability: number | null; // of the same vote as the word
  readonly showsAge: boolean; // it is too old to stand without its age
};

/**
 * What a screen says about a patient now. EEG that arrives while nothing judges it is "not judged"; only where none arrives it is "no data".
 */
export function shownState({ detection, eeg }: Pick<PatientState, 'detection' | 'eeg'>, nowUs: number): ShownState {
  const age = detection === null ? null : ageMs(detection.at, nowUs);
  const { state, freshness } = stateWord(detection?.state ?? null, age);
  if (detection !== null && freshness !== 'hidden') {
    const probability = detection.stateProbability === undefined ? detection.probability : detection.stateProbability;
    return { state, age, freshness, probability, showsAge: age === null || age > STATE_AGE_SHOWN_MS };
  }
  const arrives = eeg !== null && freshnessOf('eeg', ageMs(eeg.at, nowUs)) !== 'hidden';
  return { state: words[arrives ? 'not-judged' : 'no-data'], age: null, freshness: 'hidden', probability: null, showsAge: false };
}

/** Marks that stand beside a name: what is replayed, what may be, and what comes from the future and is not shown. */
export function sourceMarks({ replay, replayKnown, clockWrong }: Pick<PatientState, 'replay' | 'replayKnown' | 'clockWrong'>): string[] {
  const mark = replay !== null ? ['REPLAY'] : replayKnown === false ? ['REPLAY?'] : [];
  return [...mark, ...(clockWrong === undefined || clockWrong.length === 0 ? [] : ['CLOCK WRONG'])];
}

const reasons: Readonly<Record<string, string>> = {
  missing: 'samples missing',
  flat: 'flat line',
  'low-amplitude': 'amplitude too low',
  'high-amplitude': 'amplitude too high',
  railed: "at the amplifier's limit",
  steps: 'steps in the signal',
  'unlike-training': 'unlike the data it was trained on',
};

/** Why a window has no verdict, in words. A detector of another release may give others. */
export function reasonText(reason: string): string {
  return reasons[reason] ?? reason.replaceAll('-', ' ');
}
