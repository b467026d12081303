import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { redactText } from './log.ts';
import { nearest } from './nearest-name.ts';

/** Where a configuration may come from; a flag wins over the environment, that over the file, that over the default. */
export type ConfigSources = {
  /** What the environment variables of this program start with, `VITALWIRE_INGEST_`. */
  prefix: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Path of a YAML file. */
  file?: string | undefined;
  /** Values from the command line by setting name; undefined ones count as not given. */
  flags?: Readonly<Record<string, unknown>> | undefined;
  /** How messages call this configuration, `ingest`. */
  configName: string;
};

/** One thing wrong with a configuration. `value` is absent where it is, or could be, a secret. */
export type ConfigProblem = { setting: string; value?: string; expected: string; origin: string };

/** One setting of a schema, for the generated list. `default` is undefined where the setting must be given or may be absent. */
export type Setting = {
  key: string;
  env: string;
  default: unknown;
  required: boolean;
  description: string;
  secret: boolean;
};

/** Every problem of a configuration at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';
  readonly retry = false;
  readonly problems: readonly ConfigProblem[];

  constructor(configName: string, problems: readonly ConfigProblem[]) {
    super(
      `the ${configName} configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map(line).join('\n')}`,
    );
    this.problems = problems;
  }
}

/** Reads, checks and freezes a configuration; throws a ConfigError that lists every problem. */
export function readConfig<Schema extends z.ZodObject>(schema: Schema, sources: ConfigSources): z.output<Schema> {
  const leaves = leavesOf(schema, sources.prefix);
  const given = new Map<string, Given>();
  const problems: ConfigProblem[] = [];
  const take = (leaf: Leaf, value: unknown, origin: string): void => {
    if (value !== undefined) given.set(leaf.key, { value, origin });
  };

  for (const [key, value] of fileEntries(sources, leaves, problems)) {
    const origin = `file ${sources.file}`;
    if (value === null) continue; // "key:" with nothing behind it
    readEntry(leaves, key, value, origin, take, problems);
  }
  for (const [name, text] of Object.entries(sources.env)) {
    if (!name.startsWith(sources.prefix) || text === undefined || text === '') continue;
    const leaf = leaves.find((one) => one.env === name);
    const fileOf = leaves.find((one) => one.secret && `${one.env}_FILE` === name);
    if (leaf !== undefined) take(leaf, fromText(leaf, text), `environment ${name}`);
    else if (fileOf !== undefined && sources.env[fileOf.env]) {
      problems.push({ setting: fileOf.key, expected: `either ${fileOf.env} or ${name}, not both`, origin: 'environment' });
    } else if (fileOf !== undefined) take(fileOf, readSecret(fileOf, text, `environment ${name}`, problems), `environment ${name}`);
    else
      problems.push({
        setting: name,
        expected: `a known variable${nearest(
          name,
          leaves.map((one) => one.env),
        )}`,
        origin: 'environment',
      });
  }
  for (const [key, value] of Object.entries(flatten(sources.flags ?? {}, leaves))) {
    if (value !== undefined) readEntry(leaves, key, value, `flag --${kebab(key)}`, take, problems);
  }

  const checked = schema.safeParse(withGroups(schema, unflatten(given, problems, leaves)));
  if (!checked.success) problems.push(...checked.error.issues.flatMap((issue) => describeIssue(issue, leaves, given, problems)));
  if (!checked.success || problems.length > 0) throw new ConfigError(sources.configName, problems);
  return deepFreeze(checked.data);
}

/** Marks a field as secret: masked when printed, never in a message, and readable from a file named by `<KEY>_FILE`. */
export function secret<Schema extends z.ZodType>(schema: Schema): Schema {
  secrets.add(schema, { secret: true });
  return schema;
}

/** Every setting of a schema: the source of the generated list and of `--help`. */
export function describeSettings(schema: z.ZodObject, prefix: string): Setting[] {
  return leavesOf(schema, prefix).map((leaf) => ({
    key: leaf.key,
    env: leaf.env,
    default: leaf.default,
    required: leaf.required,
    description: leaf.description,
    secret: leaf.secret,
  }));
}

/** The configuration in force as YAML, secrets masked. */
export function printConfig(schema: z.ZodObject, config: Readonly<Record<string, unknown>>): string {
  const masked: Record<string, unknown> = structuredClone(config);
  for (const leaf of leavesOf(schema, '')) {
    if (!leaf.secret) continue;
    const parent = leaf.path.slice(0, -1).reduce<unknown>((node, part) => (isRecord(node) ? node[part] : undefined), masked);
    const last = leaf.path.at(-1) ?? '';
    if (isRecord(parent) && parent[last] != null) parent[last] = '***';
  }
  return yaml().stringify(masked);
}

