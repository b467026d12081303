import type { Verdict } from '@vitalwire/contract';
import { type Freshness, freshnessOf } from './freshness.ts';

/** How a state is shown: always a word, a symbol and a colour together, never a colour alone. */
export type StateWord = {
  readonly key: Verdict | 'no-data';
  readonly word: string;
  readonly symbol: string;
  readonly ascii: string; // the same symbol for terminals without Unicode
};

const words = {
  seizure: { key: 'seizure', word: 'seizure pattern', symbol: '▲', ascii: '!' },
  quiet: { key: 'quiet', word: 'quiet', symbol: '●', ascii: 'o' },
  unsure: { key: 'unsure', word: 'unsure', symbol: '◆', ascii: '?' },
  'not-scorable': { key: 'not-scorable', word: 'not scorable', symbol: '✕', ascii: 'x' },
  calibrating: { key: 'calibrating', word: 'calibrating', symbol: '○', ascii: '~' },
  'no-data': { key: 'no-data', word: 'no data', symbol: '–', ascii: '-' },
} as const satisfies Record<Verdict | 'no-data', StateWord>;

/** The state word of a patient and how fresh it is. A verdict too old to show is "no data", never "quiet". */
export function stateWord(verdict: Verdict | null, age: number | null): { state: StateWord; freshness: Freshness } {
  if (verdict === null) return { state: words['no-data'], freshness: 'hidden' };
  const freshness = freshnessOf('eeg', age);
  return { state: freshness === 'hidden' ? words['no-data'] : words[verdict], freshness };
}
