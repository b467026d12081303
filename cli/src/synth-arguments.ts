import type { Rate } from '@vitalwire/contract';
import { type ArtefactKind, artefactKinds, type SynthOptions } from '@vitalwire/datasets';
import { InvalidArgumentError } from 'commander';

// How a synthetic patient is described on a command line. Ranges are checked where the patient is made; here only the spelling is.

/** `19`, `chb-mit` or `Fp1,F7-T7`. */
export function parseChannels(text: string): NonNullable<SynthOptions['channels']> {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Number(trimmed);
  if (trimmed.toLowerCase() === 'chb-mit') return 'chb-mit';
  const labels = trimmed.split(',').map((label) => label.trim());
  if (labels.some((label) => label === '')) throw new InvalidArgumentError("Give a number, 'chb-mit', or labels such as Fp1,F7-T7.");
  return labels;
}

/** `256`, `173.61` or `17361/100` samples per second, as a fraction without rounding. */
export function parseRate(text: string): Rate {
  const match = /^(\d{1,9})(?:\.(\d{1,6}))?(?:\/(\d{1,9}))?$/.exec(text.trim());
  if (match === null || (match[2] !== undefined && match[3] !== undefined))
    throw new InvalidArgumentError('Give samples per second such as 256, 173.61 or 17361/100.');
  const decimals = match[2] ?? '';
  const num = Number(`${match[1]}${decimals}`);
  const den = match[3] === undefined ? 10 ** decimals.length : Number(match[3]);
  const common = commonDivisor(num, den);
  return common === 0 ? { num, den } : { num: num / common, den: den / common };
}

/** `2` an hour, `none`, or `120+40,900+30`: onsets and durations in seconds. */
export function parseSeizures(text: string): NonNullable<SynthOptions['seizures']> {
  const trimmed = text.trim();
  if (trimmed === 'none') return 0;
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  return trimmed.split(',').map((part) => {
    const match = placed.exec(part.trim());
    if (match === null)
      throw new InvalidArgumentError("Give a number per hour, 'none', or onset+duration in seconds such as 120+40,900+30.");
    return { onsetS: Number(match[1]), durationS: Number(match[2]) };
  });
}

/** `usual`, `none`, rates per hour such as `blink=400,muscle=20`, or places such as `mains@60+30,pop@100+1`. */
export function parseArtefacts(text: string): NonNullable<SynthOptions['artefacts']> {
  const trimmed = text.trim();
  if (trimmed === 'usual' || trimmed === 'none') return trimmed;
  const parts = trimmed.split(',').map((part) => part.trim());
  if (parts.every((part) => part.includes('@'))) {
    return parts.map((part) => {
      const [kind = '', where = ''] = part.split('@');
      const match = placed.exec(where);
      if (match === null) throw new InvalidArgumentError(`${part}: give kind@onset+duration in seconds, such as mains@60+30.`);
      return { kind: artefactKind(kind), onsetS: Number(match[1]), durationS: Number(match[2]) };
    });
  }
  const rates: Partial<Record<ArtefactKind, number>> = {};
  for (const part of parts) {
    const match = /^([a-z-]+)=(\d+(?:\.\d+)?)$/.exec(part);
    if (match === null) throw new InvalidArgumentError(`${part}: give kind=number per hour, such as blink=400, or kind@onset+duration.`);
    rates[artefactKind(match[1] ?? '')] = Number(match[2]);
  }
  return rates;
}

/** `16` or `24`. */
export function parseBits(text: string): 16 | 24 {
  if (text === '16') return 16;
  if (text === '24') return 24;
  throw new InvalidArgumentError('Give 16 or 24.');
}

/** `50` or `60`. */
export function parseMains(text: string): 50 | 60 {
  if (text === '50') return 50;
  if (text === '60') return 60;
  throw new InvalidArgumentError('Give 50 or 60.');
}

const placed = /^(\d+(?:\.\d+)?)\+(\d+(?:\.\d+)?)$/;

function artefactKind(text: string): ArtefactKind {
  const kind = artefactKinds.find((known) => known === text);
  if (kind === undefined) throw new InvalidArgumentError(`${text}: the kinds are ${artefactKinds.join(', ')}.`);
  return kind;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
