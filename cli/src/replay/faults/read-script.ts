import { readFileSync } from 'node:fs';
import { isMap, isNode, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { CliError } from '../../errors.ts';
import { type FaultScript, WrittenScript } from './fault-script.ts';

const MOST_BYTES = 1_000_000;
const MOST_PROBLEMS = 8;

/** Reads a fault script from its file; an error names every problem with its line. */
export function readFaultScript(file: string): FaultScript {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CliError('WRONG_ARGUMENT', `--faults: ${file} cannot be read (${code})`, { cause });
  }
  return parseFaultScript(text, file);
}

export function parseFaultScript(text: string, file: string): FaultScript {
  if (text.length > MOST_BYTES) throw new CliError('WRONG_ARGUMENT', `--faults: ${file} is longer than ${MOST_BYTES} characters`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const broken = document.errors[0];
  if (broken !== undefined) throw problem([`${file}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`]);
  const checked = WrittenScript.safeParse(document.toJS({ maxAliasCount: 0 }));
  if (checked.success) return checked.data;
  const found = checked.error.issues.map((issue) => {
    const { line, place } = locate(document.contents, issue, lines);
    return `${file}:${line}: ${place}${issue.message}`;
  });
  throw problem(found);
}

function problem(found: readonly string[]): CliError {
  const more = found.length - MOST_PROBLEMS;
  const shown = [...found.slice(0, MOST_PROBLEMS), ...(more > 0 ? [`and ${more} more`] : [])];
  return new CliError('WRONG_ARGUMENT', `the fault script cannot be used\n  ${shown.join('\n  ')}\nSee datasets/faults for examples`);
}

/** The line of the deepest node on an issue's path that the text has, and the path in words. */
function locate(contents: unknown, issue: z.core.$ZodIssue, lines: LineCounter): { line: number; place: string } {
  let node: Node | null = isNode(contents) ? contents : null;
  let offset = node?.range?.[0] ?? 0;
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  for (const step of [...issue.path, ...(unknownKey === undefined ? [] : [unknownKey])]) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(key) === String(step));
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = isNode(pair.value) ? pair.value : null;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      node = isNode(item) ? item : null;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  const words = issue.path.map((step) => (typeof step === 'number' ? `${step + 1}` : String(step))).join('.');
  return { line: lines.linePos(offset).line, place: words === '' ? '' : `${words}: ` };
}
