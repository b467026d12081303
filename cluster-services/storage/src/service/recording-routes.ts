import {
  ChunksQuery,
  Detections,
  DetectionsQuery,
  messagesMediaType,
  Recordings,
  RecordingsQuery,
  RecordingWithLedger,
  SamplesAnswer,
  SamplesQuery,
  Unscored,
  UnscoredQuery,
} from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { readDetections } from '../queries/detections.ts';
import { refusals } from '../queries/errors.ts';
import { ledgerOf } from '../queries/ledger.ts';
import { decodeCursor, encodeCursor, listRecordings, readChunks, recordingInfo } from '../queries/recordings.ts';
import { readSamples } from '../queries/samples.ts';
import { unscoredWindows } from '../queries/unscored.ts';
import { isOwnedWithin } from '../registry/registry.ts';
import { endOf, mustFind, NoQuery, OfRecording, type RouteDeps, routeLimits } from './route-parts.ts';
import { isWornIn, wearerOf, whoseAre, wornBy } from './wearings.ts';

export function addRecordingRoutes(api: Api, deps: RouteDeps): void {
  const { readings, readers, heavy } = deps;
  api.get('/v1/recordings', { schema: { querystring: RecordingsQuery, response: { 200: Recordings } } }, (request) =>
    pageOf(deps, request.query),
  );

  api.get(
    '/v1/recordings/:id',
    { schema: { params: OfRecording, querystring: NoQuery, response: { 200: RecordingWithLedger } } },
    (request) =>
      readings.use(async (db) => {
        const recording = await mustFind(db, request.params.id);
        const { seqs } = readers(db);
        const info = await recordingInfo(db, seqs, recording, null);
        const whose = await whoseAre(deps, [recording]);
        const ledger = await ledgerOf(db, recording, await seqs.read(recording.recordingId));
        return { ...info, patient: wearerOf(whose, recording, info), ledger };
      }),
  );

  const asMessages = { otherAnswers: { 200: [messagesMediaType] } };
  api.get(
    '/v1/recordings/:id/chunks',
    { config: asMessages, schema: { params: OfRecording, querystring: ChunksQuery } },
    async (request, reply) => {
      const { fromSeq, limit } = request.query;
      const rows = await readings.use((db) => readChunks(db, request.params.id, { fromSeq, limit: limit + 1 }));
      const { body, taken } = framed(rows.slice(0, limit).map(({ message }) => message));
      const next = rows[taken];
      if (next !== undefined) void reply.header('x-next-seq', String(next.seq));
      return reply.type(messagesMediaType).send(body);
    },
  );

  api.get(
    '/v1/recordings/:id/samples',
    { schema: { params: OfRecording, querystring: SamplesQuery, response: { 200: SamplesAnswer } } },
    (request) =>
      heavy.pass(() =>
        readings.use(async (db) => {
          const recording = await mustFind(db, request.params.id);
          return readSamples(db, recording, await readers(db).seqs.read(recording.recordingId), request.query, abandoned(request));
        }),
      ),
  );

  api.get(
    '/v1/recordings/:id/detections',
    { schema: { params: OfRecording, querystring: DetectionsQuery, response: { 200: Detections } } },
    (request) => readings.use(async (db) => ({ detections: await readDetections(db, request.params.id, request.query) })),
  );

  api.get(
    '/v1/recordings/:id/unscored',
    { schema: { params: OfRecording, querystring: UnscoredQuery, response: { 200: Unscored } } },
    (request) =>
      readings.use(async (db) => {
        const recording = await mustFind(db, request.params.id);
        const { seqs } = readers(db);
        return unscoredWindows(db, seqs, recording, await seqs.read(recording.recordingId), request.query);
      }),
  );
}

/** One page of recordings: what was asked for, whose each is, and what of a patient's devices nobody wore. */
async function pageOf(deps: RouteDeps, query: z.infer<typeof RecordingsQuery>): Promise<z.infer<typeof Recordings>> {
  const { readings, readers } = deps;
  const { patient, device, gateway, stream, fromUs, toUs, limit, cursor } = query;
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  if (after === null) throw refusals.badCursor();
  if (fromUs !== undefined && toUs !== undefined && toUs <= fromUs) throw refusals.emptyRange();
  const worn = patient === undefined ? null : await wornBy(deps, patient);
  const devices = device === undefined ? worn?.devices : worn === null || worn.devices.includes(device) ? [device] : [];
  return readings.use(async (db) => {
    const found = await listRecordings(db, {
      limit: limit + 1,
      ...(devices === undefined ? {} : { devices }),
      ...(gateway === undefined ? {} : { gateway }),
      ...(stream === undefined ? {} : { stream }),
      ...(fromUs === undefined ? {} : { afterUs: fromUs }),
      ...(toUs === undefined ? {} : { beforeUs: toUs }),
      ...(after === undefined ? {} : { afterCursor: after }),
    });
    const page = found.slice(0, limit);
    const whose = await whoseAre(deps, page);
    const { seqs } = readers(db);
    const recordings = [];
    const outside = new Outside();
    for (const recording of page) {
      const info = await recordingInfo(db, seqs, recording, null);
      // Another gateway's recordings of a device are nobody's: only who asks for that gateway sees them.
      if (gateway === undefined && !isOwnedWithin(whose.owners, recording, info.startedAtUs, endOf(info))) continue;
      if ((toUs !== undefined && info.startedAtUs >= toUs) || (fromUs !== undefined && endOf(info) < fromUs)) continue;
      if (worn !== null && !worn.wearings.some((one) => isWornIn(one, recording, info.startedAtUs, endOf(info)))) {
        if (wearerOf(whose, recording, info) === null) outside.add(info);
        continue;
      }
      recordings.push({ ...info, patient: wearerOf(whose, recording, info) });
    }
    const last = page.at(-1);
    const left = worn === null ? {} : { outside: outside.devices() };
    return { recordings, ...left, next: found.length > limit && last !== undefined ? encodeCursor(last) : null };
  });
}

/** Recordings of a patient's devices that nobody wore, by device: they are told of, for an assignment may begin too late. */
class Outside {
  readonly #devices = new Map<string, { recordings: number; fromUs: number; toUs: number }>();

  add({
    device,
    startedAtUs,
    endedAtUs,
  }: {
    readonly device: string;
    readonly startedAtUs: number;
    readonly endedAtUs: number | null;
  }): void {
    const before = this.#devices.get(device) ?? { recordings: 0, fromUs: startedAtUs, toUs: startedAtUs };
    this.#devices.set(device, {
      recordings: before.recordings + 1,
      fromUs: Math.min(before.fromUs, startedAtUs),
      toUs: Math.max(before.toUs, endedAtUs ?? startedAtUs),
    });
  }

  devices(): { device: string; recordings: number; fromUs: number; toUs: number }[] {
    return [...this.#devices].map(([device, told]) => ({ device, ...told }));
  }
}

/** Messages behind their lengths, as many as fit into one answer. */
function framed(messages: readonly Uint8Array[]): { body: Buffer; taken: number } {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let taken = 0;
  for (const message of messages) {
    if (taken > 0 && bytes + message.byteLength > routeLimits.chunkBytesPerAnswer) break;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(message.byteLength);
    parts.push(length, message);
    bytes += message.byteLength + 4;
    taken += 1;
  }
  return { body: Buffer.concat(parts), taken };
}

/** Aborts when the client goes away before it is answered. */
function abandoned(request: FastifyRequest): AbortSignal {
  const abort = new AbortController();
  request.raw.socket.once('close', () => abort.abort(new DOMException('the client went away', 'AbortError')));
  return abort.signal;
}
