import {
  AlarmLogQuery,
  AssignmentPut,
  ChunksQuery,
  DetectionsQuery,
  DeviceMove,
  DevicePut,
  isId,
  isUuid,
  LatestQuery,
  LedgerQuery,
  LimitsPut,
  PatientPut,
  RecordingsQuery,
  SamplesQuery,
  UnscoredQuery,
} from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ServiceLink } from './service-link.ts';

const NoQuery = z.strictObject({});
const OfId = z.object({ id: z.string().refine(isId, 'expected an id') });
const OfRecording = z.object({ id: z.string().refine(isUuid, 'expected a recording id') });

// Only these paths of storage exist for a viewer, and only with the questions the contract knows.
const reads: readonly { path: string; query: z.ZodType; params?: z.ZodType }[] = [
  { path: '/v1/generation', query: NoQuery },
  { path: '/v1/patients', query: NoQuery },
  { path: '/v1/patients/:id', query: NoQuery, params: OfId },
  { path: '/v1/devices', query: NoQuery },
  { path: '/v1/devices/:id', query: NoQuery, params: OfId },
  { path: '/v1/assignments', query: NoQuery },
  { path: '/v1/recordings', query: RecordingsQuery },
  { path: '/v1/recordings/:id', query: NoQuery, params: OfRecording },
  { path: '/v1/recordings/:id/chunks', query: ChunksQuery, params: OfRecording },
  { path: '/v1/recordings/:id/samples', query: SamplesQuery, params: OfRecording },
  { path: '/v1/recordings/:id/detections', query: DetectionsQuery, params: OfRecording },
  { path: '/v1/recordings/:id/unscored', query: UnscoredQuery, params: OfRecording },
  { path: '/v1/latest', query: LatestQuery },
  { path: '/v1/ledger', query: LedgerQuery },
  { path: '/v1/quarantine', query: NoQuery },
  { path: '/v1/alarm-log', query: AlarmLogQuery },
  { path: '/v1/alarm-limits', query: NoQuery },
  { path: '/v1/patients/:id/alarm-limits', query: NoQuery, params: OfId },
  { path: '/v1/stats', query: NoQuery },
];

const writes: readonly { path: string; body: z.ZodType; params?: z.ZodType }[] = [
  { path: '/v1/patients/:id', body: PatientPut, params: OfId },
  { path: '/v1/devices/:id', body: DevicePut, params: OfId },
  { path: '/v1/assignments', body: AssignmentPut },
  { path: '/v1/patients/:id/alarm-limits', body: LimitsPut, params: OfId },
];

const acts: readonly { path: string; body: z.ZodType; params: z.ZodType }[] = [
  { path: '/v1/devices/:id/moves', body: DeviceMove, params: OfId },
];

/** Lets a viewer ask storage through `web`: same paths, same answers, and 503 with a code instead of waiting for a dead database. */
export function addStorageRoutes(api: Api, storage: ServiceLink, onWritten: () => void): void {
  for (const { path, query, params } of reads) {
    api.get(path, { schema: { querystring: query, ...(params === undefined ? {} : { params }) } }, async (request, reply) => {
      const answer = await storage.fetch(request.url); // as it was asked: checked above, and storage reads it itself
      if (answer.nextSeq !== null) void reply.header('x-next-seq', answer.nextSeq);
      return sendBytes(reply, answer.contentType, answer.bytes);
    });
  }
  for (const { path, body, params } of writes) {
    api.put(path, { schema: { body, ...(params === undefined ? {} : { params }) } }, async (request, reply) => {
      const answer = await storage.put(request.url, request.body);
      onWritten();
      return sendBytes(reply, 'application/json', new TextEncoder().encode(JSON.stringify(answer ?? {})));
    });
  }
  for (const { path, body, params } of acts) {
    api.post(path, { schema: { body, params } }, async (request, reply) => {
      const answer = await storage.post(request.url, request.body);
      onWritten();
      return sendBytes(reply, 'application/json', new TextEncoder().encode(JSON.stringify(answer ?? {})));
    });
  }
}

// The bytes are storage's own; whoever reads them checks them against the contract.
function sendBytes(reply: FastifyReply, contentType: string, bytes: Uint8Array): FastifyReply {
  return reply
    .header('content-type', contentType)
    .header('cache-control', 'no-store')
    .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
