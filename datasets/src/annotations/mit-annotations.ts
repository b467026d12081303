import type { SourceAnnotation, SourceProblem } from '../signal-source.ts';
import { type AnnotationFile, type Recording, seizure } from './annotation-file.ts';

// The annotation format of the MIT-BIH databases (WFDB manual, annot(5)), in which CHB-MIT keeps its `.edf.seizures` files: pairs of
// bytes, little-endian; the upper six bits are a code, the lower ten the time since the annotation before, in samples.
const SKIP = 59; // four bytes of time follow: the upper 16 bits, then the lower
const NUM = 60;
const SUB = 61;
const CHN = 62;
const AUX = 63; // so many bytes of text follow, one more when the number is odd
const NOTE = 22;
const ONSET = 32; // shown as [
const END = 33; // shown as ]

/** One annotation: when, in samples since the start, which code, and at which byte. */
export type Mark = { readonly sample: number; readonly code: number; readonly at: number };

/** Reads seizures from the pairs of [ and ] of a `.seizures` file. */
export function parseMitAnnotations(bytes: Uint8Array, recording: Pick<Recording, 'rateHz'>): AnnotationFile {
  const problems: SourceProblem[] = [];
  const { marks, resolution } = readMarks(bytes, problems);
  const perSecond = resolution ?? recording.rateHz;
  const annotations: SourceAnnotation[] = [];
  const tell = (at: number, found: string, expected: string) => problems.push({ field: 'seizure', at, unit: 'byte', found, expected });
  if (perSecond === null || !(perSecond > 0)) {
    tell(0, 'times without a resolution', 'a recording with a rate beside the file');
    return { annotations, problems };
  }
  let open: Mark | null = null;
  for (const mark of marks) {
    if (mark.code === ONSET) {
      if (open !== null) tell(open.at, 'a start without an end', 'an end');
      open = mark;
    } else if (mark.code === END) {
      if (open === null) tell(mark.at, 'an end without a start', 'a start before it');
      else if (mark.sample <= open.sample) tell(mark.at, `an end at sample ${mark.sample}`, `after the start at ${open.sample}`);
      else annotations.push(seizure(open.sample / perSecond, mark.sample / perSecond));
      open = null;
    }
  }
  if (open !== null) tell(open.at, 'a start without an end', 'an end');
  return { annotations, problems };
}

/** Every annotation of such a file in its order, and the time resolution if it names one. */
export function readMarks(bytes: Uint8Array, problems: SourceProblem[]): { marks: Mark[]; resolution: number | null } {
  const marks: Mark[] = [];
  let resolution: number | null = null;
  let sample = 0;
  let last = -1; // the code an AUX belongs to
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cut = (at: number, found: string) =>
    problems.push({ field: 'annotations', at, unit: 'byte', found, expected: 'two zero bytes at the end' });
  let at = 0;
  for (;;) {
    if (at + 2 > bytes.length) {
      cut(at, 'the end of the file');
      return { marks, resolution };
    }
    const word = view.getUint16(at, true);
    const [code, value] = [word >> 10, word & 0x3ff];
    const start = at;
    at += 2;
    if (word === 0) return { marks, resolution };
    if (code === SKIP) {
      if (at + 4 > bytes.length) {
        cut(at, 'the end of the file inside a time');
        return { marks, resolution };
      }
      sample += (view.getInt16(at, true) << 16) | view.getUint16(at + 2, true);
      at += 4;
    } else if (code === AUX) {
      const text = latin1.decode(bytes.subarray(at, at + value));
      const told = /^## time resolution: ([\d.]+)/.exec(text);
      if (last === NOTE && told !== null) resolution = Number(told[1]);
      at += value + (value % 2);
    } else if (code !== NUM && code !== SUB && code !== CHN) {
      sample += value;
      last = code;
      if (code !== 0 && code !== NOTE) marks.push({ sample, code, at: start });
    }
  }
}

const latin1 = new TextDecoder('latin1');
