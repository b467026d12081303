import { createFrontDoor, type FrontDoor } from '@vitalwire/broker';
import {
  type AlarmLine,
  type AllLimits,
  LimitsPut,
  type NumericStream,
  numericFacts,
  numericStreams,
  type PatientLimits,
  type Registry,
} from '@vitalwire/contract';
import { type Api, createApi, createLog, fixedToken, listen, Probes, systemClock } from '@vitalwire/runtime';
import { createWeb, type Web, WebConfig } from '@vitalwire/web';
import { freePort } from './free-port.ts';
import { TestGateway } from './screen-gateway.ts';
import { removeTempDir, tempDir } from './temp-dir.ts';
import { TestAlarms } from './test-alarms.ts';
import { TestPki } from './test-pki.ts';
import { until } from './until.ts';

const TOKEN = 'viewer-token-for-tests';
const STORAGE_TOKEN = 'storage-token-for-tests';

/** How the stand-in for storage behaves: it answers, takes questions without ever answering, or refuses connections' requests. */
export type StorageMood = 'answers' | 'hangs' | 'fails';

export type ScreenWorldOptions = {
  dataDir?: string;
  storageTimeoutMs?: number;
  pageDir?: string;
  maxViewers?: number;
  storage?: StorageMood;
  logLevel?: string;
  /** Without it web knows no alarms service, and hears none. */
  alarms?: boolean;
};

const log = createLog({ name: 'screen-world', level: process.env['VW_TEST_LOG'] ?? 'silent' });

/**
 * What a screen needs around it, for tests: a real front door over TLS (commits are accepted at once), a stand-in for storage's
 * HTTP with a registry in memory, the real web service, and gateways whose devices can be made to send anything.
 */
export class ScreenWorld {
  readonly token = TOKEN;
  readonly registry: Registry = { revision: 1, patients: [], devices: [], assignments: [] };
  mood: StorageMood = 'answers';
  storageRequests = 0;
  /** What the stand-in for storage answers for the alarm log, and what it was asked. */
  alarmLog: AlarmLine[] = [];
  readonly alarmLogQueries: Record<string, string>[] = [];
  readonly #limits = new Map<string, PatientLimits>(); // by patient and vital
  readonly #limitChanges: AllLimits['changes'] = [];
  readonly pki: TestPki;
  readonly dir: string;
  readonly #options: ScreenWorldOptions;
  readonly #gateways: TestGateway[] = [];
  #frontDoor: FrontDoor | null = null;
  #storage: Api | null = null;
  #web: Web | null = null;
  #alarms: TestAlarms | null = null;
  #ports = { frontDoor: 0, storage: 0, web: 0, alarms: 0 };

  private constructor(pki: TestPki, options: ScreenWorldOptions) {
    this.pki = pki;
    this.dir = options.dataDir ?? tempDir('vw-web-');
    this.#options = options;
    this.mood = options.storage ?? 'answers';
  }

  static async start(options: ScreenWorldOptions = {}): Promise<ScreenWorld> {
    const world = new ScreenWorld(await TestPki.create(), options);
    world.#ports = { frontDoor: await freePort(), storage: await freePort(), web: await freePort(), alarms: await freePort() };
    await world.startFrontDoor();
    await world.#startStorage();
    if (options.alarms !== false) {
      world.#alarms = new TestAlarms(await world.pki.service('alarms'), world.frontDoorUrl, world.#ports.alarms);
      await world.#alarms.start();
    }
    await world.startWeb();
    return world;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#ports.web}`;
  }

