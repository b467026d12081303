import { DatasetError } from '../dataset-error.ts';
import { integerBetween, type Random, seededRandom, shuffled } from '../seeded-random.ts';
import {
  type BonnSegment,
  bonnRate,
  bonnSegmentSamples,
  bonnSegments,
  type ElectrodeKind,
  readBonnSegment,
  segmentName,
} from './segments.ts';

/** A stretch of one published segment inside a patient's sequence. */
export type Piece = BonnSegment & {
  readonly name: string; // S065
  readonly firstSample: number; // in the patient's sequence
  readonly samples: number;
  readonly firstInSegment: number; // 0 but for a shortened lead-in, which is the end of its segment
};

/** A made-up patient: a sequence of segments of several people and one electrode kind, repeated for as long as one reads. */
export type BonnPatient = {
  readonly id: string; // bonn-01
  readonly label: string;
  readonly electrodes: ElectrodeKind;
  readonly rate: { readonly num: number; readonly den: number };
  readonly pieces: readonly Piece[];
  readonly loopSamples: number; // the sequence starts again here, with a 'replay-loop' event
};

/** A stretch known to be a seizure, in samples since the start; `toSample` is not in it. */
export type TruthInterval = { readonly fromSample: number; readonly toSample: number; readonly segment: string };

/** Something that replay announces as an event record, at its sample. */
export type BonnEvent = {
  readonly atSample: number;
  readonly durationSamples: number | null;
  readonly type: 'segment' | 'seizure' | 'replay-loop';
  readonly text: string;
};

export type AssembleOptions = {
  readonly patients: number;
  readonly seed: number;
  readonly fromSegment?: number;
  readonly toSegment?: number;
};

/** What every assembled recording must be called wherever it is shown. */
export const assembledLabel = "assembled from several people's segments";

/** Every fourth patient has scalp segments (Z, O), which hold no seizure; the others intracranial ones (N, F, S). */
const SCALP_EVERY = 4;
// The first seizure starts between these seconds: late enough for a quiet screen first, inside the first 20 s.
const FIRST_ONSET_S = { from: 7, to: 16 } as const;
const QUIET_BETWEEN = { from: 2, to: 4 } as const; // whole non-ictal segments between two ictal ones
const SEIZURES_PER_LOOP = 4;
const SCALP_SEGMENTS_PER_LOOP = 16;

/**
 * Made-up patients from the held-out segments (065-080 unless said otherwise), the same for the same seed.
 * An intracranial patient begins with the end of a non-ictal segment, so that a whole ictal segment starts in the first 20 s.
 */
export function assembleBonnPatients(options: AssembleOptions): BonnPatient[] {
  const from = options.fromSegment ?? 65;
  const to = options.toSegment ?? 80;
  if (bonnSegments(from, to).length === 0) throw new DatasetError('SEGMENT_UNKNOWN', `segments ${from}-${to}`);
  // Dealt out once, so that the first seizures of up to 16 patients are different ones.
  const firstIctal = shuffled(bonnSegments(from, to, ['S']), seededRandom(options.seed, 0xfeed));
  return Array.from({ length: options.patients }, (_, index) => {
    const random = seededRandom(options.seed, index);
    const scalp = index % SCALP_EVERY === SCALP_EVERY - 1;
    const first = firstIctal[index % firstIctal.length];
    const pieces = scalp || first === undefined ? scalpPieces(from, to, random) : intracranialPieces(from, to, first, random);
    return {
      id: `bonn-${String(index + 1).padStart(2, '0')}`,
      label: `Bonn ${index + 1}, ${assembledLabel}`,
      electrodes: scalp ? ('scalp' as const) : ('intracranial' as const),
      rate: bonnRate,
      pieces,
      loopSamples: pieces.reduce((sum, piece) => sum + piece.samples, 0),
    };
  });
}

/** `count` samples of a patient from sample `fromSample` on, however often the sequence has to be repeated. */
export function samplesAt(patient: BonnPatient, fromSample: number, count: number): Int16Array {
  const samples = new Int16Array(count);
  let filled = 0;
  while (filled < count) {
    const inLoop = (fromSample + filled) % patient.loopSamples;
    const piece = pieceAt(patient, inLoop);
    const skip = inLoop - piece.firstSample;
    const take = Math.min(count - filled, piece.samples - skip);
    const source = readPiece(piece);
    samples.set(source.subarray(piece.firstInSegment + skip, piece.firstInSegment + skip + take), filled);
    filled += take;
  }
  return samples;
}