type Given = { value: unknown; origin: string };
type Leaf = {
  key: string; // limits.maxConnections
  path: readonly string[];
  env: string; // VITALWIRE_INGEST_LIMITS_MAX_CONNECTIONS
  secret: boolean;
  required: boolean;
  default: unknown;
  description: string;
  kind: string; // the zod type under all wrappers
};
type Take = (leaf: Leaf, value: unknown, origin: string) => void;

const secrets = z.registry<{ secret: boolean }>();
const UNREADABLE = Symbol('unreadable');

function leavesOf(schema: z.ZodObject, prefix: string, path: readonly string[] = []): Leaf[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    if (!(field instanceof z.ZodType)) return [];
    const here = [...path, name];
    const facts = unwrap(field);
    if (facts.base instanceof z.ZodObject) return leavesOf(facts.base, prefix, here);
    return [
      {
        key: here.join('.'),
        path: here,
        env: prefix + here.map(screaming).join('_'),
        secret: facts.secret,
        required: !facts.optional,
        default: facts.default,
        description: facts.description,
        kind: facts.base._zod.def.type,
      },
    ];
  });
}

type Facts = { base: z.ZodType; optional: boolean; default: unknown; secret: boolean; description: string };

function unwrap(field: z.ZodType): Facts {
  const facts: Facts = { base: field, optional: false, default: undefined, secret: false, description: '' };
  for (;;) {
    const current = facts.base;
    facts.secret ||= secrets.get(current)?.secret === true;
    facts.description ||= current.description ?? '';
    if (current instanceof z.ZodDefault || current instanceof z.ZodPrefault) {
      facts.optional = true;
      facts.default ??= current.def.defaultValue;
    }
    if (current instanceof z.ZodOptional) facts.optional = true;
    const inner = innerOf(current);
    if (!(inner instanceof z.ZodType)) return facts;
    facts.base = inner;
  }
}

function innerOf(schema: z.ZodType): unknown {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodCatch
  ) {
    return schema.def.innerType;
  }
  return schema instanceof z.ZodPipe ? schema.def.in : undefined;
}

function fileEntries(sources: ConfigSources, leaves: readonly Leaf[], problems: ConfigProblem[]): [string, unknown][] {
  if (sources.file === undefined) return [];
  const origin = `file ${sources.file}`;
  let parsed: unknown;
  try {
    parsed = yaml().parse(readFileSync(sources.file, 'utf8'));
  } catch (error) {
    // A YAML error quotes the line it stumbled over, which may hold a secret: only its place is told.
    problems.push({ setting: '(file)', expected: `a readable YAML file (${yamlPlace(error) ?? reason(error)})`, origin });
    return [];
  }
  if (parsed === null || parsed === undefined) return [];
  if (!isRecord(parsed)) {
    problems.push({ setting: '(file)', expected: 'a YAML mapping of settings', origin });
    return [];
  }
  return Object.entries(flatten(parsed, leaves));
}

// Opens nested mappings only where the schema has a nested object, so that a wrong mapping is told under its own name.
function flatten(record: Readonly<Record<string, unknown>>, leaves: readonly Leaf[], above = ''): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    const key = above + name;
    const isGroup = leaves.some((leaf) => leaf.key.startsWith(`${key}.`));
    if (isGroup && isRecord(value)) Object.assign(flat, flatten(value, leaves, `${key}.`));
    else flat[key] = value;
  }
  return flat;
}

function readEntry(leaves: readonly Leaf[], key: string, value: unknown, origin: string, take: Take, problems: ConfigProblem[]): void {
  const leaf = leaves.find((one) => one.key === key);
  const fileOf = leaves.find((one) => one.secret && `${one.key}File` === key);
  if (leaf !== undefined) take(leaf, typeof value === 'string' ? fromText(leaf, value) : value, origin);
  else if (fileOf !== undefined && typeof value === 'string') take(fileOf, readSecret(fileOf, value, origin, problems), origin);
  else if (leaves.some((one) => one.key.startsWith(`${key}.`))) problems.push({ setting: key, expected: 'a mapping of settings', origin });
  else
    problems.push({
      setting: key,
      expected: `a known setting${nearest(
        key,
        leaves.map((one) => one.key),
      )}`,
      origin,
    });
}

function readSecret(leaf: Leaf, path: string, origin: string, problems: ConfigProblem[]): unknown {
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (text !== '') return fromText(leaf, text);
    problems.push({ setting: leaf.key, expected: `a secret in the file ${path}, which is empty`, origin });
  } catch (error) {
    problems.push({ setting: leaf.key, expected: `a readable file ${path} (${reason(error)})`, origin });
  }
  return UNREADABLE;
}

