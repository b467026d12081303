import {
  type Assignment,
  AssignmentPut,
  Assignment as AssignmentSchema,
  Assignments,
  ChunksQuery,
  type DataStream,
  Detections,
  DetectionsQuery,
  Device,
  DeviceMove,
  DeviceMoves,
  type DeviceOwner,
  DevicePut,
  Devices,
  Generation,
  isId,
  isUuid,
  Latest,
  LatestQuery,
  Ledger,
  LedgerQuery,
  type LedgerSpan,
  limits,
  messagesMediaType,
  Patient,
  PatientPut,
  Patients,
  type Problem,
  Quarantine,
  Recordings,
  RecordingsQuery,
  RecordingWithLedger,
  Registry as RegistryAnswer,
  SamplesAnswer,
  SamplesQuery,
  Stats,
  StoredGateways,
  TimeAnswer,
  Unscored,
  UnscoredQuery,
} from '@vitalwire/contract';
import type { Api, Clock } from '@vitalwire/runtime';
import type { FastifyRequest } from 'fastify';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { readDetections } from '../queries/detections.ts';
import { refusals } from '../queries/errors.ts';
import { readGateways } from '../queries/gateways.ts';
import { latestOf, storedDevices } from '../queries/latest.ts';
import { ledgerOf, totalsOf } from '../queries/ledger.ts';
import {
  decodeCursor,
  encodeCursor,
  extentOf,
  findRecording,
  listRecordings,
  type Recording,
  readChunks,
  recordingInfo,
} from '../queries/recordings.ts';
import { readSamples } from '../queries/samples.ts';
import { readQuarantine, type StatsReader } from '../queries/stats.ts';
import type { StoredSeqsReader } from '../queries/stored-seqs.ts';
import { type Accounted, type Timeline, timelineOf } from '../queries/timeline.ts';
import { unscoredWindows } from '../queries/unscored.ts';
import { isOwnedWithin, ownedTimes, patientAt, Registry } from '../registry/registry.ts';
import { schemaVersion } from '../schema/migrate.ts';
import type { ReadingsTables, RegistryTables } from '../schema/tables.ts';
import { addAlarmRoutes } from './alarm-routes.ts';
import type { DatabaseHandle } from './database-handle.ts';
import type { Turnstile } from './turnstile.ts';
import { renewGeneration } from './upkeep.ts';

/** What the routes work with. Readers keep what they have seen; they are forgotten when the database is replaced. */
export type RouteDeps = {
  readonly readings: DatabaseHandle<ReadingsTables>;
  readonly registry: DatabaseHandle<RegistryTables>;
  readonly readers: (db: Kysely<ReadingsTables>) => { readonly seqs: StoredSeqsReader; readonly stats: StatsReader };
  readonly heavy: Turnstile;
  readonly clock: Clock;
  readonly onNewGeneration: () => void;
};

const routeLimits = {
  recordingsPerLedger: 2_000,
  devicesPerAnswer: 5_000,
  quarantineItems: 100,
  chunkBytesPerAnswer: 16 * 1024 * 1024,
} as const;

const OfRecording = z.strictObject({ id: z.string().refine(isUuid, { error: 'expected a UUID in lower case' }) });
const OfId = z.strictObject({ id: z.string().refine(isId, { error: 'expected 1 to 63 letters, digits, dots, hyphens or underscores' }) });
const NoQuery = z.strictObject({});
const QuarantineQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(limits.maxRowsPerQuery).default(routeLimits.quarantineItems),
});
const GenerationPost = z.strictObject({ reason: z.string().min(1).max(64) });

/** Adds every path of the storage service. */
export function addRoutes(api: Api, deps: RouteDeps): void {
  addRegistryRoutes(api, deps);
  addRecordingRoutes(api, deps);
  addLedgerRoute(api, deps);
  addOverviewRoutes(api, deps);
  addAlarmRoutes(api, deps);
}

