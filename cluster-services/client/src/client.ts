import { readFileSync } from 'node:fs';
import {
  AlarmLog,
  type AlarmLogQuery,
  AlarmsNow,
  AllLimits,
  type AssignmentPut,
  Assignments,
  type ChunksQuery,
  Detections,
  type DetectionsQuery,
  type DeviceMove,
  DeviceMoves,
  type DevicePut,
  Devices,
  GatewayStates,
  Generation,
  Latest,
  type LatestQuery,
  Ledger,
  type LedgerQuery,
  LimitsOfPatient,
  type LimitsPut,
  Montage,
  type NumericStream,
  type PatientLimits,
  type PatientPut,
  Patients,
  Quarantine,
  Recordings,
  type RecordingsQuery,
  RecordingWithLedger,
  Registry,
  SamplesAnswer,
  type SamplesQuery,
  Stats,
  TimeAnswer,
  Unscored,
  type UnscoredQuery,
  WallState,
} from '@vitalwire/contract';
import { type Clock, HttpClient, HttpError, systemClock } from '@vitalwire/runtime';
import { Agent } from 'undici';
import type { z } from 'zod';
import { type LiveHandlers, LiveStream, type LiveWish } from './live-stream.ts';

export type ClientOptions = {
  readonly url: string; // https:// of web
  readonly token: string;
  readonly caPath?: string; // the authority that signed web's certificate
  readonly timeoutMs?: number;
  readonly clock?: Clock;
};

export type ChunkPage = { readonly messages: Uint8Array[]; readonly nextSeq: number | null };

/** Everything a screen or a tool may ask of a running Vitalwire: typed, checked, and bounded in time. */
export class Client {
  readonly url: string;
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #streams = new Set<LiveStream>();
  #agent: Agent | null = null;
  #aheadUs = 0; // the server's clock minus ours

  private constructor(options: ClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { token, caPath, timeoutMs = 10_000 } = options;
    this.#http = new HttpClient({ baseUrl: options.url, token, timeoutMs, ...(caPath === undefined ? {} : { caPath }) });
    this.url = this.#http.baseUrl;
  }

