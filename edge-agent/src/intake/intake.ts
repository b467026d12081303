import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import {
  AcknowledgePost,
  AgentStatus,
  AlarmId,
  EdgeWatch,
  EegIntake,
  EventsIntake,
  HealthAutoExport,
  HeartRateIntake,
  IntakeAnswer,
  limits,
  NumericIntake,
  numericStreams,
  PhoneExportAnswer,
  type Stream,
  sampleBlockMediaType,
  topicFits,
} from '@vitalwire/contract';
import { OutboxError, type SeqRange } from '@vitalwire/outbox';
import {
  type Api,
  ApiError,
  Counter,
  createApi,
  type Identity,
  type Lifecycle,
  type Listening,
  type Log,
  listen,
  type Registry,
  type TokenCheck,
} from '@vitalwire/runtime';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { countOf } from '../cutter.ts';
import type { Sessions } from '../sessions.ts';
import { mergeRanges, NoRepeat, SkippedSamples, type StreamAnswer, type StreamRequest } from '../stream-request.ts';
import type { LocalWatch } from '../watch/local-watch.ts';
import { BodyBudget, tooBusy } from './body-budget.ts';
import type { DateBounds } from './phone-point.ts';
import { PhoneReader } from './phone-reader.ts';
import { phoneStreams } from './phone-vitals.ts';
import type { Refusals } from './refusals.ts';
import {
  check,
  type DeviceRequest,
  heartRatePath,
  invalid,
  mediaType,
  readEeg,
  readEvents,
  readHeartRate,
  readNumeric,
} from './requests.ts';
import { contentTypeOf, documented, onlyOperator, sizeOf, tlsText, vitalOf } from './route-parts.ts';

export type IntakeOptions = {
  readonly gateway: string;
  readonly host: string;
  readonly port: number;
  readonly tls: Identity;
  readonly tokens: TokenCheck;
  readonly sessions: Sessions;
  readonly chunkMs: number;
  readonly sourceKey: () => string; // what turns the name of a phone's source into its id
  readonly phoneBounds: () => DateBounds;
  readonly refusals: Refusals;
  readonly log: Log;
  readonly registry: Registry;
  readonly status: () => Promise<AgentStatus>;
  readonly drain: (on: boolean) => Promise<AgentStatus>;
  readonly watch: Pick<LocalWatch, 'look' | 'acknowledge'> | null; // null: this gateway does not detect by itself
};

const DrainRequest = z.strictObject({ on: z.boolean() });
const AlarmParams = z.object({ alarmId: AlarmId });
const VitalParams = z.object({ stream: z.enum(numericStreams) });
const phonePath = '/v1/intake/health-auto-export';
const jsonTypes = new Set(['application/json', 'text/json', 'text/plain', 'application/octet-stream', '']); // of the last three it is found out

export const operator = { id: 'operator', role: 'operator' } as const;

