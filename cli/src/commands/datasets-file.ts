import type { Command } from 'commander';
import type { Io } from '../io.ts';

/** The sub-commands of `vitalwire datasets` about one file. */
export function addFileCommands(_datasets: Command, _io: Io): void {}