// The environment knows only texts. z.coerce would read 'false' as true and '' as 0, so texts become values here.
function fromText(leaf: Leaf, text: string): unknown {
  const trimmed = text.trim();
  if (leaf.kind === 'number') return trimmed !== '' && Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
  if (leaf.kind === 'boolean') return BOOLEAN_WORDS.get(trimmed.toLowerCase()) ?? text;
  if (leaf.kind === 'array') return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim());
  if (leaf.kind === 'record') return parsedJson(trimmed) ?? text;
  return text;
}

const BOOLEAN_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['off', false],
  ['0', false],
]);

// What z.coerce would bend into shape (true → 1, null → 0, 'banana' → true) is refused before it gets there.
const COERCED: ReadonlyMap<string, { expected: string; fits(value: unknown): boolean }> = new Map([
  ['number', { expected: 'a number', fits: (value: unknown) => typeof value === 'number' }],
  ['boolean', { expected: 'true or false', fits: (value: unknown) => typeof value === 'boolean' }],
  // A YAML number is no text: 0123 has already lost its zero. The reader is told to quote it.
  ['string', { expected: 'a text (in quotes, if it looks like a number)', fits: (value: unknown) => typeof value === 'string' }],
]);

function unflatten(given: ReadonlyMap<string, Given>, problems: ConfigProblem[], leaves: readonly Leaf[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const leaf of leaves) {
    const one = given.get(leaf.key);
    if (one === undefined || one.value === UNREADABLE) continue;
    const coerced = COERCED.get(leaf.kind);
    if (coerced !== undefined && !coerced.fits(one.value)) {
      problems.push(problemOf(leaf, one, coerced.expected));
      continue;
    }
    let node = root;
    for (const part of leaf.path.slice(0, -1)) {
      const next = node[part];
      const child: Record<string, unknown> = isRecord(next) ? next : {};
      node[part] = child;
      node = child;
    }
    node[leaf.path.at(-1) ?? ''] = one.value;
  }
  return root;
}

// A group of settings of which none was given still exists, so that its defaults apply and what is missing is named one by one.
function withGroups(schema: z.ZodObject, values: Record<string, unknown>): Record<string, unknown> {
  for (const [name, field] of Object.entries(schema.shape)) {
    if (!(field instanceof z.ZodType)) continue;
    const { base, optional } = unwrap(field);
    if (!(base instanceof z.ZodObject)) continue;
    const child = values[name];
    if (isRecord(child)) withGroups(base, child);
    else if (child === undefined && !optional) values[name] = withGroups(base, {});
  }
  return values;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  leaves: readonly Leaf[],
  given: ReadonlyMap<string, Given>,
  known: readonly ConfigProblem[],
): ConfigProblem[] {
  const path = issue.path.map(String).join('.');
  const inside = leaves.filter((leaf) => leaf.key.startsWith(`${path}.`) && leaf.required);
  // A whole group is missing: name each required setting of it.
  if (inside.length > 0)
    return inside.map((leaf) => missing(leaf)).filter((problem) => !known.some((one) => one.setting === problem.setting));
  const leaf = leaves.find((one) => path === one.key || path.startsWith(`${one.key}.`));
  if (leaf === undefined)
    return [{ setting: path === '' ? '(all)' : path, expected: issue.message, origin: 'the configuration as a whole' }];
  if (known.some((one) => one.setting === leaf.key)) return []; // already told more exactly
  const one = given.get(leaf.key);
  return [
    one === undefined
      ? missing(leaf)
      : problemOf(leaf, one, issue.message.replace(/^(Invalid \w+|Too (small|big)): /, '').replace(/^expected /, '')),
  ];
}

function missing(leaf: Leaf): ConfigProblem {
  return { setting: leaf.key, expected: `a value: set ${leaf.env}${leaf.secret ? ` or ${leaf.env}_FILE` : ''}`, origin: 'given nowhere' };
}

function problemOf(leaf: Leaf, given: Given, expected: string): ConfigProblem {
  const { value, origin } = given;
  return leaf.secret ? { setting: leaf.key, expected, origin } : { setting: leaf.key, value: shown(value), expected, origin };
}

function line(problem: ConfigProblem): string {
  return `  ${problem.setting}${problem.value === undefined ? '' : ` = ${problem.value}`}: expected ${problem.expected} (from: ${problem.origin})`;
}

function shown(value: unknown): string {
  const text = redactText(JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Most services are set by their environment, and need none of it. */
function yaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml') as typeof import('yaml');
}

function yamlPlace(error: unknown): string | null {
  if (!(error instanceof yaml().YAMLParseError)) return null;
  const place = error.linePos?.[0];
  return `${error.code}${place === undefined ? '' : ` at line ${place.line}, column ${place.col}`}`;
}

function reason(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.message : String(error);
}

function screaming(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/\./g, '-')
    .toLowerCase();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
