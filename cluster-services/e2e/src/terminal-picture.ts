/** Colours 0 to 15 of a dark terminal, as most have them. */
const palette = [
  '#15181c', '#d7504d', '#5fb56b', '#d6a84b', '#5b8fd9', '#b277c9', '#4fb3bf', '#c9ced6',
  '#5c6570', '#ff6b67', '#7fd68b', '#f4c867', '#82b1ff', '#d59be8', '#7fdbe6', '#ffffff',
] as const; // biome-ignore format: eight in a row
const BACKGROUND = '#0b0d10';
const FOREGROUND = '#c9ced6';

const ESC = String.fromCharCode(27);
const SGR = new RegExp(`(${ESC}\\[[0-9;]*m)`);

type Look = { fg: string | null; bg: string | null; isBold: boolean; isInverse: boolean; isUnderlined: boolean };

/** What tmux captured of a terminal (`capture-pane -e -p`) as a page that shows the same letters in the same colours. */
export function terminalPage(captured: string, title: string): string {
  const look: Look = { fg: null, bg: null, isBold: false, isInverse: false, isUnderlined: false };
  const spans = captured
    .trimEnd()
    .split(SGR)
    .map((part) => {
      const codes = part.startsWith(ESC) ? part.slice(2, -1) : null;
      if (codes === null) return part === '' ? '' : `<span style="${styleOf(look)}">${inCells(escaped(part))}</span>`;
      apply(look, codes.split(';').map(Number));
      return '';
    });
  return `<!doctype html><meta charset="utf-8"><title>${escaped(title)}</title><style>
    body { margin: 0; background: ${BACKGROUND}; }
    pre { display: inline-block; margin: 0; padding: 14px 16px; font: 14px/17px 'DejaVu Sans Mono', monospace; color: ${FOREGROUND}; }
    b { display: inline-block; width: 1ch; height: 17px; overflow: hidden; vertical-align: bottom; font-weight: normal; }
  </style><pre>${spans.join('')}</pre>`;
}

function styleOf({ fg, bg, isBold, isInverse, isUnderlined }: Look): string {
  const [letters, ground] = isInverse ? [bg ?? BACKGROUND, fg ?? FOREGROUND] : [fg ?? FOREGROUND, bg];
  return [
    `color:${letters}`,
    ...(ground === null ? [] : [`background:${ground}`]),
    ...(isBold ? ['font-weight:bold'] : []),
    ...(isUnderlined ? ['text-decoration:underline'] : []),
  ].join(';');
}

function apply(look: Look, codes: number[]): void {
  for (let code = codes.shift(); code !== undefined; code = codes.shift()) {
    if (code === 0) Object.assign(look, { fg: null, bg: null, isBold: false, isInverse: false, isUnderlined: false });
    else if (code === 1) look.isBold = true;
    else if (code === 4) look.isUnderlined = true;
    else if (code === 7) look.isInverse = true;
    else if (code === 22) look.isBold = false;
    else if (code === 24) look.isUnderlined = false;
    else if (code === 27) look.isInverse = false;
    else if (code === 38) look.fg = extended(codes);
    else if (code === 39) look.fg = null;
    else if (code === 48) look.bg = extended(codes);
    else if (code === 49) look.bg = null;
    else if (code >= 30 && code <= 37) look.fg = indexed(code - 30);
    else if (code >= 40 && code <= 47) look.bg = indexed(code - 40);
    else if (code >= 90 && code <= 97) look.fg = indexed(code - 82);
    else if (code >= 100 && code <= 107) look.bg = indexed(code - 92);
  }
}

/** What follows 38 or 48: one of 256 colours, or red, green and blue. */
function extended(codes: number[]): string {
  if (codes.shift() === 5) return indexed(codes.shift() ?? 0);
  const [red = 0, green = 0, blue = 0] = codes.splice(0, 3);
  return `rgb(${red},${green},${blue})`;
}

function indexed(index: number): string {
  const named = palette[index];
  if (named !== undefined) return named;
  if (index >= 232)
    return `rgb(${Array(3)
      .fill((index - 232) * 10 + 8)
      .join(',')})`;
  const level = (step: number) => (step === 0 ? 0 : 55 + 40 * step);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))},${level(Math.floor(cube / 6) % 6)},${level(cube % 6)})`;
}

/** Dots of braille come from another font, whose letters have another width. */
function inCells(text: string): string {
  return text.replace(/[\u2800-\u28ff]/g, '<b>$&</b>');
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
