import { createHash, randomBytes } from 'node:crypto';
import {
  AcknowledgePost,
  type Alarm,
  type AlarmCondition,
  type AlarmInfo,
  type AlarmPause,
  type AlarmPriority,
  type AlarmState,
  type AlarmTransition,
  derivedId,
  encodeMessage,
  formatTopic,
  newRecordingId,
  PausePost,
} from '@vitalwire/contract';
import {
  type Api,
  ApiError,
  createApi,
  createLog,
  DurablePublisher,
  fixedToken,
  type Identity,
  listen,
  systemClock,
} from '@vitalwire/runtime';
import { until } from './until.ts';

const log = createLog({ name: 'test-alarms', level: process.env['VW_TEST_LOG'] ?? 'silent' });
const PULSE_MS = 500;
const TECHNICAL: ReadonlySet<AlarmCondition> = new Set([
  'lead-off',
  'poor-signal',
  'no-data',
  'gateway-offline',
  'storage-behind',
  'model-unavailable',
  'detection-thinned',
]);

export type RaiseOptions = {
  priority?: AlarmPriority;
  text?: string;
  value?: number;
  limit?: number;
  channel?: number;
  replay?: AlarmInfo['replay'];
  onsetAgoMs?: number;
  live?: boolean; // on the live lane alone
};

/**
 * What screens hear of an alarms service, for tests of screens: its lines and pulses over a real front door with its certificate, and its
 * HTTP. It decides nothing; a test says what happens.
 */
export class TestAlarms {
  readonly token = 'alarms-token-for-tests';
  readonly #identity: Identity;
  readonly #publisher: DurablePublisher;
  readonly #port: number;
  readonly #logId = newRecordingId('alarms', Date.now(), randomBytes(6));
  readonly #pulseId = newRecordingId('alarms', Date.now(), randomBytes(6));
  readonly #alarms = new Map<string, AlarmInfo>();
  readonly #pauses = new Map<string, AlarmPause>();
  #api: Api | null = null;
  #pulse: NodeJS.Timeout | null = null;
  #seq = 0;
  #pulses = 0;
  /** Requests that reached its HTTP. */
  requests = 0;

  constructor(identity: Identity, frontDoorUrl: string, port: number) {
    this.#identity = identity;
    this.#port = port;
    this.#publisher = new DurablePublisher({ url: frontDoorUrl, identity, clientId: 'alarms-pub', liveClientId: 'alarms-live', log });
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    await this.startHttp();
    await this.#publisher.start(new AbortController().signal);
    this.beat();
  }

  /** Sends a pulse now and twice a second from now on. */
  beat(): void {
    const send = (): void => {
      const line = this.#line('alarms', { transition: 'pulse', subject: this.#pulseId });
      this.#publisher.publishLive(formatTopic('alarms', 'alarms', 'alarm', true), encodeMessage({ ...line, seq: this.#pulses++ }));
    };
    this.stopBeating();
    send();
    this.#pulse = setInterval(send, PULSE_MS);
  }

