import { limits } from '@vitalwire/contract';

const utf8 = new TextEncoder();

/** A file's name, short enough to be the source of a REPLAY mark. */
export function shortName(file: string): string {
  const fits = (text: string) => utf8.encode(text).length <= limits.maxNameBytes;
  let name = file.toWellFormed();
  while (!fits(name)) name = [...name].slice(0, -1).join('');
  return name === '' ? 'recording' : name;
}
