import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SignalSource, SourceAnnotation, SourceProblem } from '../signal-source.ts';
import { type AnnotationFile, byOnset, type Recording } from './annotation-file.ts';
import { parseChbMitSummary } from './chb-mit-summary.ts';
import { parseMitAnnotations } from './mit-annotations.ts';
import { parseSienaList } from './siena-list.ts';
import { parseEventsTsv } from './szcore-tsv.ts';

/** Larger than any file of annotations. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Two files that tell of the same seizure may differ by this much. */
const SAME_US = 1_000_000;

type SideCar = { readonly name: string; readonly parse: (bytes: Uint8Array, recording: Recording) => AnnotationFile | null };

/** Joins the annotation files that stand beside a recording into its annotations; what is wrong in them goes to its problems. */
export async function withSideCars(path: string, source: SignalSource): Promise<SignalSource> {
  const file = basename(path);
  const [group] = source.groups;
  const recording: Recording = {
    file,
    startedAtUs: source.startedAtUs,
    durationUs: source.durationUs,
    rateHz: group === undefined ? null : group.rate.num / group.rate.den,
    labels: source.groups.flatMap(({ channels }) => channels.map(({ label }) => label)),
  };
  let annotations: readonly SourceAnnotation[] = await source.annotations();
  const problems: SourceProblem[] = [...source.problems];
  let found = 0;
  for (const { name, parse } of await sideCarsOf(dirname(path), file)) {
    const read = await readSideCar(join(dirname(path), name), parse, recording);
    if (read === null) continue;
    found += 1;
    annotations = joinSeizures(annotations, read.annotations);
    for (const problem of read.problems) problems.push({ ...problem, field: `${name}, ${problem.field}` });
  }
  return found === 0 ? source : joined(source, annotations, problems);
}

async function sideCarsOf(folder: string, file: string): Promise<SideCar[]> {
  const stem = file.replace(/\.[^.]+$/, '');
  const events = [`${stem}_events.tsv`, `${stem.replace(/_(?:eeg|ieeg)$/, '')}_events.tsv`, `${stem}.tsv`];
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return (await readdir(folder)).sort().flatMap((name): SideCar[] => {
    if (events.includes(name)) return [{ name, parse: (bytes) => parseEventsTsv(text(bytes)) }];
    if (name === `${file}.seizures`) return [{ name, parse: parseMitAnnotations }];
    if (/-summary\.txt$/i.test(name)) return [{ name, parse: (bytes) => parseChbMitSummary(text(bytes), file) }];
    if (/^seizures-list-.*\.txt$/i.test(name)) return [{ name, parse: (bytes, recording) => parseSienaList(text(bytes), recording) }];
    return [];
  });
}

async function readSideCar(path: string, parse: SideCar['parse'], recording: Recording): Promise<AnnotationFile | null> {
  const problem = (found: string, expected: string): AnnotationFile => ({
    annotations: [],
    problems: [{ field: 'file', at: null, unit: null, found, expected }],
  });
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) return problem(`${size} bytes; it is not read`, `at most ${MAX_BYTES}`);
    return parse(await readFile(path), recording);
  } catch (error) {
    return problem(error instanceof Error ? error.message : String(error), 'a file we may read');
  }
}

/** A seizure that two files tell of is one. */
function joinSeizures(known: readonly SourceAnnotation[], more: readonly SourceAnnotation[]): SourceAnnotation[] {
  const isKnown = (one: SourceAnnotation) =>
    known.some((other) => one.type === 'seizure' && other.type === 'seizure' && isSame(one, other));
  return [...known, ...more.filter((one) => !isKnown(one))].sort(byOnset);
}

function isSame(a: SourceAnnotation, b: SourceAnnotation): boolean {
  return Math.abs(a.onsetUs - b.onsetUs) <= SAME_US && Math.abs((a.durationUs ?? 0) - (b.durationUs ?? 0)) <= 2 * SAME_US;
}

function joined(source: SignalSource, annotations: readonly SourceAnnotation[], problems: readonly SourceProblem[]): SignalSource {
  return {
    name: source.name,
    synthetic: source.synthetic,
    startedAtUs: source.startedAtUs,
    durationUs: source.durationUs,
    groups: source.groups,
    vitals: source.vitals,
    problems,
    read: (...wanted) => source.read(...wanted),
    annotations: () => Promise.resolve(annotations),
    numeric: (...wanted) => source.numeric(...wanted),
    close: () => source.close(),
  };
}
