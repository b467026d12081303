/** What the terminal can show. */
export type Look = { readonly unicode: boolean; readonly colour: boolean };

/** From the environment: symbols and braille need a UTF-8 locale (the Linux console has no braille), and NO_COLOR means no colour. */
export function lookOf(env: Readonly<Record<string, string | undefined>>, unicode?: boolean): Look {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return { unicode: unicode ?? (/utf-?8/i.test(locale) && env['TERM'] !== 'linux'), colour: (env['NO_COLOR'] ?? '') === '' };
}
