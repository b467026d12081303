/** A path that stays inside the directory it is joined to, on any system: relative, forward slashes, no `..`, nothing empty. */
export function isSafePath(path: string): boolean {
  if (path.length === 0 || path.length > 500 || /[\\:\p{Cc}]/u.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && part !== '__proto__' && !part.endsWith('.part'));
}
