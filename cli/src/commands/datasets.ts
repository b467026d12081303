import type { AddCommand } from '../io.ts';
import { addCatalogueCommands } from './datasets-catalogue.ts';
import { addConvertCommand } from './datasets-convert.ts';
import { addFileCommands } from './datasets-file.ts';
import { addSynthCommand } from './datasets-synth.ts';

/** `vitalwire datasets`: recordings in files. Each family of sub-commands has a file of its own: datasets-*.ts. */
export const addCommand: AddCommand = (program, io) => {
  const datasets = program
    .command('datasets')
    .description('recordings: what is in a file, collections to fetch, and synthetic ones')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire datasets info night.edf              what a recording holds
  vitalwire datasets validate night.edf --json   every problem of it, exit code 1 if there is one
  vitalwire datasets convert night.bdf night.csv
  vitalwire datasets list                        collections known by name
  vitalwire datasets fetch chb-mit --files 'chb01/*'
  vitalwire datasets synth patient.edf           a made-up patient with known seizures`,
    );
  addFileCommands(datasets, io);
  addConvertCommand(datasets, io);
  addCatalogueCommands(datasets, io);
  addSynthCommand(datasets, io);
};
