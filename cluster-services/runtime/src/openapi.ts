import { z } from 'zod';

/** What a route says about itself when it is added. */
export type RouteFacts = {
  method: string | string[];
  url: string;
  schema: unknown;
  public: boolean;
  otherBodies?: readonly string[] | undefined;
};

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch']);
const OTHER_PARTS = [
  ['params', 'path'],
  ['querystring', 'query'],
  ['headers', 'header'],
] as const;

/** A small OpenAPI 3.1 description of the routes, made from their zod schemas. */
export function describeApi(routes: readonly RouteFacts[], version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    for (const method of [route.method].flat().map((one) => one.toLowerCase())) {
      if (!METHODS.has(method)) continue;
      const path = route.url.replace(/:(\w+)/g, '{$1}');
      paths[path] = { ...paths[path], [method]: describeRoute(route) };
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Vitalwire', version, description: 'Research and education software. Not a medical device.' },
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}

function describeRoute(route: RouteFacts): object {
  const schema = isRecord(route.schema) ? route.schema : {};
  const parameters = OTHER_PARTS.flatMap(([part, place]) => parametersOf(schema[part], place));
  const body = toJson(schema['body'], 'input');
  const responses = isRecord(schema['response'])
    ? Object.fromEntries(Object.entries(schema['response']).map(([status, one]) => [status, describeResponse(one)]))
    : { '200': { description: 'the answer' } };
  return {
    ...(typeof schema['summary'] === 'string' ? { summary: schema['summary'] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === null ? {} : { requestBody: { required: true, content: bodiesOf(body, route.otherBodies ?? []) } }),
    responses: { ...responses, default: { description: 'an error: { error: { code, message, next } }' } },
    security: route.public ? [] : [{ bearer: [] }],
  };
}

function bodiesOf(schema: unknown, others: readonly string[]): object {
  return {
    'application/json': { schema },
    ...Object.fromEntries(others.map((type) => [type, { schema: { description: 'the same in another form' } }])),
  };
}

function describeResponse(schema: unknown): object {
  const json = toJson(schema, 'output');
  return { description: 'the answer', ...(json === null ? {} : { content: { 'application/json': { schema: json } } }) };
}

function parametersOf(schema: unknown, place: string): object[] {
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
