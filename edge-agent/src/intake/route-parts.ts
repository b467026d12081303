import { readFile } from 'node:fs/promises';
import { cleanLine, isNumeric, type NumericStream, numericStreams } from '@vitalwire/contract';
import { ApiError, type Identity } from '@vitalwire/runtime';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';

type Facts = {
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly body?: z.ZodType;
  readonly response: Record<number, z.ZodType>;
};

/** What /openapi.json says of a route. Requests are checked by the handlers, which know the words for what is wrong with them. */
export function documented(schema: Facts) {
  return {
    schema,
    validatorCompiler: () => (value: unknown) => ({ value }),
    serializerCompiler: () => (value: unknown) => JSON.stringify(value),
  };
}

export function vitalOf(params: unknown): NumericStream {
  const { stream } = params as { stream: string };
  if (isNumeric(stream)) return stream;
  throw new ApiError(404, 'NO_VITAL', `no vital is called '${cleanLine(stream).slice(0, 64)}'`, `send one of ${numericStreams.join(', ')}`);
}

export function contentTypeOf(request: FastifyRequest): string {
  return request.headers['content-type'] ?? '';
}

/** How long a body says it is; null where it does not, or is packed. */
export function sizeOf({ headers }: FastifyRequest): number | null {
  const size = Number(headers['content-length'] ?? Number.NaN);
  return Number.isFinite(size) && headers['content-encoding'] === undefined ? size : null;
}

export function onlyOperator(request: FastifyRequest): void {
  if (request.principal?.role !== 'operator')
    throw new ApiError(
      403,
      'NOT_THE_OPERATOR',
      "this path takes the operator's token",
      'it is in agent.token in the data directory of the agent',
    );
}

export async function tlsText(tls: Identity): Promise<string> {
  return (await Promise.all([tls.certPath, tls.keyPath, tls.caPath].map((path) => readFile(path, 'utf8').catch(() => '')))).join('');
}
