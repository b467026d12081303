const utf8 = new TextEncoder();

/** Text as the wire takes it: well-formed, and no longer than so many bytes. */
export function clipped(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  if (utf8.encode(whole).length <= maxBytes) return whole;
  let kept = '';
  let bytes = 0;
  for (const character of whole) {
    bytes += utf8.encode(character).length;
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}