  /** Checks address, certificate and token with one question; throws an HttpError that says which of them is wrong. */
  static async connect(options: ClientOptions): Promise<Client> {
    const client = new Client(options);
    try {
      await client.time();
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  /** The server's time as well as it is known here: what ages are counted on, so that a wrong local clock makes nothing look fresh. */
  nowUs(): number {
    return this.#clock.nowUs() + this.#aheadUs;
  }

  /** Asks the server's time and remembers the difference to ours. */
  async time(): Promise<number> {
    const beforeUs = this.#clock.nowUs();
    const { nowUs } = await this.#get('/v1/time', TimeAnswer);
    const afterUs = this.#clock.nowUs();
    this.#aheadUs = Math.round(nowUs - (beforeUs + afterUs) / 2);
    return nowUs;
  }

  state(): Promise<WallState> {
    return this.#get('/v1/state', WallState);
  }

  gateways(): Promise<GatewayStates> {
    return this.#get('/v1/gateways', GatewayStates);
  }

  montage(montageHash: string): Promise<Montage> {
    return this.#get(`/v1/montages/${encodeURIComponent(montageHash)}`, Montage);
  }

  generation(): Promise<Generation> {
    return this.#get('/v1/generation', Generation);
  }

  registry(): Promise<Registry> {
    return this.#get('/v1/registry', Registry);
  }

  patients(): Promise<Patients> {
    return this.#get('/v1/patients', Patients);
  }

  async putPatient(id: string, patient: PatientPut): Promise<void> {
    await this.#http.putJson(`/v1/patients/${encodeURIComponent(id)}`, patient);
  }

  devices(): Promise<Devices> {
    return this.#get('/v1/devices', Devices);
  }

  async putDevice(id: string, device: DevicePut): Promise<void> {
    await this.#http.putJson(`/v1/devices/${encodeURIComponent(id)}`, device);
  }

  /** From now on, or from an earlier moment on, the device belongs to another gateway; who moves it is recorded. */
  async moveDevice(id: string, move: DeviceMove): Promise<DeviceMoves> {
    return this.#http.postJson(`/v1/devices/${encodeURIComponent(id)}/moves`, move, DeviceMoves);
  }

  assignments(): Promise<Assignments> {
    return this.#get('/v1/assignments', Assignments);
  }

  async putAssignment(assignment: AssignmentPut): Promise<void> {
    await this.#http.putJson('/v1/assignments', assignment);
  }

  recordings(query: Partial<RecordingsQuery> = {}): Promise<Recordings> {
    return this.#get('/v1/recordings', Recordings, query);
  }

  /** All recordings that match, page by page. */
  async *eachRecording(query: Partial<Omit<RecordingsQuery, 'cursor'>> = {}): AsyncGenerator<Recordings['recordings'][number]> {
    let cursor: string | undefined;
    do {
      const page = await this.recordings({ ...query, ...(cursor === undefined ? {} : { cursor }) });
      yield* page.recordings;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  recording(recordingId: string): Promise<RecordingWithLedger> {
    return this.#get(`/v1/recordings/${encodeURIComponent(recordingId)}`, RecordingWithLedger);
  }

  /** The stored messages of a recording, byte for byte as they were sent. */
  async chunks(recordingId: string, query: Partial<ChunksQuery> = {}): Promise<ChunkPage> {
    const answer = await this.#http.getBytes(`/v1/recordings/${encodeURIComponent(recordingId)}/chunks`, { query });
    const next = answer.headers['x-next-seq'];
    return { messages: splitMessages(answer.bytes), nextSeq: next === undefined ? null : Number(next) };
  }

  /** All stored messages of a recording in order of seq. */
  async *eachChunk(recordingId: string, pageSize = 500): AsyncGenerator<Uint8Array> {
    let fromSeq: number | null = 0;
    while (fromSeq !== null) {
      const page: ChunkPage = await this.chunks(recordingId, { fromSeq, limit: pageSize });
      yield* page.messages;
      if (page.nextSeq !== null && page.nextSeq <= fromSeq)
        throw new HttpError('BAD_ANSWER', `${recordingId}: the next page does not advance`);
      fromSeq = page.nextSeq;
    }
  }

  samples(recordingId: string, query: Partial<SamplesQuery> = {}): Promise<SamplesAnswer> {
    return this.#get(`/v1/recordings/${encodeURIComponent(recordingId)}/samples`, SamplesAnswer, query);
  }

  detections(recordingId: string, query: Partial<DetectionsQuery> = {}): Promise<Detections> {
    return this.#get(`/v1/recordings/${encodeURIComponent(recordingId)}/detections`, Detections, query);
  }

  unscored(recordingId: string, query: Pick<UnscoredQuery, 'model' | 'window' | 'hop'> & { limit?: number }): Promise<Unscored> {
    return this.#get(`/v1/recordings/${encodeURIComponent(recordingId)}/unscored`, Unscored, query);
  }

  latest(query: LatestQuery): Promise<Latest> {
    return this.#get('/v1/latest', Latest, query);
  }

  ledger(query: LedgerQuery): Promise<Ledger> {
    return this.#get('/v1/ledger', Ledger, query);
  }

  quarantine(): Promise<Quarantine> {
    return this.#get('/v1/quarantine', Quarantine);
  }

  stats(): Promise<Stats> {
    return this.#get('/v1/stats', Stats);
  }

  /** Every alarm that has not ended, every pause, and whether the alarm service is alive. */
  alarms(): Promise<AlarmsNow> {
    return this.#get('/v1/alarms', AlarmsNow);
  }

  /** Silences one alarm, never its condition; `by` says who. */
  async acknowledgeAlarm(alarmId: string, by: string): Promise<void> {
    await this.#http.postJson(`/v1/alarms/${encodeURIComponent(alarmId)}/acknowledge`, { by });
  }

  /** Silences a device's alarms for at most 120 s, those of a higher priority excepted; 0 seconds ends a pause. */
  async pauseAlarms(device: string, seconds: number, by: string): Promise<void> {
    await this.#http.postJson(`/v1/devices/${encodeURIComponent(device)}/alarm-pause`, { seconds, by });
  }

  /** The limits of one patient, of every vital in the order of their table. */
  async alarmLimits(patient: string): Promise<readonly PatientLimits[]> {
    return (await this.#get(`/v1/patients/${encodeURIComponent(patient)}/alarm-limits`, LimitsOfPatient)).limits;
  }

  async putAlarmLimits(patient: string, stream: NumericStream, put: LimitsPut): Promise<void> {
    await this.#http.putJson(`/v1/patients/${encodeURIComponent(patient)}/alarm-limits/${stream}`, put);
  }

  /** Every patient whose limits somebody set, and every change with the old and the new value. */
  allAlarmLimits(): Promise<AllLimits> {
    return this.#get('/v1/alarm-limits', AllLimits);
  }

  alarmLog(query: Partial<AlarmLogQuery> = {}): Promise<AlarmLog> {
    return this.#get('/v1/alarm-log', AlarmLog, query);
  }

  /** All stored lines that match, oldest first, page by page. */
  async *eachAlarmLine(query: Partial<Omit<AlarmLogQuery, 'cursor'>> = {}): AsyncGenerator<AlarmLog['lines'][number]> {
    let cursor: string | undefined;
    do {
      const page = await this.alarmLog({ ...query, ...(cursor === undefined ? {} : { cursor }) });
      yield* page.lines;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** Opens a live stream that reconnects by itself until it is closed. */
  live(wish: LiveWish, handlers: LiveHandlers, options: { credit?: number } = {}): LiveStream {
    const stream = new LiveStream({
      url: this.url,
      token: this.#options.token,
      agent: this.#openAgent(),
      clock: this.#clock,
      wish,
      handlers,
      onClosed: () => this.#streams.delete(stream),
      ...options,
    });
    this.#streams.add(stream);
    return stream;
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.close();
    const agent = this.#agent;
    this.#agent = null;
    await Promise.all([this.#http.close(), agent?.destroy()]);
  }

  #get<Schema extends z.ZodType>(path: string, schema: Schema, query: Query = {}): Promise<z.output<Schema>> {
    return this.#http.getJson(path, schema, { query });
  }

  #openAgent(): Agent {
    const { caPath } = this.#options;
    this.#agent ??= new Agent({ connect: caPath === undefined ? {} : { ca: readFileSync(caPath, 'utf8') } });
    return this.#agent;
  }
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** Takes `u32 length, message` pairs apart. */
export function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const end = at + 4 <= bytes.byteLength ? at + 4 + view.getUint32(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.byteLength) throw new HttpError('BAD_ANSWER', `the stored messages end in the middle of one, at byte ${at}`);
    messages.push(new Uint8Array(bytes.buffer, bytes.byteOffset + at + 4, end - at - 4));
    at = end;
  }
  return messages;
}