function addRegistryRoutes(api: Api, { readings, registry, clock }: RouteDeps): void {
  const use = <T>(work: (registry: Registry) => Promise<T>): Promise<T> => registry.use((db) => work(new Registry(db)));
  const problems = (): { problems?: Problem[] } =>
    readings.problem === null ? {} : { problems: [{ about: 'readings', text: readings.problem }] };
  api.get('/v1/registry', { schema: { querystring: NoQuery, response: { 200: RegistryAnswer } } }, async () => ({
    ...(await use((one) => one.snapshot())),
    ...problems(),
  }));
  api.get('/v1/patients', { schema: { querystring: NoQuery, response: { 200: Patients } } }, async () => ({
    patients: await use((one) => one.patients()),
  }));
  api.get('/v1/patients/:id', { schema: { params: OfId, querystring: NoQuery, response: { 200: Patient } } }, (request) =>
    use((one) => one.patient(request.params.id)),
  );
  api.put('/v1/patients/:id', { schema: { params: OfId, body: PatientPut, response: { 200: Patient } } }, (request) =>
    use((one) => one.putPatient(request.params.id, request.body, clock.nowUs())),
  );
  api.get('/v1/devices', { schema: { querystring: NoQuery, response: { 200: Devices } } }, async () => ({
    devices: await use((one) => one.devices()),
  }));
  api.get('/v1/devices/:id', { schema: { params: OfId, querystring: NoQuery, response: { 200: Device } } }, (request) =>
    use((one) => one.device(request.params.id)),
  );
  api.put('/v1/devices/:id', { schema: { params: OfId, body: DevicePut, response: { 200: Device } } }, (request) =>
    use((one) => one.putDevice(request.params.id, request.body, clock.nowUs())),
  );
  api.post('/v1/devices/:id/moves', { schema: { params: OfId, body: DeviceMove, response: { 200: DeviceMoves } } }, (request) =>
    use((one) => one.moveDevice(request.params.id, request.body, clock.nowUs())),
  );
  api.get('/v1/assignments', { schema: { querystring: NoQuery, response: { 200: Assignments } } }, async () => ({
    assignments: await use((one) => one.assignments()),
  }));
  api.put('/v1/assignments', { schema: { body: AssignmentPut, response: { 200: AssignmentSchema } } }, (request) =>
    use((one) => one.putAssignment(request.body, clock.nowUs())),
  );
}