/** Every seizure that begins before `untilSample`, in order; whole, even where it reaches beyond. */
export function truthIntervals(patient: BonnPatient, untilSample: number): TruthInterval[] {
  return piecesBetween(patient, 0, untilSample)
    .filter(({ piece }) => piece.ictal)
    .map(({ piece, firstSample }) => ({ fromSample: firstSample, toSample: firstSample + piece.samples, segment: piece.name }));
}

/** Where one segment meets the next, before `untilSample`: the signal jumps there, and no tissue did that. */
export function seams(patient: BonnPatient, untilSample: number): number[] {
  return piecesBetween(patient, 0, untilSample)
    .map(({ firstSample }) => firstSample)
    .filter((sample) => sample > 0);
}

/** The events that belong to samples `fromSample` to `toSample` (not included), in order of time. */
export function bonnEvents(patient: BonnPatient, fromSample: number, toSample: number): BonnEvent[] {
  return piecesBetween(patient, fromSample, toSample).flatMap(({ piece, firstSample }) => {
    const place = { atSample: firstSample, durationSamples: piece.samples };
    const events: BonnEvent[] = [];
    if (firstSample > 0 && piece.firstSample === 0) {
      events.push({ atSample: firstSample, durationSamples: null, type: 'replay-loop', text: 'the sequence starts again' });
    }
    events.push({ ...place, type: 'segment', text: piece.name });
    if (piece.ictal) events.push({ ...place, type: 'seizure', text: `${piece.name}, ictal as published` });
    return events;
  });
}

function scalpPieces(from: number, to: number, random: Random): Piece[] {
  const segments = shuffled(bonnSegments(from, to, ['Z', 'O']), random).slice(0, SCALP_SEGMENTS_PER_LOOP);
  return chain(segments.map((segment) => ({ segment, firstInSegment: 0 })));
}

function intracranialPieces(from: number, to: number, firstIctal: BonnSegment, random: Random): Piece[] {
  const quiet = shuffled(bonnSegments(from, to, ['N', 'F']), random);
  const ictal = [firstIctal, ...shuffled(bonnSegments(from, to, ['S']), random).filter((segment) => segment.number !== firstIctal.number)];
  const onset = integerBetween(seconds(FIRST_ONSET_S.from), seconds(FIRST_ONSET_S.to), random);
  const parts: { segment: BonnSegment; firstInSegment: number }[] = [];
  for (let seizure = 0; seizure < Math.min(SEIZURES_PER_LOOP, ictal.length); seizure++) {
    const lead = seizure === 0 ? 1 : integerBetween(QUIET_BETWEEN.from, QUIET_BETWEEN.to, random);
    for (const segment of quiet.splice(0, lead)) parts.push({ segment, firstInSegment: seizure === 0 ? bonnSegmentSamples - onset : 0 });
    const segment = ictal[seizure];
    if (segment !== undefined) parts.push({ segment, firstInSegment: 0 });
  }
  for (const segment of quiet.splice(0, QUIET_BETWEEN.from)) parts.push({ segment, firstInSegment: 0 }); // so that a loop never joins two seizures
  return chain(parts);
}

function chain(parts: readonly { segment: BonnSegment; firstInSegment: number }[]): Piece[] {
  let firstSample = 0;
  return parts.map(({ segment, firstInSegment }) => {
    const samples = bonnSegmentSamples - firstInSegment;
    const piece = { ...segment, name: segmentName(segment.set, segment.number), firstSample, samples, firstInSegment };
    firstSample += samples;
    return piece;
  });
}

/** Pieces that begin at or after `fromSample` and before `untilSample`, counted through all repeats. */
function piecesBetween(patient: BonnPatient, fromSample: number, untilSample: number): { piece: Piece; firstSample: number }[] {
  const found: { piece: Piece; firstSample: number }[] = [];
  for (let loop = Math.floor(fromSample / patient.loopSamples); loop * patient.loopSamples < untilSample; loop++) {
    for (const piece of patient.pieces) {
      const firstSample = loop * patient.loopSamples + piece.firstSample;
      if (firstSample >= fromSample && firstSample < untilSample) found.push({ piece, firstSample });
    }
  }
  return found;
}

function pieceAt(patient: BonnPatient, sampleInLoop: number): Piece {
  const piece = patient.pieces.findLast((candidate) => candidate.firstSample <= sampleInLoop);
  if (piece === undefined) throw new RangeError(`sample ${sampleInLoop} is outside the loop of ${patient.id}`);
  return piece;
}

const parsed = new Map<string, Int16Array>(); // at most 400 segments of 8 KB

function readPiece(piece: Piece): Int16Array {
  const known = parsed.get(piece.name) ?? readBonnSegment(piece.set, piece.number);
  parsed.set(piece.name, known);
  return known;
}

function seconds(count: number): number {
  return Math.floor((count * bonnRate.num) / bonnRate.den);
}
