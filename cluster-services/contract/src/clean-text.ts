/**
 * What a terminal may act on instead of showing it: control characters (C0, DEL, C1: an escape begins with one), and those that reorder,
 * hide or break what stands on a line.
 */
function isUnsafe(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code < 0xa0) ||
    code === 0xad ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff
  );
}

/** Text made safe for a terminal, on one line: every border of a terminal goes through this, whoever the text is from. */
export function cleanLine(text: string): string {
  return replaced(text, (code) => (code === 0x0a || code === 0x0d || code === 0x09 || code === 0x2028 || code === 0x2029 ? ' ' : ''));
}

/** The same for a text of our own that has several lines. */
export function cleanText(text: string): string {
  return replaced(text, (code) => (code === 0x0a || code === 0x09 ? String.fromCharCode(code) : ''));
}

/** JSON that says the same and holds nothing a terminal acts on. A line's end stays one. */
export function cleanJson(json: string): string {
  return replaced(json, (code) => (code === 0x0a ? '\n' : `\\u${code.toString(16).padStart(4, '0')}`));
}

function replaced(text: string, instead: (code: number) => string): string {
  let safe = '';
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (!isUnsafe(code)) continue;
    safe += text.slice(from, at) + instead(code);
    from = at + 1;
  }
  return from === 0 ? text : safe + text.slice(from);
}
