import { quoted } from '../problem-list.ts';
import type { SourceAnnotation, SourceProblem } from '../signal-source.ts';
import { type AnnotationFile, byOnset, type Recording, seizure } from './annotation-file.ts';

const DAY_S = 86_400;
const HOUR_S = 3_600;

/** The header of a file and the registration time of the list may differ by so much before it is told. */
const CLOCK_TOLERANCE_S = 1;

type Clock = { readonly secondOfDay: number; readonly line: number; readonly text: string };
type Block = Partial<Record<'registrationStart' | 'registrationEnd' | 'start' | 'end', Clock | undefined>> & { file?: string | undefined };

/**
 * Reads what `Seizures-list-PN00.txt` says about one recording. Its times are of the clock on the wall and count from the start of the
 * registration; the mistakes such lists have are read around where that is safe, and always told. Null when it does not name the recording.
 */
export function parseSienaList(text: string, recording: Recording): AnnotationFile | null {
  const problems: SourceProblem[] = [];
  const tell = (line: number, field: string, found: string, expected: string) =>
    problems.push({ field, at: line, unit: 'line', found: quoted(found), expected });
  const blocks = readBlocks(text, tell, recording.labels);
  const mine = blocks.filter(({ file }) => sameFile(file, recording.file));
  if (mine.length === 0) return null;
  const annotations: SourceAnnotation[] = [];
  for (const block of mine) {
    if (block.start === undefined) continue;
    const registration = block.registrationStart;
    if (registration === undefined) {
      tell(block.start.line, 'seizure start', block.start.text, 'a registration start time before it');
      continue;
    }
    tellOtherClock(recording, registration, tell);
    const startS = since(registration, block.start);
    const endS = endOf(block, registration, startS, tell);
    annotations.push(seizure(startS, endS));
  }
  return { annotations: annotations.sort(byOnset), problems: onceEach(problems) };
}

type Tell = (line: number, field: string, found: string, expected: string) => void;

/** One block per seizure. What a later block leaves out (file, registration) is that of the block before. */
function readBlocks(text: string, tell: Tell, labels: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let block: Block = {};
  let dotted = false;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    if (/^\s*seizure\s+n/i.test(raw)) {
      const { file, registrationStart, registrationEnd } = block;
      block = { file, registrationStart, registrationEnd };
      blocks.push(block);
      continue;
    }
    const [, key = '', value = ''] = /^\s*([^:]+?)\s*:\s*(.*?)\s*$/.exec(raw) ?? [];
    const channel = /^channel (\d+)$/i.exec(key);
    if (channel !== null && /^\d+$/.test(value)) {
      const here = labels[Number(channel[1]) - 1];
      tell(
        line,
        `channel ${channel[1]}`,
        value,
        here === undefined ? 'an electrode' : `an electrode; the recording calls it ${quoted(here)}`,
      );
    }
    if (/^file name$/i.test(key)) block.file = value;
    const field = fieldOf(key);
    if (field === null) continue;
    const clock = clockOf(value, line);
    if (clock === null) tell(line, key.toLowerCase(), value, 'a time such as 19:39:33');
    else block[field] = clock;
    if (clock !== null && !dotted && value.includes('.')) {
      dotted = true;
      tell(line, 'times', value, 'colons: 19:39:33; all times of the list are read with points');
    }
  }
  return blocks;
}

function fieldOf(key: string): 'registrationStart' | 'registrationEnd' | 'start' | 'end' | null {
  const which = /\bstart\b/i.test(key) ? 'start' : /\bend\b/i.test(key) ? 'end' : null;
  if (which === null || !/\btime\b/i.test(key)) return null;
  if (/registration/i.test(key)) return which === 'start' ? 'registrationStart' : 'registrationEnd';
  return which;
}

function clockOf(text: string, line: number): Clock | null {
  const parts = /^(\d{1,2})\s*[.:]\s*(\d{1,2})\s*[.:]\s*(\d{1,2})$/.exec(text)?.slice(1).map(Number);
  const [hour = 0, minute = 0, second = 0] = parts ?? [];
  if (parts === undefined || hour > 23 || minute > 59 || second > 59) return null;
  return { secondOfDay: hour * HOUR_S + minute * 60 + second, line, text };
}

/** Seconds after the registration began; past midnight the clock has started again. */
function since(registration: Clock, clock: Clock): number {
  return (clock.secondOfDay - registration.secondOfDay + DAY_S) % DAY_S;
}

/** An end before the start or after the registration is a mistake; one hour less is the one these lists are known for. */
function endOf(block: Block, registration: Clock, startS: number, tell: Tell): number | null {
  const { end, registrationEnd } = block;
  if (end === undefined) {
    tell(block.start?.line ?? 0, 'seizure end', 'no end', 'an end time');
    return null;
  }
  const lastS = registrationEnd === undefined ? DAY_S : since(registration, registrationEnd);
  const endS = since(registration, end);
  if (endS > startS && endS <= lastS) return endS;
  const why = `an end after the start ${block.start?.text ?? ''} and not after the registration's end ${registrationEnd?.text ?? ''}`;
  const hourLess = endS - HOUR_S;
  if (hourLess > startS && hourLess <= lastS) {
    tell(end.line, 'seizure end', end.text, `${why}; read as one hour earlier`);
    return hourLess;
  }
  tell(end.line, 'seizure end', end.text, `${why}; read as not known`);
  return null;
}

function tellOtherClock({ startedAtUs, file }: Recording, registration: Clock, tell: Tell): void {
  if (startedAtUs === null) return;
  const headerS = Math.floor(startedAtUs / 1e6) % DAY_S;
  const apart = Math.abs(headerS - registration.secondOfDay);
  if (Math.min(apart, DAY_S - apart) <= CLOCK_TOLERANCE_S) return;
  const header = new Date(headerS * 1000).toISOString().slice(11, 19);
  tell(registration.line, 'registration start time', registration.text, `${header}, as the header of ${file} says`);
}

/** Lists write `PN00-1.edf`, and `PN11-.edf` or a name without its ending. */
function sameFile(named: string | undefined, file: string): boolean {
  const plain = (name: string) =>
    name
      .toLowerCase()
      .replace(/\.edf$/, '')
      .replace(/[\s-]+$/, '');
  return named !== undefined && plain(named) === plain(file);
}

function onceEach(problems: readonly SourceProblem[]): SourceProblem[] {
  return [...new Map(problems.map((one) => [`${one.at} ${one.field}`, one])).values()];
}
