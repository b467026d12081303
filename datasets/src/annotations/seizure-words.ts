import type { SourceAnnotation } from '../signal-source.ts';

/** What an annotation's text says about a seizure. */
export type SeizureMeaning = 'whole' | 'start' | 'end' | null;

/** Words that stand for a seizure: plain, in SzCORE (`sz_foc_ia`), in TUH (`fnsz`, `cpsz`), in a few languages of Europe. */
const says =
  /(?:^|[^a-z])(?:seizures?|sz(?:_[a-z_]+)?|seiz|(?:fn|gn|sp|cp|ab|tn|cn|tc|at|my)sz|(?:epileptischer )?anfall|crise|crisi)(?:[^a-z]|$)/;

/** Words that take it back: between, before and after seizures, none of them, or only a question or a button. */
const takesBack =
  /\b(?:no|non|not|without|free|inter-?ictal|post-?ictal|pre-?ictal|pre|post|after|before|between|nonepileptic|psychogenic|pnes|possible|button|risk|medication|history)\b|\?/;

const start = /\b(?:start|starts|started|onset|begin|begins|beginn|on)\b/;
const end = /\b(?:end|ends|ended|offset|stop|stops|stopped|ende|off)\b/;

/** Reads the typical spellings of a seizure; when in doubt it is none, because 'seizure' means known truth. */
export function seizureMeaning(text: string): SeizureMeaning {
  const plain = text.toLowerCase();
  if (!says.test(plain) || takesBack.test(plain)) return null;
  if (start.test(plain) && end.test(plain)) return 'whole';
  if (end.test(plain)) return 'end';
  return start.test(plain) ? 'start' : 'whole';
}

/** A text of EDF+ as an annotation: `text@@label` speaks of one channel. */
export function annotationOf(raw: {
  readonly onsetUs: number;
  readonly durationUs: number | null;
  readonly text: string;
}): SourceAnnotation {
  const [text = '', ...channels] = raw.text.split('@@');
  const meaning = seizureMeaning(text);
  const type = meaning === 'whole' || meaning === 'start' ? 'seizure' : 'annotation';
  return { onsetUs: raw.onsetUs, durationUs: raw.durationUs, type, text, channels: channels.filter((label) => label !== '') };
}

/** Neighbours that say the same of several channels are one annotation: a file has a list for each channel. */
export function joinChannels(annotations: readonly SourceAnnotation[]): SourceAnnotation[] {
  const joined: SourceAnnotation[] = [];
  for (const one of annotations) {
    const before = joined.at(-1);
    const [label] = one.channels;
    if (before === undefined || label === undefined || !saysTheSame(before, one) || before.channels.includes(label)) joined.push(one);
    else joined[joined.length - 1] = { ...before, channels: [...before.channels, label] };
  }
  return joined;
}

function saysTheSame(a: SourceAnnotation, b: SourceAnnotation): boolean {
  return a.channels.length > 0 && a.onsetUs === b.onsetUs && a.durationUs === b.durationUs && a.text === b.text;
}

/** A start without a duration lasts until the next end; the annotation of the end stays. `annotations` are in order of onset. */
export function pairSeizures(annotations: readonly SourceAnnotation[]): SourceAnnotation[] {
  return annotations.map((one, index) => {
    if (one.type !== 'seizure' || one.durationUs !== null || seizureMeaning(one.text) !== 'start') return one;
    for (const later of annotations.slice(index + 1, index + 1 + PAIR_WITHIN)) {
      if (later.type === 'seizure' && seizureMeaning(later.text) === 'start') return one; // its end was forgotten
      if (seizureMeaning(later.text) === 'end') return { ...one, durationUs: later.onsetUs - one.onsetUs };
    }
    return one;
  });
}

/** Annotations looked at for the end of a seizure; a bound, so that a file of starts only stays quick to read. */
const PAIR_WITHIN = 1_000;
