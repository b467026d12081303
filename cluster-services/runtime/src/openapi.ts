import { ErrorAnswer } from '@vitalwire/contract';
import { z } from 'zod';

/** What a route says about itself when it is added. */
export type RouteFacts = {
  method: string | string[];
  url: string;
  schema: unknown;
  public: boolean;
  otherBodies?: readonly string[] | undefined;
  /** By status: the media types of answers that are not JSON; none for an answer without a body. */
  otherAnswers?: Readonly<Record<number, readonly string[]>> | undefined;
};

/** GET /openapi.json itself. */
export const ApiDescription = z.looseObject({ openapi: z.string(), info: z.looseObject({ title: z.string() }), paths: z.looseObject({}) });

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch']);
const OTHER_PARTS = [
  ['params', 'path'],
  ['querystring', 'query'],
  ['headers', 'header'],
] as const;

/** A small OpenAPI 3.1 description of the routes, made from their zod schemas. */
export function describeApi(routes: readonly RouteFacts[], version: string): z.output<typeof ApiDescription> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    for (const method of [route.method].flat().map((one) => one.toLowerCase())) {
      if (!METHODS.has(method)) continue;
      const path = route.url.replace(/:(\w+)/g, '{$1}');
      paths[path] = { ...paths[path], [method]: describeRoute(method, path, route) };
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Vitalwire', version, description: 'Research and education software. Not a medical device.' },
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}

function describeRoute(method: string, path: string, route: RouteFacts): object {
  const schema = isRecord(route.schema) ? route.schema : {};
  const parameters = OTHER_PARTS.flatMap(([part, place]) => parametersOf(schema[part], place));
  for (const [, name] of path.matchAll(/\{(\w+)\}/g))
    if (!parameters.some((one) => one.in === 'path' && one.name === name))
      parameters.push({ name: name ?? '', in: 'path', required: true, schema: { type: 'string' } });
  const body = toJson(schema['body'], 'input');
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next: string | undefined) => (next ?? '').toUpperCase())}`,
    ...(typeof schema['summary'] === 'string' ? { summary: schema['summary'] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === null ? {} : { requestBody: { required: true, content: bodiesOf(body, route.otherBodies ?? []) } }),
    responses: {
      ...describeResponses(schema['response'], route.otherAnswers ?? {}),
      default: { description: 'an error', ...errorContent },
    },
    security: route.public ? [] : [{ bearer: [] }],
  };
}

function bodiesOf(schema: unknown, others: readonly string[]): object {
  return {
    'application/json': { schema },
    ...Object.fromEntries(others.map((type) => [type, { schema: { description: 'the same in another form' } }])),
  };
}

const errorContent = { content: { 'application/json': { schema: z.toJSONSchema(ErrorAnswer, { io: 'output' }) } } };

function describeResponses(schemas: unknown, others: Readonly<Record<number, readonly string[]>>): Record<string, object> {
  const json = Object.entries(isRecord(schemas) ? schemas : {}).map(([status, schema]) => [
    status,
    { description: 'the answer', content: { 'application/json': { schema: toJson(schema, 'output') ?? {} } } },
  ]);
  const other = Object.entries(others).map(([status, types]) => [
    status,
    { description: 'the answer', ...(types.length === 0 ? {} : { content: Object.fromEntries(types.map((type) => [type, {}])) }) },
  ]);
  const all = [...json, ...other];
  return all.length === 0 ? { '200': { description: 'the answer' } } : (Object.fromEntries(all) as Record<string, object>);
}

type Parameter = { name: string; in: string; required: boolean; schema: unknown };

function parametersOf(schema: unknown, place: string): Parameter[] {
  const json = toJson(schema, 'input');
  if (!isRecord(json) || !isRecord(json['properties'])) return [];
  const required: unknown[] = Array.isArray(json['required']) ? json['required'] : [];
  return Object.entries(json['properties']).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

function toJson(schema: unknown, io: 'input' | 'output'): unknown {
  return schema instanceof z.ZodType ? z.toJSONSchema(schema, { io, unrepresentable: 'any' }) : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
