import { limits } from '@vitalwire/contract';
import type { SourceAnnotation } from '@vitalwire/datasets';
import type { Feed } from './feed.ts';
import { dataMsOf, type Leg, lineUsOf } from './leg.ts';
import type { PlayWindow } from './play-line.ts';
import { clipped } from './wire-text.ts';

/** An event on the line: known truth, an annotation of the file, or what the replay says of itself. */
export type LineEvent = { readonly atUs: number; readonly durationUs: number | null; readonly type: string; readonly text: string };

export type EventSignal = { readonly annotations: readonly SourceAnnotation[]; readonly window: PlayWindow; readonly periodUs: number };

/** What a replay says at the beginning of a leg. */
export type Opening = { readonly type: string; readonly text: string };

/** Annotations and seams, each sent at its moment, never before it. */
export function eventFeed(signal: EventSignal, leg: Leg, opening: Opening | null): Feed<LineEvent[]> {
  const list = new LegEvents(signal, leg, opening);
  return {
    maxPerRequest: 100,
    async blockAt(position) {
      const event = list.at(position);
      if (event === undefined) return null;
      return {
        begin: position,
        end: Math.max(position + 1, list.countUntil(event.atUs)),
        dueMs: Math.max(0, dataMsOf(leg, event.atUs)),
        joins: true,
      };
    },
    measuredBy: async (dataMs) => list.countUntil(lineUsOf(leg, dataMs)),
    read: async (from, to) => list.between(from, to),
  };
}

/** The annotations that a window shows, in line time of one round: one that is under way at its beginning begins there, none outlasts it. */
export function eventsInWindow({ annotations, window, periodUs }: EventSignal): LineEvent[] {
  return annotations
    .flatMap(({ onsetUs, durationUs, type, text, channels }) => {
      const fromUs = onsetUs - window.startUs;
      const toUs = fromUs + (durationUs ?? 0);
      const isInside = fromUs >= 0 && fromUs < periodUs;
      const isUnderWay = fromUs < 0 && toUs > 0;
      if (!isInside && !isUnderWay) return [];
      const atUs = Math.max(0, fromUs);
      const where = channels.length === 0 ? '' : ` [${channels.join(', ')}]`;
      return [
        {
          atUs,
          durationUs: durationUs === null ? null : Math.min(toUs, periodUs) - atUs,
          type: clipped(type, limits.maxNameBytes),
          text: clipped(`${text}${where}`, limits.maxTextBytes),
        },
      ];
    })
    .sort((a, b) => a.atUs - b.atUs);
}

// A moment that is computed on two ways may differ in its last digits: this much of a µs counts as nothing.
const ROUNDING_US = 0.01;

const loopEvent = { durationUs: null, type: 'replay-loop', text: 'the sequence starts again' } as const;

/** Events by number, counted from the leg's beginning; computed from the number, so nothing is kept. */
class LegEvents {
  readonly #leg: Leg;
  readonly #window: PlayWindow;
  readonly #periodUs: number;
  readonly #round: readonly LineEvent[]; // of one round, the seam before them not counted
  readonly #opening: readonly LineEvent[];
  readonly #before: number; // events of the line that lie before the leg

  constructor(signal: EventSignal, leg: Leg, opening: Opening | null) {
    this.#leg = leg;
    this.#window = signal.window;
    this.#periodUs = signal.periodUs;
    this.#round = eventsInWindow(signal);
    const fromUs = Math.max(0, leg.fromUs);
    this.#before = fromUs === 0 ? 0 : this.#lineCount(fromUs, false);
    const said = opening === null ? [] : [{ atUs: fromUs, durationUs: null, ...opening }];
    this.#opening = [...said, ...this.#underWay(fromUs)];
  }

  at(index: number): LineEvent | undefined {
    if (index < this.#opening.length) return this.#opening[index];
    const event = this.#lineAt(this.#before + index - this.#opening.length);
    return event === undefined || event.atUs >= (this.#leg.toUs ?? Number.POSITIVE_INFINITY) ? undefined : event;
  }

  between(from: number, to: number): LineEvent[] {
    return Array.from({ length: to - from }, (_, offset) => {
      const event = this.at(from + offset);
      if (event === undefined) throw new RangeError(`there is no event ${from + offset}`);
      return event;
    });
  }

  /** How many events have begun by then, the one at that very moment among them. */
  countUntil(lineUs: number): number {
    const fromUs = Math.max(0, this.#leg.fromUs);
    if (lineUs < fromUs) return 0;
    const { toUs } = this.#leg;
    const counted = toUs !== null && lineUs >= toUs ? this.#lineCount(toUs, false) : this.#lineCount(lineUs, true);
    return this.#opening.length + Math.max(0, counted - this.#before);
  }

  /** What began before the leg and goes on in it: truth must not be lost by a seek into it. */
  #underWay(fromUs: number): LineEvent[] {
    if (fromUs === 0) return [];
    const roundUs = (this.#window.loop ? Math.floor(fromUs / this.#periodUs) : 0) * this.#periodUs;
    return this.#round.flatMap((event) => {
      const leftUs = roundUs + event.atUs + (event.durationUs ?? 0) - fromUs;
      return roundUs + event.atUs < fromUs && leftUs > 0 ? [{ ...event, atUs: fromUs, durationUs: leftUs }] : [];
    });
  }

  #lineAt(index: number): LineEvent | undefined {
    const first = this.#round.length;
    if (index < first) return this.#round[index];
    if (!this.#window.loop) return undefined;
    const perRound = first + 1;
    const round = 1 + Math.floor((index - first) / perRound);
    const inRound = (index - first) % perRound;
    const startUs = round * this.#periodUs;
    if (inRound === 0) return { ...loopEvent, atUs: startUs };
    const event = this.#round[inRound - 1];
    return event === undefined ? undefined : { ...event, atUs: startUs + event.atUs };
  }

  /** How many events of the line begin before a moment, or at it. */
  #lineCount(lineUs: number, isIncluded: boolean): number {
    const isLoop = this.#window.loop;
    if (!Number.isFinite(lineUs)) return isLoop ? Number.POSITIVE_INFINITY : this.#round.length;
    const untilUs = lineUs + (isIncluded ? ROUNDING_US : -ROUNDING_US);
    const round = isLoop ? Math.max(0, Math.floor(untilUs / this.#periodUs)) : 0;
    const inRoundUs = untilUs - round * this.#periodUs;
    const begun = this.#round.filter(({ atUs }) => atUs < inRoundUs).length;
    return round === 0 ? begun : this.#round.length + (round - 1) * (this.#round.length + 1) + 1 + begun;
  }
}
