import { readFile } from 'node:fs/promises';
import { AcknowledgePost, type AgentStatus, AlarmId, type EdgeWatch, HealthAutoExport, limits, topicFits } from '@vitalwire/contract';
import { OutboxError } from '@vitalwire/outbox';
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
import { NoRepeat, SkippedSamples, type StreamAnswer, type StreamRequest } from '../stream-session.ts';
import type { LocalWatch } from '../watch/local-watch.ts';
import { BodyBudget, tooBusy } from './body-budget.ts';
import { readPhoneExport } from './health-auto-export.ts';
import type { Refusals } from './refusals.ts';
import { check, type DeviceRequest, invalid, mediaType, readEeg, readEvents, readHeartRate } from './requests.ts';

export type IntakeOptions = {
  readonly gateway: string;
  readonly host: string;
  readonly port: number;
  readonly tls: Identity;
  readonly tokens: TokenCheck;
  readonly sessions: Sessions;
  readonly chunkMs: number;
  readonly refusals: Refusals;
  readonly log: Log;
  readonly registry: Registry;
  readonly status: () => Promise<AgentStatus>;
  readonly drain: (on: boolean) => Promise<AgentStatus>;
  readonly watch: Pick<LocalWatch, 'look' | 'acknowledge'> | null; // null: this gateway does not detect by itself
};

const DrainRequest = z.strictObject({ on: z.boolean() });

export const operator = { id: 'operator', role: 'operator' } as const;

/** The HTTPS door for devices beside the patient. A 2xx leaves only after the outbox has committed every reading of the request. */
export class Intake implements Lifecycle {
  readonly #options: IntakeOptions;
  readonly #budget = new BodyBudget();
  readonly #counted: Counter<'path' | 'outcome'>;
  #api: Api | null = null;
  #listening: Listening | null = null;
  #draining = false;
  #underWay = 0;
  #tlsText = '';

  constructor(options: IntakeOptions) {
    this.#options = options;
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
    const api = createApi({ log, tls, tokens, bodyLimit: limits.maxIntakeBytes });
    this.#tlsText = await tlsText(tls);
    this.#budget.guard(api);
    this.#addRoutes(api);
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
    const { chunkMs, sessions } = this.#options;
    const contentType = (request: FastifyRequest): string => request.headers['content-type'] ?? '';
    api.post('/v1/eeg', (request, reply) => this.#answer(request, reply, () => readEeg(request.body, contentType(request), chunkMs)));
    api.post('/v1/heart-rate', (request, reply) => this.#answer(request, reply, () => readHeartRate(request.body)));
    api.post('/v1/events', (request, reply) => this.#answer(request, reply, () => readEvents(request.body)));
    api.post('/v1/intake/health-auto-export', { bodyLimit: limits.maxPhoneExportBytes }, (request) =>
      this.#working(request, async (device) => {
        if (mediaType(contentType(request)) === 'multipart/form-data')
          throw invalid('POST /v1/intake/health-auto-export: CSV is not understood; choose JSON as the format in the app', 'NOT_JSON', 415);
        const found = readPhoneExport(check(HealthAutoExport, request.body, '/v1/intake/health-auto-export'));
        const answer = await sessions.submitPhone(device, found);
        const rejected = Object.values(found.rejected).reduce((sum, count) => sum + count, 0);
        this.#count('/v1/intake/health-auto-export', answer.accepted, answer.repeated + found.repeatedInside, rejected);
        if (rejected > 0) this.#options.log.warn({ device, rejected: found.rejected }, 'some points of a phone export cannot be used');
        return {
          ...answer,
          repeated: answer.repeated + found.repeatedInside,
          rejected: found.rejected,
          ignoredMetrics: found.ignoredMetrics,
          ignoredPoints: found.ignoredPoints,
        };
      }),
    );
    api.get('/v1/status', (request) => {
      onlyOperator(request);
      return this.#options.status();
    });
    api.post('/v1/drain', (request) => {
      onlyOperator(request);
      return this.#options.drain(check(DrainRequest, request.body, '/v1/drain').on);
    });
    api.get('/v1/watch', (request): Promise<EdgeWatch> => {
      onlyOperator(request);
      return this.#watch().look();
    });
    api.post('/v1/alarms/:alarmId/acknowledge', async (request): Promise<EdgeWatch> => {
      onlyOperator(request);
      const { alarmId } = check(z.object({ alarmId: AlarmId }), request.params, '/v1/alarms/:alarmId/acknowledge');
      const { by } = check(AcknowledgePost, request.body, '/v1/alarms/:alarmId/acknowledge');
      const watch = this.#watch();
      const answer = await watch.acknowledge(alarmId, by);
      if (!answer.ok && answer.reason === 'unknown-alarm')
        throw new ApiError(404, 'NO_ALARM', `this gateway has no alarm ${alarmId}`, 'see: vitalwire edge watch');
      return watch.look(); // one that had ended meanwhile needs no acknowledgement any more
    });
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
      const { device: named, request: readings } = read();
      if (named !== device)
        throw new ApiError(
          403,
          'WRONG_DEVICE',
          `this token belongs to another device than '${named}'`,
          'use the token made for this device',
        );
      const answer = await this.#options.sessions.submit(device, readings).catch((error: unknown) => {
        throw this.#refusalOf(error, device, readings, request.routeOptions.url ?? '');
      });
      this.#count(request.routeOptions.url ?? '', answer.accepted, answer.repeated, 0);
      reply.status(answer.accepted > 0 ? 201 : 200);
      return answer;
    });
  }

  async #working<T>(request: FastifyRequest, work: (device: string) => Promise<T>): Promise<T> {
    const device = request.principal?.id ?? '';
    if (request.principal?.role !== 'device')
      throw new ApiError(403, 'NOT_A_DEVICE', 'this path takes the token of a device', 'make one with: vitalwire edge token <device>');
    if (!topicFits(this.#options.gateway, device))
      throw invalid(`the ids of gateway '${this.#options.gateway}' and device '${device}' are too long together`, 'ID_TOO_LONG');
    if (this.#draining)
      throw new ApiError(503, 'DRAINING', 'this gateway takes nothing in at the moment', 'send the same request again later');
    this.#underWay += 1;
    try {
      return await work(device);
    } catch (error) {
      if (OutboxError.is(error, 'OUTBOX_BUSY')) throw tooBusy(error.message);
      throw error;
    } finally {
      this.#underWay -= 1;
    }
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

function onlyOperator(request: FastifyRequest): void {
  if (request.principal?.role !== 'operator')
    throw new ApiError(
      403,
      'NOT_THE_OPERATOR',
      "this path takes the operator's token",
      'it is in agent.token in the data directory of the agent',
    );
}

async function tlsText(tls: Identity): Promise<string> {
  return (await Promise.all([tls.certPath, tls.keyPath, tls.caPath].map((path) => readFile(path, 'utf8').catch(() => '')))).join('');
}