  stopBeating(): void {
    if (this.#pulse !== null) clearInterval(this.#pulse);
    this.#pulse = null;
  }

  /** A new alarm; returns its id. */
  async raise(device: string, condition: AlarmCondition, options: RaiseOptions = {}): Promise<string> {
    const isTechnical = TECHNICAL.has(condition);
    const nowUs = systemClock.nowUs();
    const onsetUs = nowUs - (options.onsetAgoMs ?? 0) * 1000;
    const alarmId = createHash('sha256').update(`${device} ${condition} ${onsetUs}`).digest('hex').slice(0, 16);
    this.#alarms.set(alarmId, {
      alarmId,
      device,
      condition,
      category: isTechnical ? 'technical' : 'physiological',
      priority: options.priority ?? (isTechnical ? 'medium' : condition === 'seizure' ? 'high' : 'medium'),
      state: 'active',
      onsetUs,
      endedUs: null,
      raisedAtUs: nowUs,
      changedAtUs: nowUs,
      acknowledgedAtUs: null,
      acknowledgedBy: null,
      value: options.value ?? null,
      limit: options.limit ?? null,
      channel: options.channel ?? null,
      senders: ['alarms'],
      replay: options.replay ?? null,
      text: options.text ?? '',
    });
    await this.#tell(alarmId, 'raised', '', options.live === true);
    return alarmId;
  }

  /** The next line of an alarm: what happened, and the state it is in then. */
  async say(alarmId: string, transition: AlarmTransition, change: Partial<AlarmInfo> = {}, by = ''): Promise<void> {
    const known = this.#alarms.get(alarmId);
    if (known === undefined) throw new Error(`no alarm ${alarmId}`);
    this.#alarms.set(alarmId, { ...known, ...change, changedAtUs: systemClock.nowUs() });
    await this.#tell(alarmId, transition, by);
    if (change.state === 'ended') this.#alarms.delete(alarmId);
  }

  async pause(device: string, seconds: number, by: string, above: AlarmPriority = 'high'): Promise<void> {
    const untilUs = systemClock.nowUs() + seconds * 1_000_000;
    if (seconds === 0) this.#pauses.delete(device);
    else this.#pauses.set(device, { device, untilUs, by, above });
    const line = this.#line(device, {
      transition: seconds === 0 ? 'resumed' : 'paused',
      priority: above,
      by,
      untilUs: seconds === 0 ? null : untilUs,
    });
    await this.#publish(line, false);
  }

  async startHttp(): Promise<void> {
    const api = createApi({ log, tls: this.#identity, tokens: fixedToken(this.token) });
    api.addHook('onRequest', async () => {
      this.requests += 1;
    });
    api.get('/v1/alarms', () => ({
      nowUs: systemClock.nowUs(),
      path: 'ok',
      alarms: [...this.#alarms.values()],
      pauses: [...this.#pauses.values()],
    }));
    api.post('/v1/alarms/:id/acknowledge', { schema: { body: AcknowledgePost } }, async (request) => {
      const { id } = request.params as { id: string };
      const { by } = request.body;
      if (!this.#alarms.has(id))
        throw new ApiError(404, 'NO_SUCH_ALARM', `no alarm ${id} is open`, 'it may have ended: ask GET /v1/alarms');
      const state: AlarmState = this.#alarms.get(id)?.state === 'latched' ? 'ended' : 'acknowledged';
      await this.say(
        id,
        state === 'ended' ? 'ended' : 'acknowledged',
        { state, acknowledgedBy: by, acknowledgedAtUs: systemClock.nowUs() },
        by,
      );
      return { alarmId: id };
    });
    api.post('/v1/devices/:id/alarm-pause', { schema: { body: PausePost } }, async (request) => {
      const { id } = request.params as { id: string };
      await this.pause(id, request.body.seconds, request.body.by);
      return { device: id };
    });
    await listen(api, '127.0.0.1', this.#port);
    this.#api = api;
  }

  async stopHttp(): Promise<void> {
    await this.#api?.close();
    this.#api = null;
  }

  async stop(): Promise<void> {
    this.stopBeating();
    await this.#publisher.stop();
    await this.stopHttp();
  }

  async #tell(alarmId: string, transition: AlarmTransition, by: string, liveOnly = false): Promise<void> {
    const info = this.#alarms.get(alarmId);
    if (info === undefined) throw new Error(`no alarm ${alarmId}`);
    const { device, condition, priority, state, onsetUs, endedUs, value, limit, channel, replay, text } = info;
    const line = this.#line(device, {
      alarmId,
      condition,
      priority,
      state,
      transition,
      onsetUs,
      endedUs,
      value,
      limit,
      channel,
      replay,
      text,
      by,
    });
    await this.#publish(line, liveOnly);
  }

  async #publish(line: Alarm, liveOnly: boolean): Promise<void> {
    const bytes = encodeMessage(line);
    await until(() => this.#publisher.connected, 10_000);
    this.#publisher.publishLive(formatTopic('alarms', line.device, 'alarm', true), bytes);
    if (!liveOnly) await this.#publisher.publish(formatTopic('alarms', line.device, 'alarm'), bytes);
  }

  #line(device: string, rest: Partial<Alarm>): Alarm {
    return alarmLine({ seq: rest.transition === 'pulse' ? 0 : this.#seq++, subject: this.#logId, device, ...rest });
  }
}

/** A line of an alarm log now; what is not said is about nothing. */
export function alarmLine(rest: Partial<Alarm> & Pick<Alarm, 'subject' | 'seq' | 'device'>): Alarm {
  return {
    stream: 'alarm',
    recordingId: derivedId(rest.subject, 'alarm'),
    measuredAtUs: systemClock.nowUs(),
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    sender: 'alarms',
    alarmId: '',
    condition: null,
    priority: 'low',
    state: 'active',
    transition: 'updated',
    onsetUs: null,
    endedUs: null,
    value: null,
    limit: null,
    channel: null,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: '',
    fence: 1,
    ...rest,
  };
}