function addRecordingRoutes(api: Api, deps: RouteDeps): void {
  const { readings, readers, heavy } = deps;
  api.get('/v1/recordings', { schema: { querystring: RecordingsQuery, response: { 200: Recordings } } }, async (request) => {
    const { patient, device, gateway, stream, fromUs, toUs, limit, cursor } = request.query;
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
  });

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

function addLedgerRoute(api: Api, deps: RouteDeps): void {
  const { readings, readers, heavy } = deps;
  api.get('/v1/ledger', { schema: { querystring: LedgerQuery, response: { 200: Ledger } } }, (request) =>
    heavy.pass(async () => {
      const { recording: recordingId, device, patient, fromUs, toUs } = request.query;
      if (fromUs !== undefined && toUs !== undefined && toUs <= fromUs) throw refusals.emptyRange();
      if (recordingId !== undefined) {
        return readings.use(async (db) => {
          const recording = await mustFind(db, recordingId);
          const accounted = await account(db, readers(db).seqs, recording);
          const { device, gateway } = recording;
          const line = await spansOver(db, [{ device, gateway, fromUs: fromUs ?? null, toUs: toUs ?? null }], [accounted]);
          return { recordings: [accounted.ledger], ...line, totals: totalsOf([accounted.ledger]) };
        });
      }
      const worn = device === undefined ? (await wornBy(deps, patient ?? '')).wearings : await ownedTimesOf(deps, device);
      const wearings = worn.flatMap((one) => clipWearing(one, fromUs ?? null, toUs ?? null));
      return readings.use(async (db) => {
        const { seqs } = readers(db);
        const all: AccountedLedger[] = [];
        const seen = new Set<string>();
        for (const wearing of wearings) {
          const found = await listRecordings(db, {
            devices: [wearing.device],
            ...(wearing.gateway === null ? {} : { gateway: wearing.gateway }),
            limit: routeLimits.recordingsPerLedger + 1,
            ...(wearing.fromUs === null ? {} : { afterUs: wearing.fromUs }),
            ...(wearing.toUs === null ? {} : { beforeUs: wearing.toUs }),
          });
          if (found.length > routeLimits.recordingsPerLedger) throw refusals.tooManyRecordings(routeLimits.recordingsPerLedger);
          for (const recording of found) {
            if (seen.has(recording.recordingId) || !(await overlaps(db, seqs, recording, wearing))) continue;
            seen.add(recording.recordingId);
            all.push(await account(db, seqs, recording));
          }
        }
        const ledgers = all.map(({ ledger }) => ledger);
        return { recordings: ledgers, ...(await spansOver(db, wearings, all)), totals: totalsOf(ledgers) };
      });
    }),
  );
}

function addOverviewRoutes(api: Api, deps: RouteDeps): void {
  const { readings, registry, readers, clock } = deps;
  api.get('/v1/time', { schema: { querystring: NoQuery, response: { 200: TimeAnswer } } }, () => ({ nowUs: clock.nowUs() }));
  api.get('/v1/generation', { schema: { querystring: NoQuery, response: { 200: Generation } } }, () => readings.use(readGeneration));
  api.post('/v1/generation', { schema: { body: GenerationPost, response: { 200: Generation } } }, async (request) => {
    const made = await readings.use((db) => renewGeneration(db, clock.nowUs(), request.body.reason));
    deps.onNewGeneration();
    return made;
  });
  api.get('/v1/latest', { schema: { querystring: LatestQuery, response: { 200: Latest } } }, async (request) => {
    const { patient, device } = request.query;
    const nowUs = clock.nowUs();
    const { assignments, owners } = await registry.use(async (db) => {
      const one = new Registry(db);
      const devices = device === undefined ? undefined : [device];
      return { assignments: await one.assignments(devices === undefined ? {} : { devices }), owners: await one.owners(devices) };
    });
    const ownerOf = new Map(owners.map((owner) => [owner.device, owner.gateway])); // the last is the present one
    return readings.use(async (db) => {
      const wornNow = (one: string): string | null => patientAt(assignments, one, nowUs);
      const asked = device === undefined ? await storedDevices(db, routeLimits.devicesPerAnswer) : [device];
      const devices = asked.filter((one) => patient === undefined || wornNow(one) === patient);
      const answers = [];
      for (const one of devices) answers.push(await latestOf(db, { device: one, gateway: ownerOf.get(one) ?? null }, wornNow(one)));
      return { devices: answers };
    });
  });
  api.get('/v1/gateways', { schema: { querystring: NoQuery, response: { 200: StoredGateways } } }, () =>
    readings.use(async (db) => ({ gateways: await readGateways(db) })),
  );
  api.get('/v1/quarantine', { schema: { querystring: QuarantineQuery, response: { 200: Quarantine } } }, (request) =>
    readings.use((db) => readQuarantine(db, request.query.limit)),
  );
  api.get('/v1/stats', { schema: { querystring: NoQuery, response: { 200: Stats } } }, () =>
    readings.use(async (db) => {
      const [counts, { generation }] = [await readers(db).stats.read(), await readGeneration(db)];
      return { ...counts, schemaVersion: schemaVersion(), generation };
    }),
  );
}

async function readGeneration(db: Kysely<ReadingsTables>): Promise<{ generation: string; createdAtUs: number }> {
  const row = await db.selectFrom('generation').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
  return { generation: row.generation, createdAtUs: row.created_at_us };
}

async function mustFind(db: Kysely<ReadingsTables>, recordingId: string): Promise<Recording> {
  const recording = await findRecording(db, recordingId);
  if (recording === null) throw refusals.noRecording(recordingId);
  return recording;
}

/** When a device of one gateway was (or is) somebody's; null = without a bound, or while nobody knows whose the device is. */
type Wearing = { readonly device: string; readonly gateway: string | null; readonly fromUs: number | null; readonly toUs: number | null };
type Whose = { readonly assignments: readonly Assignment[]; readonly owners: readonly DeviceOwner[] };

async function wornBy({ registry }: RouteDeps, patient: string): Promise<{ devices: string[]; wearings: Wearing[] }> {
  const { assignments, owners } = await registry.use(async (db) => {
    const one = new Registry(db);
    await one.patient(patient); // an unknown patient is refused, not answered with nothing
    const found = await one.assignments({ patient });
    return { assignments: found, owners: await one.owners([...new Set(found.map(({ device }) => device))]) };
  });
  return {
    devices: [...new Set(assignments.map(({ device }) => device))],
    wearings: assignments.flatMap(({ device, fromUs, toUs }) => timesOf(owners, device).flatMap((time) => clipWearing(time, fromUs, toUs))),
  };
}

async function ownedTimesOf({ registry }: RouteDeps, device: string): Promise<Wearing[]> {
  return timesOf(await registry.use((db) => new Registry(db).owners([device])), device);
}

/** A device's times with each of its gateways: only these count. */
function timesOf(owners: readonly DeviceOwner[], device: string): Wearing[] {
  const times = ownedTimes(owners, device).map((time) => ({ device, ...time }));
  return times.length === 0 ? [{ device, gateway: null, fromUs: null, toUs: null }] : times;
}

async function whoseAre({ registry }: RouteDeps, recordings: readonly Recording[]): Promise<Whose> {
  const devices = [...new Set(recordings.map(({ device }) => device))];
  return registry.use(async (db) => {
    const one = new Registry(db);
    return { assignments: await one.assignments({ devices }), owners: await one.owners(devices) };
  });
}

/** Who wore the device when a recording began, or else who was the first to wear it while it went on; nobody wears another gateway's. */
function wearerOf(
  { assignments, owners }: Whose,
  recording: Recording,
  info: { readonly startedAtUs: number; readonly endedAtUs: number | null },
): string | null {
  const { device } = recording;
  if (!isOwnedWithin(owners, recording, info.startedAtUs, endOf(info))) return null;
  const atStart = patientAt(assignments, device, info.startedAtUs);
  const later = assignments.find((one) => one.device === device && one.fromUs > info.startedAtUs && one.fromUs <= endOf(info));
  return atStart ?? later?.patient ?? null;
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

function isWornIn({ device, gateway, fromUs, toUs }: Wearing, recording: Recording, beginsUs: number, endsUs: number): boolean {
  if (device !== recording.device || (gateway !== null && gateway !== recording.gateway)) return false;
  return (toUs === null || beginsUs < toUs) && (fromUs === null || endsUs >= fromUs);
}

function clipWearing({ device, gateway, ...wearing }: Wearing, fromUs: number | null, toUs: number | null): Wearing[] {
  const from = wearing.fromUs === null || fromUs === null ? (wearing.fromUs ?? fromUs) : Math.max(wearing.fromUs, fromUs);
  const to = wearing.toUs === null || toUs === null ? (wearing.toUs ?? toUs) : Math.min(wearing.toUs, toUs);
  return from !== null && to !== null && to <= from ? [] : [{ device, gateway, fromUs: from, toUs: to }];
}

type AccountedLedger = Accounted & {
  readonly ledger: Awaited<ReturnType<typeof ledgerOf>>;
  readonly beginsUs: number;
  readonly endsUs: number;
};

async function account(db: Kysely<ReadingsTables>, seqs: StoredSeqsReader, recording: Recording): Promise<AccountedLedger> {
  const stored = await seqs.read(recording.recordingId);
  const extent = await extentOf(db, recording, stored);
  const ledger = await ledgerOf(db, recording, stored);
  const beginsUs = extent?.startedAtUs ?? recording.start?.measuredAtUs ?? recording.firstMeasuredAtUs;
  return {
    recording,
    ledger,
    account: ledger,
    stored,
    beginsUs,
    endsUs: Math.max(extent?.endedAtUs ?? beginsUs, recording.end?.measuredAtUs ?? beginsUs),
  };
}

async function overlaps(
  db: Kysely<ReadingsTables>,
  seqs: StoredSeqsReader,
  recording: Recording,
  { fromUs, toUs }: Wearing,
): Promise<boolean> {
  const extent = await extentOf(db, recording, await seqs.read(recording.recordingId));
  const begins = extent?.startedAtUs ?? recording.start?.measuredAtUs ?? recording.firstMeasuredAtUs;
  const ends = Math.max(extent?.endedAtUs ?? begins, recording.end?.measuredAtUs ?? begins);
  return (toUs === null || begins < toUs) && (fromUs === null || ends >= fromUs);
}

/** The spans of every device and stream over its time; a bound that was not given is where the recordings begin or end. */
async function spansOver(db: Kysely<ReadingsTables>, wearings: readonly Wearing[], all: readonly AccountedLedger[]): Promise<Timeline> {
  const spans: LedgerSpan[] = [];
  const clockSteps: Timeline['clockSteps'] = [];
  for (const { device, gateway, fromUs, toUs } of wearings) {
    const own = all.filter(({ recording }) => recording.device === device && (gateway === null || recording.gateway === gateway));
    const begin = fromUs ?? own.reduce((least, { beginsUs }) => Math.min(least, beginsUs), Number.POSITIVE_INFINITY);
    const end = toUs ?? own.reduce((most, { endsUs }) => Math.max(most, endsUs), Number.NEGATIVE_INFINITY);
    if (!Number.isFinite(begin) || !Number.isFinite(end) || end <= begin) continue;
    const found = new Set(own.map(({ recording }) => recording.stream).filter(isContinuous));
    // Nothing at all was recorded: that, too, is an answer.
    for (const stream of found.size === 0 ? (['eeg'] as const) : found) {
      const recordings = own.filter(({ recording }) => recording.stream === stream);
      const line = await timelineOf(db, { device, gateway, stream, recordings }, begin, end);
      spans.push(...line.spans);
      clockSteps.push(...line.clockSteps);
    }
  }
  return { spans, clockSteps };
}

// Events and quality values come when they come: a time without them says nothing.
function isContinuous(stream: DataStream): stream is 'eeg' | 'heart-rate' {
  return stream === 'eeg' || stream === 'heart-rate';
}

function endOf(info: { startedAtUs: number; endedAtUs: number | null }): number {
  return info.endedAtUs ?? Number.POSITIVE_INFINITY;
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
