import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { hasMitBeats } from '@vitalwire/datasets';
import { CliError } from '../errors.ts';
import { demoPatient } from './demo-patients.ts';
import { fileSpec, type SourceSpec, SynthSettings } from './source-spec.ts';

export type SourceChoice = {
  readonly words: readonly string[]; // as typed: synth, demo, bonn, or files and folders
  readonly patients: number | undefined;
  readonly seed: number;
  readonly synth: Readonly<Record<string, unknown>>;
  readonly endS: number | undefined; // how much of a source is played at most, since its start
};

const builtInWords = ['synth', 'demo', 'bonn'] as const;
type BuiltIn = (typeof builtInWords)[number];
const usualPatients: Readonly<Record<BuiltIn, number>> = { synth: 1, demo: 8, bonn: 8 };
const SYNTH_S = 3_600;
const MOST_FILES = 99;
/** Patients of one replay: what one process can send at 1x. */
export const maxPatients = 500;
const readable = /\.(edf|bdf|txt|csv|tsv|rec)$/i;

/** One specification for each patient that the command line asks for. */
export async function chooseSources({ words, patients, seed, synth, endS }: SourceChoice): Promise<SourceSpec[]> {
  const builtIn = words.filter(isBuiltIn);
  if (builtIn.length > 0) {
    const odd = words.find((word, index) => !isBuiltIn(word) || words.indexOf(word) !== index);
    if (odd !== undefined)
      throw new CliError(
        'WRONG_ARGUMENT',
        `'${builtIn[0]}' does not go with '${odd}': built-in sources stand alone or beside each other (a file of that name is ./${builtIn[0]})`,
      );
    const count = patients ?? builtIn.reduce((most, word) => Math.max(most, usualPatients[word]), 0);
    return builtIn.flatMap((word, index) => {
      // Dealt out evenly; the first named take what does not divide.
      const share = Math.floor((count + builtIn.length - 1 - index) / builtIn.length);
      return Array.from({ length: share }, (_, patient) => builtInSpec(word, patient, share, { seed, synth, endS }));
    });
  }
  const files = (await Promise.all(words.map(filesIn))).flat();
  if (patients === undefined && files.length > MOST_FILES)
    throw new CliError('WRONG_ARGUMENT', `${files.length} files would be as many patients; name fewer, or take the first with --patients`);
  const wanted = files.slice(0, patients ?? files.length);
  const specs: SourceSpec[] = [];
  for (const file of wanted) specs.push(await fileSpec(file));
  return Array.from({ length: patients ?? specs.length }, (_, index) => specs[index % specs.length] as SourceSpec);
}

function isBuiltIn(word: string): word is BuiltIn {
  return builtInWords.some((one) => one === word);
}

function builtInSpec(
  word: BuiltIn,
  index: number,
  patients: number,
  { seed, synth, endS }: Pick<SourceChoice, 'seed' | 'synth' | 'endS'>,
): SourceSpec {
  if (word === 'bonn') return { kind: 'bonn', seed, patients, index, heart: hasMitBeats() ? 'mitdb' : 'synthetic' };
  if (word === 'demo') return { kind: 'synth', settings: demoPatient(seed, index) };
  const settings = SynthSettings.safeParse({ durationS: endS ?? SYNTH_S, ...synth, seed: seed + index });
  if (settings.success) return { kind: 'synth', settings: settings.data };
  const { path: at = [], message = '' } = settings.error.issues[0] ?? {};
  throw new CliError('WRONG_ARGUMENT', `--synth: ${at.map(String).join('.')}: ${message}`);
}

/** A file, or every recording of a folder in order of name. */
async function filesIn(word: string): Promise<string[]> {
  const found = await stat(word).catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const why =
      code === 'ENOENT' ? 'there is no such file, and the built-in sources are synth, demo and bonn' : `it cannot be read (${code})`;
    throw new CliError('WRONG_ARGUMENT', `'${word}': ${why}`, { cause });
  });
  if (!found.isDirectory()) return [word];
  const names = (await readdir(word)).filter((name) => readable.test(name)).sort();
  if (names.length === 0) throw new CliError('WRONG_ARGUMENT', `'${word}' holds no recording (.edf, .bdf, .txt, .csv)`);
  return names.map((name) => path.join(word, name));
}

/** `channels=23,rate=256,bits=16` as settings of a synthetic patient. */
export function parseSynth(text: string): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const match = /^\s*([A-Za-z]+)\s*=\s*(\S+)\s*$/.exec(part);
    if (match === null) throw new CliError('WRONG_ARGUMENT', `--synth: '${part.trim()}' is no setting; write channels=23,rate=256`);
    const [, name = '', value = ''] = match;
    if (name === 'rate') settings['rate'] = parseRate(value);
    else settings[name] = Number.isNaN(Number(value)) ? value : Number(value);
  }
  return settings;
}

function parseRate(text: string): { num: number; den: number } {
  const [num = Number.NaN, den = 1] = text.split('/').map(Number);
  return { num, den };
}
