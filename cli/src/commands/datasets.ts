import type { AddCommand } from '../io.ts';
import { addFileCommands } from './datasets-file.ts';

/** `vitalwire datasets`: recordings in files. Each family of sub-commands has a file of its own: datasets-*.ts. */
export const addCommand: AddCommand = (program, io) => {
  const datasets = program
    .command('datasets')
    .description('recordings in files: what is in them, whether they are whole, and other formats of them')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire datasets info night.edf              what a recording holds
  vitalwire datasets validate night.edf --json   every problem of it, exit code 1 if there is one`,
    );
  addFileCommands(datasets, io);
};
