/** How many colours a terminal has; 0 = none are wanted or none are there. */
export type Colours = 0 | 8 | 16 | 256;
/** What the terminal can show. */
export type Look = { readonly unicode: boolean; readonly colours: Colours };

type Env = Readonly<Record<string, string | undefined>>;

/** From the environment: symbols and braille need a UTF-8 locale (the Linux console has no braille), and NO_COLOR means no colour. */
export function lookOf(env: Env, unicode?: boolean): Look {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return { unicode: unicode ?? (/utf-?8/i.test(locale) && env['TERM'] !== 'linux'), colours: coloursOf(env) };
}

/**
 * By the terminal's name, and never by a terminfo file: half of today's terminals have none where we look, and what stands in for it says
 * 8 colours, in which a grey is black on black.
 */
export function coloursOf(env: Env): Colours {
  const term = (env['TERM'] ?? '').toLowerCase();
  if ((env['NO_COLOR'] ?? '') !== '' || term === '' || term === 'dumb' || /^vt\d|-mono$|-m$/.test(term)) return 0;
  if (/truecolor|24bit|256/i.test(env['COLORTERM'] ?? '')) return 256;
  if (/256|direct|^tmux|kitty|alacritty|wezterm|ghostty|foot|contour|konsole|iterm|vte|gnome|rio/.test(term)) return 256;
  return /^(xterm|screen|rxvt|eterm|putty|mintty)/.test(term) ? 16 : 8;
}