  get alarms(): TestAlarms {
    if (this.#alarms === null) throw new Error('this world was started without alarms');
    return this.#alarms;
  }

  get caPath(): string {
    return this.pki.caPath;
  }

  get frontDoorUrl(): string {
    return `mqtts://127.0.0.1:${this.#ports.frontDoor}`;
  }

  /** Live connections at web. */
  viewers(): number {
    return this.#web?.counts().viewers ?? 0;
  }

  /** Adds a patient who wears these devices from the beginning of time. */
  addPatient(id: string, label: string, devices: readonly string[]): void {
    this.registry.patients.push({ id, label, notes: null });
    for (const device of devices) {
      this.registry.devices.push({ id: device, kind: device.startsWith('hr') ? 'heart-rate' : 'eeg', label: null, gateway: null });
      this.registry.assignments.push({ device, patient: id, fromUs: 0, toUs: null });
    }
    this.registry.revision += 1;
  }

  async gateway(id = 'gateway-1'): Promise<TestGateway> {
    const gateway = new TestGateway(id, this.frontDoorUrl, await this.pki.gateway(id));
    this.#gateways.push(gateway);
    await gateway.start();
    return gateway;
  }

  async startFrontDoor(): Promise<void> {
    const probes = new Probes({ log });
    this.#frontDoor = createFrontDoor({
      host: '127.0.0.1',
      port: this.#ports.frontDoor,
      identity: await this.pki.service('ingest'),
      accept: { durable: async () => 'route', live: () => null },
      hello: async () => ({ generation: '00000000-0000-7000-8000-000000000000', nowUs: systemClock.nowUs(), version: '0' }),
      log,
      clock: systemClock,
      registry: probes.registry,
    });
    await this.#frontDoor.start();
  }

  async stopFrontDoor(): Promise<void> {
    await this.#frontDoor?.stop();
    this.#frontDoor = null;
  }

  async startWeb(): Promise<void> {
    const { certPath, keyPath, caPath } = await this.pki.service('web');
    const { storageTimeoutMs, pageDir, maxViewers } = this.#options;
    const config = WebConfig.parse({
      port: this.#ports.web,
      certPath,
      keyPath,
      caPath,
      frontDoorUrl: this.frontDoorUrl,
      storageUrl: `https://127.0.0.1:${this.#ports.storage}`,
      storageToken: STORAGE_TOKEN,
      token: TOKEN,
      dataDir: this.dir,
      ...(this.#alarms === null ? {} : { alarmsUrl: this.#alarms.url, alarmsToken: this.#alarms.token }),
      ...(storageTimeoutMs === undefined ? {} : { storageTimeoutMs }),
      ...(pageDir === undefined ? {} : { pageDir }),
      ...(maxViewers === undefined ? {} : { maxViewers }),
    });
    this.#web = createWeb(config, { log, clock: systemClock });
    await this.#web.start(new AbortController().signal);
  }

  async stopWeb(): Promise<void> {
    await this.#web?.stop();
    this.#web = null;
  }

  /** Waits until web hears the front door and the alarm path, and has read the registry. */
  async ready(): Promise<void> {
    const { Client } = await import('@vitalwire/client');
    const client = await Client.connect({ url: this.url, token: this.token, caPath: this.caPath });
    await until(async () => {
      const { links } = await client.state();
      if (this.#alarms !== null && links.alarms !== 'ok') return false;
      return links.frontDoor === 'ok' && (this.mood !== 'answers' || links.registryRevision === String(this.registry.revision));
    }, 10_000);
    await client.close();
  }

  async stop(): Promise<void> {
    this.mood = 'fails';
    await Promise.all([...this.#gateways.map((gateway) => gateway.stop()), this.#alarms?.stop()]);
    await this.stopWeb();
    await this.stopFrontDoor();
    await this.#storage?.close();
    this.pki.remove();
    if (this.#options.dataDir === undefined) removeTempDir(this.dir);
  }

  async #startStorage(): Promise<void> {
    const api = createApi({ log, tls: await this.pki.service('storage'), tokens: fixedToken(STORAGE_TOKEN) });
    api.addHook('onRequest', async (_request, reply) => {
      this.storageRequests += 1;
      if (this.mood === 'hangs') await new Promise(() => {});
      if (this.mood === 'fails') await reply.code(503).send({ error: { code: 'DATABASE_DOWN', message: 'no', next: 'wait' } });
    });
    api.get('/v1/registry', () => this.registry);
    api.get('/v1/patients', () => ({ patients: this.registry.patients }));
    api.put('/v1/patients/:id', (request) => {
      this.addPatient((request.params as { id: string }).id, (request.body as { label?: string }).label ?? '', []);
      return {};
    });
    api.get('/v1/gateways', () => ({ gateways: [] }));
    api.get('/v1/stats', () => ({
      chunks: 1,
      samples: 44,
      quarantined: 0,
      detections: 0,
      conflicts: 0,
      lastCommittedAtUs: null,
      schemaVersion: 1,
      generation: '00000000-0000-7000-8000-000000000000',
    }));
    api.get('/v1/alarm-log', (request) => {
      this.alarmLogQueries.push(request.query as Record<string, string>);
      return { lines: this.alarmLog, next: null };
    });
    api.get('/v1/alarm-limits', () => ({ limits: [...this.#limits.values()], changes: this.#limitChanges }));
    api.get('/v1/patients/:id/alarm-limits', (request) => {
      const { id } = request.params as { id: string };
      return {
        limits: numericStreams.map(
          (stream) =>
            this.#limits.get(`${id} ${stream}`) ?? {
              patient: id,
              stream,
              limits: numericFacts(stream).limits.usual,
              changedAtUs: null,
              changedBy: null,
            },
        ),
      };
    });
    api.put('/v1/patients/:id/alarm-limits/:stream', (request) => {
      const { id, stream } = request.params as { id: string; stream: NumericStream };
      const { limits, by } = LimitsPut.parse(request.body);
      const atUs = systemClock.nowUs();
      const before = this.#limits.get(`${id} ${stream}`)?.limits ?? null;
      this.#limitChanges.unshift({ patient: id, stream, atUs, by, before, after: limits });
      this.#limits.set(`${id} ${stream}`, { patient: id, stream, limits, changedAtUs: atUs, changedBy: by });
      return {};
    });
    api.get('/v1/recordings/:id/chunks', (_request, reply) =>
      reply
        .header('content-type', 'application/vnd.vitalwire.messages')
        .header('x-next-seq', '7')
        .send(Buffer.from([0, 0, 0, 2, 9, 9])),
    );
    await listen(api, '127.0.0.1', this.#ports.storage);
    this.#storage = api;
  }
}
