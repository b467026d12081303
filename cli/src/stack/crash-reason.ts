/** How a process ended, with the last lines it wrote to stderr. */
export type Exit = { readonly code: number | null; readonly signal: string | null; readonly lastLines: readonly string[] };

const LONGEST_REASON = 300;

/** `exit code 1: SQLITE_FULL …`, `SIGKILL`: why a child is gone, in one line for a person. */
export function crashReason(exit: Exit): string {
  const how = exit.signal ?? `exit code ${exit.code ?? 'unknown'}`;
  const said = exit.lastLines.findLast(isTelling);
  if (said === undefined) return how;
  // A signal comes from outside: what was said before it is a hint, not the reason.
  return exit.signal === null ? `${how}: ${shorten(textOf(said))}` : `${how} (last said: ${shorten(textOf(said))})`;
}

// Node ends an uncaught error with a blank line and its own version, after the stack: none of it says what happened.
function isTelling(line: string): boolean {
  const text = line.trim();
  return (
    text !== '' &&
    !/^Node\.js v\d/.test(text) &&
    !text.startsWith('at ') &&
    !/^[{}[\]^]+$/.test(text) &&
    !/^\w+: (undefined|null|'.*'),?$/.test(text)
  );
}

/** A line of our JSON log says it in `msg` and `err`; any other line says it as it is. */
function textOf(line: string): string {
  const text = line.trim().replace(/^vitalwire: /, '');
  if (!text.startsWith('{')) return text;
  try {
    const entry: unknown = JSON.parse(text);
    if (typeof entry !== 'object' || entry === null || !('msg' in entry) || typeof entry.msg !== 'string') return text;
    const error =
      'err' in entry && typeof entry.err === 'object' && entry.err !== null && 'message' in entry.err ? entry.err.message : undefined;
    return typeof error === 'string' && error !== entry.msg ? `${entry.msg}: ${error}` : entry.msg;
  } catch {
    return text;
  }
}

function shorten(text: string): string {
  return text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON)}…`;
}
