import type { OpenOptions } from '@vitalwire/datasets';
import type { Command } from 'commander';

/** How a file is read that does not say everything itself; the same for every command that takes one. */
export type ReadOptions = { sideCars?: boolean };

export function addReadOptions(command: Command): Command {
  return command.option('--no-side-cars', 'do not join the annotation files that stand beside it');
}

export function readOptionsOf(options: ReadOptions): OpenOptions {
  return { sideCars: options.sideCars ?? true };
}
