import { existsSync } from 'node:fs';
import type { Rate } from '@vitalwire/contract';
import { openSyntheticPatient, type SynthOptions, usualArtefacts, writeEdf } from '@vitalwire/datasets';
import { type Command, Option } from 'commander';
import { parseDurationMs, parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type Io, printJson, printLine } from '../io.ts';
import { parseArtefacts, parseBits, parseChannels, parseMains, parseRate, parseSeizures } from '../synth-arguments.ts';

type Flags = {
  seed: number;
  channels: NonNullable<SynthOptions['channels']>;
  rate: Rate;
  duration: number;
  seizures: NonNullable<SynthOptions['seizures']>;
  artefacts: NonNullable<SynthOptions['artefacts']>;
  bits?: 16 | 24;
  mains: 50 | 60;
  force?: boolean;
  json?: boolean;
};

const usual = Object.entries(usualArtefacts).map(([kind, perHour]) => `${kind}=${perHour}`);

/** `vitalwire datasets synth`: a synthetic patient as an EDF+ or BDF+ file. */
export function addSynthCommand(datasets: Command, io: Io): void {
  datasets
    .command('synth <file>')
    .description('make a synthetic patient: EEG with known seizures and artefacts, as EDF+ (.edf) or BDF+ (.bdf)')
    .option('--seed <n>', 'same seed and options, same bytes', parseWhole(0, 2 ** 31 - 1), 1)
    .option('--channels <which>', 'how many, chb-mit, or labels such as Fp1,F7-T7', parseChannels, 19)
    .addOption(
      new Option('--rate <hz>', 'samples per second, such as 256, 173.61 or 17361/100')
        .argParser(parseRate)
        .default({ num: 256, den: 1 }, '256'),
    )
    .addOption(new Option('--duration <time>', 'such as 90s, 10m or 1h').argParser(parseDurationMs).default(3_600_000, '1h'))
    .option('--seizures <n|places>', 'per hour, none, or onset+duration in seconds: 120+40,900+30', parseSeizures, 2)
    .option('--artefacts <which>', 'usual, none, kind=per hour, or kind@onset+duration', parseArtefacts, 'usual')
    .option('--bits <n>', '16 or 24 (default: 24 for .bdf, else 16)', parseBits)
    .option('--mains <hz>', '50 or 60', parseMains, 50)
    .option('--force', 'write over a file that is there')
    .option('--json', 'what was made as one JSON object')
    .addHelpText('after', help)
    .action((file: string, flags: Flags) => synth(io, file, flags));
}

const help = `
Examples:
  vitalwire datasets synth patient.edf
  vitalwire datasets synth chb.edf --channels chb-mit --duration 1h --seizures 3 --seed 7
  vitalwire datasets synth hum.edf --duration 2m --seizures none --artefacts mains@30+20,pop@90+1

Kinds of artefact, and how many an hour are usual: ${usual.join(', ')}.
The file says that it is synthetic: in its header, in its first annotation and in every other. It shows what software does with such
signals; it is no clinical evidence.`;

async function synth(io: Io, file: string, flags: Flags): Promise<void> {
  const format = formatOf(file);
  const bits = flags.bits ?? (format === 'bdf' ? 24 : 16);
  if (format === 'edf' && bits === 24) throw new CliError('WRONG_ARGUMENT', `${file}: EDF holds 16 bits; name it .bdf for 24`);
  if (flags.force !== true && existsSync(file))
    throw new CliError('WRONG_ARGUMENT', `${file} is there already: choose another name, or write over it with --force`);
  const source = openSyntheticPatient({
    seed: flags.seed,
    channels: flags.channels,
    rate: flags.rate,
    durationS: flags.duration / 1_000,
    seizures: flags.seizures,
    artefacts: flags.artefacts,
    bits,
    mainsHz: flags.mains,
  });
  const written = await writeEdf(file, source, { format, signal: io.signal });
  const annotations = await source.annotations();
  const seizures = annotations
    .filter(({ type }) => type === 'seizure')
    .map(({ onsetUs, durationUs }) => ({ onsetS: onsetUs / 1e6, durationS: (durationUs ?? 0) / 1e6 }));
  const channels = source.groups[0]?.channels.map(({ label }) => label) ?? [];
  const durationS = source.durationUs / 1e6;
  const { seed, rate } = flags;
  if (flags.json === true) {
    printJson(io, {
      file,
      synthetic: true,
      format: written.format,
      seed,
      channels,
      rate,
      bits,
      durationS,
      seizures,
      artefacts: annotations.length - seizures.length - 1,
      notes: written.notes,
    });
    return;
  }
  printLine(
    io,
    `${file}: synthetic, ${written.format}, ${channels.length} channels at ${rate.num / rate.den} Hz, ${durationS} s, seed ${seed}`,
  );
  for (const { onsetS, durationS: lastsS } of seizures) printLine(io, `  seizure at ${onsetS} s, ${lastsS} s long`);
  printLine(io, `  ${annotations.length - seizures.length - 1} artefacts`);
  for (const note of written.notes) printLine(io, `  ${note}`);
}

function formatOf(file: string): 'edf' | 'bdf' {
  const ending = /\.(edf|bdf)$/i.exec(file)?.[1]?.toLowerCase();
  if (ending === 'edf' || ending === 'bdf') return ending;
  throw new CliError('WRONG_ARGUMENT', `${file}: the name ends in neither .edf nor .bdf`);
}
