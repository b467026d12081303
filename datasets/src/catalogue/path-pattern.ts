/** A test for paths from a pattern: `*` and `?` inside a folder, `**` through folders; a pattern without a slash means the file's name anywhere. */
export function pathPattern(pattern: string): (path: string) => boolean {
  const whole = pattern.includes('/') ? pattern : `**/${pattern}`;
  const source = whole.replaceAll(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : `\\${part}`;
  });
  const expression = new RegExp(`^${source}$`);
  return (path) => expression.test(path);
}
