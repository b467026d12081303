import {
  AlarmLog,
  AlarmLogQuery,
  AllLimits,
  Assignment,
  AssignmentPut,
  Assignments,
  ChunksQuery,
  Detections,
  DetectionsQuery,
  Device,
  DeviceMove,
  DeviceMoves,
  DevicePut,
  Devices,
  Generation,
  isId,
  isUuid,
  Latest,
  LatestQuery,
  Ledger,
  LedgerQuery,
  LimitsOfPatient,
  LimitsPut,
  messagesMediaType,
  numericStreams,
  Patient,
  PatientLimits,
  PatientPut,
  Patients,
  Quarantine,
  Recordings,
  RecordingsQuery,
  RecordingWithLedger,
  SamplesAnswer,
  SamplesQuery,
  Stats,
  Unscored,
  UnscoredQuery,
} from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ServiceLink } from './service-link.ts';

const NoQuery = z.strictObject({});
const OfId = z.object({ id: z.string().refine(isId, 'expected an id') });
const OfVital = z.object({ ...OfId.shape, stream: z.enum(numericStreams, { error: `expected one of ${numericStreams.join(', ')}` }) });
const OfRecording = z.object({ id: z.string().refine(isUuid, 'expected a recording id') });

type Read = { readonly path: string; readonly query: z.ZodType; readonly params?: z.ZodType; readonly answer: z.ZodType | null };
type Write = { readonly path: string; readonly body: z.ZodType; readonly params?: z.ZodType; readonly answer: z.ZodType };

// Only these paths of storage exist for a viewer, and only with the questions the contract knows. Null: an answer that is not JSON.
const reads: readonly Read[] = [
  { path: '/v1/generation', query: NoQuery, answer: Generation },
  { path: '/v1/patients', query: NoQuery, answer: Patients },
  { path: '/v1/patients/:id', query: NoQuery, params: OfId, answer: Patient },
  { path: '/v1/devices', query: NoQuery, answer: Devices },
  { path: '/v1/devices/:id', query: NoQuery, params: OfId, answer: Device },
  { path: '/v1/assignments', query: NoQuery, answer: Assignments },
  { path: '/v1/recordings', query: RecordingsQuery, answer: Recordings },
  { path: '/v1/recordings/:id', query: NoQuery, params: OfRecording, answer: RecordingWithLedger },
  { path: '/v1/recordings/:id/chunks', query: ChunksQuery, params: OfRecording, answer: null },
  { path: '/v1/recordings/:id/samples', query: SamplesQuery, params: OfRecording, answer: SamplesAnswer },
  { path: '/v1/recordings/:id/detections', query: DetectionsQuery, params: OfRecording, answer: Detections },
  { path: '/v1/recordings/:id/unscored', query: UnscoredQuery, params: OfRecording, answer: Unscored },
  { path: '/v1/latest', query: LatestQuery, answer: Latest },
  { path: '/v1/ledger', query: LedgerQuery, answer: Ledger },
  { path: '/v1/quarantine', query: NoQuery, answer: Quarantine },
  { path: '/v1/alarm-log', query: AlarmLogQuery, answer: AlarmLog },
  { path: '/v1/alarm-limits', query: NoQuery, answer: AllLimits },
  { path: '/v1/patients/:id/alarm-limits', query: NoQuery, params: OfId, answer: LimitsOfPatient },
  { path: '/v1/patients/:id/alarm-limits/:stream', query: NoQuery, params: OfVital, answer: PatientLimits },
  { path: '/v1/stats', query: NoQuery, answer: Stats },
];

const writes: readonly Write[] = [
  { path: '/v1/patients/:id', body: PatientPut, params: OfId, answer: Patient },
  { path: '/v1/devices/:id', body: DevicePut, params: OfId, answer: Device },
  { path: '/v1/assignments', body: AssignmentPut, answer: Assignment },
  { path: '/v1/patients/:id/alarm-limits/:stream', body: LimitsPut, params: OfVital, answer: PatientLimits },
];

const acts: readonly Write[] = [{ path: '/v1/devices/:id/moves', body: DeviceMove, params: OfId, answer: DeviceMoves }];

/** Lets a viewer ask storage through `web`: same paths, same answers, and 503 with a code instead of waiting for a dead database. */
export function addStorageRoutes(api: Api, storage: ServiceLink, onWritten: () => void): void {
  for (const { path, query, params, answer: described } of reads) {
    const schema = {
      querystring: query,
      ...(params === undefined ? {} : { params }),
      ...(described === null ? {} : { response: { 200: described } }),
    };
    const config = described === null ? { otherAnswers: { 200: [messagesMediaType] } } : {};
    api.get(path, { schema, config }, async (request, reply) => {
      const answer = await storage.fetch(request.url); // as it was asked: checked above, and storage reads it itself
      if (answer.nextSeq !== null) void reply.header('x-next-seq', answer.nextSeq);
      return sendBytes(reply, answer.contentType, answer.bytes);
    });
  }
  const addWrite = (method: 'put' | 'post', { path, body, params, answer: described }: Write): void => {
    const schema = { body, ...(params === undefined ? {} : { params }), response: { 200: described } };
    api[method](path, { schema }, async (request, reply) => {
      const answer = await storage[method](request.url, request.body);
      onWritten();
      return sendBytes(reply, 'application/json', new TextEncoder().encode(JSON.stringify(answer ?? {})));
    });
  };
  for (const write of writes) addWrite('put', write);
  for (const act of acts) addWrite('post', act);
}

// The bytes are storage's own; whoever reads them checks them against the contract.
function sendBytes(reply: FastifyReply, contentType: string, bytes: Uint8Array): FastifyReply {
  return reply
    .header('content-type', contentType)
    .header('cache-control', 'no-store')
    .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
