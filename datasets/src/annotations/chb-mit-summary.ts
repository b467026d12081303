import { quoted } from '../problem-list.ts';
import type { SourceAnnotation, SourceProblem } from '../signal-source.ts';
import { type AnnotationFile, byOnset, seizure } from './annotation-file.ts';

/** Reads what `chb05-summary.txt` says about one recording: seconds from its start. Null when it does not name the recording. */
export function parseChbMitSummary(text: string, file: string): AnnotationFile | null {
  const annotations: SourceAnnotation[] = [];
  const problems: SourceProblem[] = [];
  const tell = (line: number, field: string, found: string, expected: string) =>
    problems.push({ field, at: line, unit: 'line', found: quoted(found), expected });
  let named = false;
  let here = false;
  let announced: { readonly count: number; readonly line: number } | null = null;
  let open: { readonly startS: number; readonly line: number } | null = null;
  const endBlock = () => {
    if (!here) return;
    if (open !== null) tell(open.line, 'seizure', 'a start without an end', 'an end time');
    if (announced !== null && announced.count !== annotations.length) {
      tell(announced.line, 'number of seizures', String(announced.count), `${annotations.length}, as many as follow`);
    }
  };
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const [, key = '', value = ''] = /^\s*([^:]+?)\s*:\s*(.*?)\s*$/.exec(raw) ?? [];
    if (/^file name$/i.test(key)) {
      endBlock();
      here = value.toLowerCase() === file.toLowerCase();
      named ||= here;
      if (here) [announced, open] = [null, null];
    } else if (!here) {
    } else if (/^number of seizures/i.test(key)) {
      if (/^\d+$/.test(value)) announced = { count: Number(value), line };
      else tell(line, 'number of seizures', value, 'a whole number');
    } else if (/^seizure\b.*\bstart/i.test(key)) {
      const startS = secondsOf(value);
      if (open !== null) tell(open.line, 'seizure', 'a start without an end', 'an end time');
      open = startS === null ? null : { startS, line };
      if (startS === null) tell(line, 'seizure start', value, 'seconds');
    } else if (/^seizure\b.*\bend/i.test(key)) {
      const endS = secondsOf(value);
      if (endS === null) tell(line, 'seizure end', value, 'seconds');
      else if (open === null) tell(line, 'seizure end', value, 'a start before it');
      else if (endS <= open.startS) tell(line, 'seizure end', value, `more than ${open.startS}`);
      else annotations.push(seizure(open.startS, endS));
      open = null;
    }
  }
  endBlock();
  return named ? { annotations: annotations.sort(byOnset), problems } : null;
}

function secondsOf(value: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(?:s|sec|seconds?)?$/i.exec(value);
  return match === null ? null : Number(match[1]);
}
