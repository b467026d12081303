import { type Random, seededRandom } from '../seeded-random.ts';
import { derivationOf, type Electrode } from './electrodes.ts';
import { type ArtefactKind, artefactKinds, type CheckedOptions, type WantedArtefact, type WantedSeizure } from './synth-options.ts';

/** What happens when, in seconds since the start: made once from the seed, before any sample. */
export type Schedule = {
  readonly seizures: readonly Seizure[]; // in order, never overlapping
  readonly artefacts: readonly Artefact[]; // in order of onset
  readonly eyesClosed: readonly Span[]; // in order, never overlapping
};

export type Span = { readonly fromS: number; readonly toS: number };

export type Seizure = Span & {
  readonly focus: Electrode | null; // null: generalised
  readonly startHz: number;
  readonly endHz: number; // slower than at the start
  readonly peakUv: number; // standard deviation at full strength, on a channel of ordinary gain
  readonly heartLagS: number; // from the onset to the first faster beat; some hearts are ahead
  readonly heartRise: number; // beats per minute
  readonly word: number;
};

export type Artefact = Span & {
  readonly kind: ArtefactKind;
  readonly strength: number; // 0 to 1, between the weakest and the strongest of its kind
  readonly place: number; // 0 to 1, chooses electrodes
  readonly form: number; // 0 to 1, chooses sign and shape
  readonly word: number; // seed of its noise
};

// How long an artefact of each kind lasts when only its rate is given.
const lasts: Readonly<Record<ArtefactKind, readonly [number, number]>> = {
  blink: [0.3, 0.5],
  muscle: [0.5, 5],
  mains: [10, 60],
  pop: [0.8, 2.5],
  'lead-off': [8, 30],
  drift: [20, 60],
};

export function makeSchedule(options: CheckedOptions): Schedule {
  const { seed, durationS } = options;
  const eyesClosed = placeEyes(durationS, seededRandom(seed, 0xe4e5));
  const wanted = typeof options.seizures === 'number' ? placeSeizures(options.seizures, durationS, seed) : options.seizures;
  const seizures = wanted.map((seizure, index) => shapeSeizure(seizure, seededRandom(seed, 0x5e12, index)));
  const busy = [eyesClosed, seizures].map((spans) => ({ spans, longestS: longest(spans) }));
  const free = ({ kind, onsetS, durationS: lasting }: WantedArtefact) =>
    kind !== 'blink' || busy.every(({ spans, longestS }) => spansBetween(spans, onsetS, onsetS + lasting, longestS).length === 0);
  const placed = isPlaced(options.artefacts) ? options.artefacts : placeArtefacts(options.artefacts, durationS, seed).filter(free);
  const artefacts = placed
    .map((artefact, index) => shapeArtefact(artefact, seededRandom(seed, 0xa27e, index)))
    .sort((a, b) => a.fromS - b.fromS || a.toS - b.toS);
  return { seizures, artefacts, eyesClosed };
}

/** The members of an ordered list that touch a stretch of time; `longestS` is the longest of them. */
export function spansBetween<T extends Span>(spans: readonly T[], fromS: number, toS: number, longestS: number): T[] {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((spans[middle]?.fromS ?? 0) < fromS - longestS) low = middle + 1;
    else high = middle;
  }
  const found: T[] = [];
  for (let index = low; index < spans.length; index++) {
    const span = spans[index];
    if (span === undefined || span.fromS >= toS) break;
    if (span.toS > fromS) found.push(span);
  }
  return found;
}

export function longest(spans: readonly Span[]): number {
  return spans.reduce((most, span) => Math.max(most, span.toS - span.fromS), 0);
}

/** Each seizure somewhere in a slot of its own, with quiet before it and room for the slow waves after. */
function placeSeizures(perHour: number, durationS: number, seed: number): WantedSeizure[] {
  if (perHour === 0) return [];
  const random = seededRandom(seed, 0x0115e7);
  const count = Math.max(1, Math.round((perHour * durationS) / 3_600));
  const slotS = durationS / count;
  return Array.from({ length: count }, (_, index) => {
    const lasting = Math.min(between(20, 60, random), slotS * 0.4);
    const onsetS = (index + between(0.2, 0.9 - lasting / slotS, random)) * slotS;
    return { onsetS: wholeMs(onsetS), durationS: wholeMs(lasting) };
  });
}

function shapeSeizure({ onsetS, durationS, focus }: WantedSeizure, random: Random): Seizure {
  return {
    focus: focus === undefined ? null : (derivationOf(focus)?.plus ?? null),
    fromS: onsetS,
    toS: onsetS + durationS,
    startHz: between(3.1, 4, random),
    endHz: between(2.5, 2.9, random),
    peakUv: between(145, 185, random),
    heartLagS: between(-4, 6, random),
    heartRise: between(35, 65, random),
    word: wordOf(random),
  };
}

function placeEyes(durationS: number, random: Random): Span[] {
  const spans: Span[] = [];
  for (let at = between(3, 15, random); at < durationS; at += between(6, 25, random)) {
    const toS = at + between(8, 40, random);
    spans.push({ fromS: at, toS });
    at = toS;
  }
  return spans;
}

function placeArtefacts(rates: Readonly<Partial<Record<ArtefactKind, number>>>, durationS: number, seed: number): WantedArtefact[] {
  return artefactKinds.flatMap((kind, index) => {
    const perHour = rates[kind] ?? 0;
    if (perHour === 0) return [];
    const random = seededRandom(seed, 0x9a7e, index);
    const meanGapS = 3_600 / perHour;
    const placed: WantedArtefact[] = [];
    for (let at = meanGapS * random() * 1.6; at < durationS; at += meanGapS * between(0.4, 1.6, random)) {
      const lasting = Math.min(between(...lasts[kind], random), durationS - at);
      placed.push({ kind, onsetS: wholeMs(at), durationS: lasting });
    }
    return placed;
  });
}

function shapeArtefact({ kind, onsetS, durationS }: WantedArtefact, random: Random): Artefact {
  return { kind, fromS: onsetS, toS: onsetS + durationS, strength: random(), place: random(), form: random(), word: wordOf(random) };
}

function between(from: number, to: number, random: Random): number {
  return from + (to - from) * random();
}

function wholeMs(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}

function wordOf(random: Random): number {
  return Math.floor(random() * 2 ** 31);
}

function isPlaced(artefacts: CheckedOptions['artefacts']): artefacts is readonly WantedArtefact[] {
  return Array.isArray(artefacts);
}
