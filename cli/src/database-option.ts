import { CliError } from './errors.ts';

/** Where readings are to be kept. For commander's options; the text may hold a password, so no message repeats it. */
export function parseDatabase(text: string): string {
  const isSqlite = /^sqlite:./.test(text);
  const isMysql = text.startsWith('mysql://') && URL.canParse(text) && new URL(text).pathname.length > 1;
  if (!isSqlite && !isMysql) throw new CliError('WRONG_ARGUMENT', '--database: give sqlite:DIR or mysql://user:password@host:port/name');
  return text;
}
