import { InvalidArgumentError } from 'commander';

/** Where readings are to be kept. For commander's options. */
export function parseDatabase(text: string): string {
  if (!/^(sqlite:.+|mysql:\/\/.+)$/.test(text)) throw new InvalidArgumentError('Give sqlite:DIR or mysql://user:password@host:port/name.');
  return text;
}
