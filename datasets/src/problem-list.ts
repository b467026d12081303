import type { SourceProblem } from './signal-source.ts';

/** So many problems of one field are told one by one; the rest are counted. */
const MAX_PER_FIELD = 10;

/** Gathers what was read around. A file with a million faults gives a short list that says so. */
export class ProblemList {
  readonly #told: SourceProblem[] = [];
  readonly #counts = new Map<string, number>();

  add(problem: SourceProblem): void {
    const count = (this.#counts.get(problem.field) ?? 0) + 1;
    this.#counts.set(problem.field, count);
    if (count <= MAX_PER_FIELD) this.#told.push(problem);
  }

  addAll(problems: Iterable<SourceProblem>): void {
    for (const problem of problems) this.add(problem);
  }

  list(): SourceProblem[] {
    const rest = [...this.#counts].filter(([, count]) => count > MAX_PER_FIELD);
    return [
      ...this.#told,
      ...rest.map(([field, count]) => ({
        field,
        at: null,
        unit: null,
        found: `${count - MAX_PER_FIELD} more of these`,
        expected: 'none',
      })),
    ];
  }
}

const MAX_QUOTED = 40;

/** What stood there, short and on one line. */
export function quoted(text: string): string {
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return `'${JSON.stringify(shown).slice(1, -1)}'`;
}