/** The HTTPS door for devices beside the patient. A 2xx leaves only after the outbox has committed every reading of the request. */
export class Intake implements Lifecycle {
  readonly #options: IntakeOptions;
  readonly #budget = new BodyBudget();
  readonly #phones: PhoneReader;
  readonly #counted: Counter<'path' | 'outcome'>;
  #api: Api | null = null;
  #listening: Listening | null = null;
  #draining = false;
  #underWay = 0;
  #tlsText = '';

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#phones = new PhoneReader(options.log);
    this.#counted = new Counter({
      name: 'vitalwire_edge_intake_readings_total',
      help: 'Readings that devices sent: accepted, repeated, rejected one by one, or refused because their capture has other readings there',
      labelNames: ['path', 'outcome'],
      registers: [options.registry],
    });
  }

  get port(): number {
    return this.#listening?.port ?? 0;
  }

  get url(): string {
    return this.#listening?.url ?? '';
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** While set, devices are answered 503: nothing new comes in, everything else goes on. */
  setDraining(on: boolean): void {
    this.#draining = on;
  }

  async start(): Promise<void> {
    const { host, port, tls, tokens, log } = this.#options;
    const api = createApi({ log, tls, tokens, bodyLimit: limits.maxIntakeBytes, apiKeys: true, gzip: true });
    this.#tlsText = await tlsText(tls);
    this.#budget.guard(api);
    this.#addRoutes(api);
    this.#addOperatorRoutes(api);
    this.#api = api;
    this.#listening = await listen(api, host, port);
  }

  /** Takes nothing more in and lets the requests under way be answered. */
  async stop(): Promise<void> {
    this.#draining = true;
    const api = this.#api;
    this.#api = null;
    if (api === null) return;
    for (let waited = 0; this.#underWay > 0 && waited < 200; waited += 1) await new Promise((resolve) => setTimeout(resolve, 25));
    await api.close();
    await this.#phones.stop();
  }

  /** A certificate that was replaced on disk serves from now on, for new connections. */
  async reloadTls(): Promise<void> {
    const { tls, log } = this.#options;
    const api = this.#api;
    if (api === null) return;
    try {
      const [cert, key, ca] = await Promise.all([
        readFile(tls.certPath, 'utf8'),
        readFile(tls.keyPath, 'utf8'),
        readFile(tls.caPath, 'utf8'),
      ]);
      if (cert + key + ca === this.#tlsText || !('setSecureContext' in api.server)) return;
      (api.server as unknown as { setSecureContext(options: object): void }).setSecureContext({ cert, key, ca, minVersion: 'TLSv1.2' });
      this.#tlsText = cert + key + ca;
      log.info('the intake uses its new certificate');
    } catch (error) {
      log.warn({ err: error }, 'the new certificate of the intake cannot be used yet; the old one serves on');
    }
  }

  #addRoutes(api: Api): void {
    const { chunkMs } = this.#options;
    const answers = { 200: IntakeAnswer, 201: IntakeAnswer };
    api.post(
      '/v1/eeg',
      {
        ...documented({ summary: 'Samples of an EEG device', body: EegIntake, response: answers }),
        config: { otherBodies: [sampleBlockMediaType] },
      },
      (request, reply) => this.#answer(request, reply, () => readEeg(request.body, contentTypeOf(request), chunkMs)),
    );
    const ofVital = documented({ summary: 'Readings of a numeric vital', params: VitalParams, body: NumericIntake, response: answers });
    api.post('/v1/numeric/:stream', ofVital, (request, reply) =>
      this.#answer(request, reply, () => readNumeric(vitalOf(request.params), request.body)),
    );
    api.post(heartRatePath, documented({ summary: 'Heart rates', body: HeartRateIntake, response: answers }), (request, reply) =>
      this.#answer(request, reply, () => readHeartRate(request.body)),
    );
    api.post('/v1/events', documented({ summary: 'Events', body: EventsIntake, response: answers }), (request, reply) =>
      this.#answer(request, reply, () => readEvents(request.body)),
    );
    void api.register(async (plugin) => {
      const scope = plugin as unknown as Api;
      // The body is read in pieces as it comes, whatever it says it is: only then can its sender be told what was wrong with it.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
      scope.post(
        phonePath,
        {
          ...documented({
            summary: 'An export of the app Health Auto Export',
            body: HealthAutoExport,
            response: { 200: PhoneExportAnswer },
          }),
          bodyLimit: limits.maxPhoneExportBytes,
          config: { streamed: true },
        },
        (request) => this.#working(request, (device) => this.#takePhoneExport(request, device)),
      );
    });
  }

  /** What a person at the gateway asks and does; no device may. */
  #addOperatorRoutes(api: Api): void {
    api.get('/v1/status', documented({ summary: 'How the agent is', response: { 200: AgentStatus } }), (request) => {
      onlyOperator(request);
      return this.#options.status();
    });
    api.post(
      '/v1/drain',
      documented({ summary: 'Close the intake, or open it again', body: DrainRequest, response: { 200: AgentStatus } }),
      (request) => {
        onlyOperator(request);
        return this.#options.drain(check(DrainRequest, request.body, '/v1/drain').on);
      },
    );
    api.get(
      '/v1/watch',
      documented({ summary: 'What the detector of this gateway sees', response: { 200: EdgeWatch } }),
      (request): Promise<EdgeWatch> => {
        onlyOperator(request);
        return this.#watch().look();
      },
    );
    const acknowledge = documented({
      summary: 'Acknowledge an alarm of this gateway',
      params: AlarmParams,
      body: AcknowledgePost,
      response: { 200: EdgeWatch },
    });
    api.post('/v1/alarms/:alarmId/acknowledge', acknowledge, async (request): Promise<EdgeWatch> => {
      onlyOperator(request);
      const { alarmId } = check(AlarmParams, request.params, '/v1/alarms/:alarmId/acknowledge');
      const { by } = check(AcknowledgePost, request.body, '/v1/alarms/:alarmId/acknowledge');
      const watch = this.#watch();
      const answer = await watch.acknowledge(alarmId, by);
      if (!answer.ok && answer.reason === 'unknown-alarm')
        throw new ApiError(404, 'NO_ALARM', `this gateway has no alarm ${alarmId}`, 'see: vitalwire edge watch');
      return watch.look(); // one that had ended meanwhile needs no acknowledgement any more
    });
  }

  async #takePhoneExport(request: FastifyRequest, device: string): Promise<PhoneExportAnswer> {
    const type = mediaType(contentTypeOf(request));
    if (type === 'multipart/form-data' || type === 'text/csv')
      throw new ApiError(
        415,
        'NOT_JSON',
        `POST ${phonePath}: CSV is not understood`,
        'choose JSON as the format of the automation in the app',
      );
    if (!jsonTypes.has(type))
      throw new ApiError(
        415,
        'NOT_JSON',
        `POST ${phonePath}: the body is not said to be JSON`,
        'send it with content-type: application/json',
      );
    if (!(request.body instanceof Readable)) throw invalid(`POST ${phonePath}: the body is empty`);
    this.#assertFits(device, ['event', ...phoneStreams]);
    const { sessions, sourceKey, phoneBounds, log } = this.#options;
    const aggregation = request.headers['automation-aggregation'];
    const sum = { accepted: 0, repeated: 0, nextSample: 0, recordings: [] as SeqRange[] };
    const options = { bounds: phoneBounds(), sourceKey: sourceKey(), aggregation: typeof aggregation === 'string' ? aggregation : '' };
    const found = await this.#phones.read(request.body, sizeOf(request), options, async (batch) => {
      const answer = await sessions.submitPhone(device, batch);
      sum.accepted += answer.accepted;
      sum.repeated += answer.repeated;
      sum.nextSample = Math.max(sum.nextSample, answer.nextSample);
      sum.recordings = mergeRanges([...sum.recordings, ...answer.recordings]);
      this.#count(phonePath, answer.accepted, answer.repeated, 0);
    });
    const rejected = Object.values(found.rejected).reduce((all, count) => all + count, 0);
    this.#count(phonePath, 0, found.repeatedInside, rejected);
    if (rejected > 0) log.warn({ device, rejected: found.rejected }, 'some points of a phone export cannot be used');
    const { rejected: reasons, ignored, ignoredMetrics, ignoredPoints, trimmed, notes } = found;
    return {
      ...sum,
      repeated: sum.repeated + found.repeatedInside,
      rejected: reasons,
      ignored: [...ignored],
      ignoredMetrics,
      ignoredPoints,
      trimmed,
      notes: [...notes],
    };
  }

  #watch(): Pick<LocalWatch, 'look' | 'acknowledge'> {
    const { watch } = this.#options;
    if (watch === null)
      throw new ApiError(
        409,
        'DETECT_OFF',
        'this gateway does not detect by itself',
        'start it with --detect, or with VITALWIRE_EDGE_DETECT=true',
      );
    return watch;
  }

  #answer(request: FastifyRequest, reply: { status(code: number): unknown }, read: () => DeviceRequest): Promise<StreamAnswer> {
    return this.#working(request, async (device) => {
      const { device: named, request: readings, rejected = {} } = read();
      if (named !== device)
        throw new ApiError(
          403,
          'WRONG_DEVICE',
          `this token belongs to another device than '${named}'`,
          'use the token made for this device',
        );
      this.#assertFits(device, [readings.readings.stream]);
      const answer = await this.#options.sessions.submit(device, readings).catch((error: unknown) => {
        throw this.#refusalOf(error, device, readings, request.routeOptions.url ?? '');
      });
      const none = Object.values(rejected).reduce((sum, count) => sum + count, 0);
      this.#count(request.routeOptions.url ?? '', answer.accepted, answer.repeated, none);
      reply.status(answer.accepted > 0 ? 201 : 200);
      return none === 0 ? answer : { ...answer, rejected };
    });
  }

  async #working<T>(request: FastifyRequest, work: (device: string) => Promise<T>): Promise<T> {
    const device = request.principal?.id ?? '';
    if (request.principal?.role !== 'device')
      throw new ApiError(403, 'NOT_A_DEVICE', 'this path takes the token of a device', 'make one with: vitalwire edge token <device>');
    if (this.#draining)
      throw new ApiError(503, 'DRAINING', 'this gateway takes nothing in at the moment', 'send the same request again later');
    this.#underWay += 1;
    try {
      return await work(device);
    } catch (error) {
      if (OutboxError.is(error, 'OUTBOX_BUSY')) throw tooBusy(error.message);
      if (OutboxError.is(error, 'UNSTORABLE'))
        throw new ApiError(400, 'UNSTORABLE', error.message, 'sent again it will be refused again: correct the request');
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }

  /** What cannot be sent on is not taken in. */
  #assertFits(device: string, streams: readonly Stream[]): void {
    const { gateway } = this.#options;
    if (!streams.every((stream) => topicFits(gateway, device, stream)))
      throw invalid(`the ids of gateway '${gateway}' and device '${device}' are too long together`, 'ID_TOO_LONG');
  }

  /** What the readings of a device were refused for, counted, and told to whoever looks after the gateway. */
  #refusalOf(error: unknown, device: string, { captureId, readings }: StreamRequest, path: string): unknown {
    if (!(error instanceof SkippedSamples || error instanceof NoRepeat)) return error;
    this.#counted.inc({ path, outcome: 'refused' }, countOf(readings));
    if (this.#options.refusals.note(device, captureId))
      this.#options.log.warn({ device, captureId, why: error.message }, 'readings of a device are refused: it must begin a new captureId');
    if (error instanceof SkippedSamples)
      return new ApiError(
        409,
        'SAMPLES_SKIPPED',
        error.message,
        'send them under a new captureId; within a capture samples go forward only',
      );
    return new ApiError(
      409,
      error.why === 'other' ? 'CAPTURE_RESTARTED' : 'SAMPLES_UNKNOWN',
      `${error.message}; nothing of this request was stored`,
      'send it under a new captureId, as every run of a device has its own; there its samples count from any number on',
    );
  }

  #count(path: string, accepted: number, repeated: number, rejected: number): void {
    this.#counted.inc({ path, outcome: 'accepted' }, accepted);
    this.#counted.inc({ path, outcome: 'repeated' }, repeated);
    this.#counted.inc({ path, outcome: 'rejected' }, rejected);
  }
}
