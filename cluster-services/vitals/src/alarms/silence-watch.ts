import { type AlarmPriority, type NumericStream, numericFacts, RecentMap } from '@vitalwire/contract';
import { rulesOf, type SilenceLimits } from '../numeric-rules.ts';
import type { Statement } from './statement.ts';

/** What is missed when it falls silent; a vital that is measured now and then is not. */
export type WatchedStream = 'eeg' | NumericStream;
/** A condition and what it is about: a device, a gateway, or a service. */
export type Spoken = { readonly device: string; readonly statement: Statement };

/** (n) the table of stale data of our notes; a gateway says how it is every 5 s. Milliseconds on the receiver's clock. */
const silenceLimits = {
  gatewayMs: 15_000,
  gatewayUrgentMs: 60_000,
  storageMs: 10_000,
  modelMs: 15_000,
  modelUrgentMs: 60_000,
  flowMs: 3_000, // data heard within this counts as flowing
} as const;

const eegSilence: SilenceLimits = { silentMs: 10_000, urgentMs: 60_000 };

function silenceOf(stream: WatchedStream): SilenceLimits | null {
  return stream === 'eeg' ? eegSilence : rulesOf(stream).silence;
}

/** Who sends is heard within this after a restart, also where the connection has to be made anew. */
const EXPECTED_SOON_MS = 3_000;

/** Devices and streams watched at once; beyond it the one unheard for longest is no longer watched, and counted. */
const MAX_WATCHED = 8_192;
const MAX_RECORDINGS_PER_STREAM = 8;

type Heard = {
  readonly device: string;
  readonly stream: WatchedStream;
  gateway: string | null; // that sends it, as far as it was told
  heardMs: number;
  lastDataUs: number; // device clock, end of the newest reading
  isOff: boolean; // its recording ended in an ordinary way
  isExpected: boolean; // nothing of it has come to this watch yet: it cannot be said to arrive
  readonly ends: Map<string, number>; // per recording: how far it has come
  flowsSinceMs: number; // since when EEG has come without a pause
  detectedMs: number | null;
  everyMs: number; // under overload: from one judged window to the next
};
type Gateway = { heardMs: number; isOnline: boolean; lastUs: number; why: string };

/**
 * Says what has fallen silent, on the receiver's clock: `nowMs` must never jump. A recording that ended in an ordinary way is off, not
 * silent. Repeats and copies are no sign of life: a reading counts if its recording has come further.
 */
export class SilenceWatch {
  readonly #streams = new RecentMap<string, Heard>(MAX_WATCHED, () => this.#unwatch()); // last = heard last
  readonly #gateways = new RecentMap<string, Gateway>(MAX_WATCHED, () => this.#unwatch()); // last = heard last
  readonly #startedMs: number;
  #durableMs: number | null = null;
  #liveMs = Number.NEGATIVE_INFINITY;
  #liveSinceMs = 0;
  #detectedMs: number | null = null;
  #thinned: { readonly atMs: number; readonly everyMs: number } | null = null; // the newest detection of an overload
  #unwatched = 0;
  #isConnected = true;
  #connectedMs = Number.NEGATIVE_INFINITY; // since when

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  /** Streams no longer watched because of the limit. */
  get unwatched(): number {
    return this.#unwatched;
  }

  /** Readings of a recording up to `endUs` (device clock) arrived; `place` counts them, which no clock that is set can turn back. */
  readings(
    device: string,
    stream: WatchedStream,
    recordingId: string,
    endUs: number,
    nowMs: number,
    place = endUs,
    gateway: string | null = null,
  ): void {
    if (silenceOf(stream) === null) return;
    const heard = this.#heard(device, stream, nowMs);
    const before = heard.ends.get(recordingId);
    if (before !== undefined && place <= before) return;
    heard.ends.set(recordingId, place);
    // A recording that begins as another ends is no pause: EEG in pieces too short to be judged still is EEG that nobody judges.
    if (nowMs - heard.heardMs > silenceLimits.flowMs) heard.flowsSinceMs = nowMs;
    heard.heardMs = nowMs;
    heard.gateway = gateway ?? heard.gateway;
    if ([...heard.ends.keys()].at(-1) === recordingId) heard.lastDataUs = endUs; // of an older recording it is a backlog
    heard.isOff = false;
    heard.isExpected = false;
  }

  /** Whether readings of this stream came to this watch, or are expected already. */
  knows(device: string, stream: WatchedStream): boolean {
    return this.#streams.has(`${device}\n${stream}`);
  }

  /**
   * Readings of this recording came before anybody listened, the newest so long ago, and it has not ended: they should go on. What was silent
   * before is told as soon as whoever sends has had a moment to be heard.
   */
  expect(device: string, stream: WatchedStream, recordingId: string, endUs: number, forMs: number, nowMs: number): void {
    const silence = silenceOf(stream);
    if (silence === null || this.knows(device, stream)) return;
    const heardMs = nowMs - Math.min(Math.max(0, forMs), silence.silentMs - EXPECTED_SOON_MS);
    this.readings(device, stream, recordingId, endUs, heardMs, Number.NEGATIVE_INFINITY);
    this.#heard(device, stream, heardMs).isExpected = true;
  }

  /** A recording ended because the device or its user ended it: nothing more is expected of this stream. */
  off(device: string, stream: WatchedStream, recordingId: string): void {
    const heard = this.#streams.get(`${device}\n${stream}`);
    if (heard !== undefined && [...heard.ends.keys()].at(-1) === recordingId) heard.isOff = true;
  }

  /** A window was judged; under overload only one in so many seconds is. */
  detection(device: string, nowMs: number, everyS = 1): void {
    const everyMs = 1000 * everyS;
    this.#detectedMs = nowMs;
    if (everyS > 1) this.#thinned = { atMs: nowMs, everyMs };
    const heard = this.#streams.get(`${device}\neeg`);
    if (heard === undefined) return;
    heard.detectedMs = nowMs;
    heard.everyMs = everyMs;
  }

  /** Anything of a gateway came, committed or on the live lane. */
  lane(live: boolean, nowMs: number): void {
    if (live) {
      if (nowMs - this.#liveMs > silenceLimits.flowMs) this.#liveSinceMs = nowMs;
      this.#liveMs = nowMs;
    } else this.#durableMs = nowMs;
  }

  gateway(gateway: string, isOnline: boolean, atUs: number, why: string, nowMs: number): void {
    this.#gateways.renew(gateway, { heardMs: nowMs, isOnline, lastUs: atUs, why });
  }

  /** Whether whoever watches is connected to the front door: while it is not, its own ears are what is missing. */
  connection(isConnected: boolean, nowMs: number): void {
    if (isConnected && !this.#isConnected) this.#connectedMs = nowMs;
    this.#isConnected = isConnected;
  }

  /** Everything that can be said now: what is silent, and what is not any more. Saying it again changes nothing for an engine. */
  check(nowMs: number): Spoken[] {
    return [
      ...this.#streamsNow(nowMs),
      ...this.#gatewaysNow(nowMs),
      ...this.#detectionsNow(nowMs),
      ...this.#overloadNow(nowMs),
      ...this.#storageNow(nowMs),
    ];
  }

  *#streamsNow(nowMs: number): Generator<Spoken> {
    for (const heard of this.#streams.values()) {
      const { device, stream, heardMs, lastDataUs, isOff, isExpected } = heard;
      const { silentMs, urgentMs } = silenceOf(stream) ?? eegSilence;
      const forMs = nowMs - heardMs;
      const name = streamName(stream);
      // What was silent before this watch began is so until something comes.
      if (isExpected && !isOff && forMs < silentMs) continue;
      if (isOff || forMs < silentMs)
        yield over(device, 'no-data', stream, isOff ? `${name} was ended` : `${name} arrives again`, lastDataUs);
      else {
        const priority = forMs >= urgentMs ? 'high' : 'medium';
        yield holds(
          device,
          'no-data',
          stream,
          priority,
          lastDataUs,
          silentMs / 1000,
          `no ${name} for ${silentMs / 1000} s or more${this.#blame(heard, nowMs)}`,
        );
      }
    }
  }

  *#gatewaysNow(nowMs: number): Generator<Spoken> {
    for (const [gateway, { heardMs, isOnline, lastUs, why }] of this.#gateways) {
      const forMs = nowMs - Math.max(heardMs, this.#connectedMs);
      const isSilent = forMs >= silenceLimits.gatewayMs;
      // Whoever hears nothing at all does not know which gateway is silent.
      if (isOnline && !this.#isConnected) continue;
      if (isOnline && !isSilent) yield over(gateway, 'gateway-offline', 'status', 'the gateway is heard again', lastUs);
      else {
        const text = isOnline ? `the gateway has said nothing for ${silenceLimits.gatewayMs / 1000} s` : `the gateway is offline: ${why}`;
        const priority = forMs >= silenceLimits.gatewayUrgentMs && this.#isMissed(gateway) ? 'high' : 'medium';
        yield holds(gateway, 'gateway-offline', 'status', priority, lastUs, silenceLimits.gatewayMs / 1000, text);
      }
    }
  }

  /** What is down instead of the device, as far as it is known. */
  #blame({ gateway }: Heard, nowMs: number): string {
    if (!this.#isConnected) return ': the front door is not reached, nothing arrives at all';
    const its = gateway === null ? undefined : this.#gateways.get(gateway);
    if (its === undefined || (its.isOnline && nowMs - Math.max(its.heardMs, this.#connectedMs) < silenceLimits.gatewayMs)) return '';
    return `: its gateway ${gateway} is offline`;
  }

  /** Whether a device of this gateway should be heard. One whose recordings have all been ended was put away. */
  #isMissed(gateway: string): boolean {
    return [...this.#streams.values()].some((heard) => heard.gateway === gateway && !heard.isOff);
  }

  *#detectionsNow(nowMs: number): Generator<Spoken> {
    const { flowMs, modelMs, modelUrgentMs } = silenceLimits;
    const flowing = [...this.#streams.values()].filter(
      ({ stream, heardMs, flowsSinceMs }) => stream === 'eeg' && nowMs - heardMs < flowMs && nowMs - flowsSinceMs >= modelMs,
    );
    const forMs = ({ detectedMs, flowsSinceMs }: Heard) => nowMs - Math.max(detectedMs ?? 0, flowsSinceMs);
    const isWithout = (heard: Heard) => forMs(heard) >= Math.max(modelMs, 2 * heard.everyMs);
    const priorityAfter = (ms: number) => (ms >= modelUrgentMs ? 'high' : 'medium');
    const without = flowing.filter(isWithout);
    const limit = modelMs / 1000;
    // If no device has any, it is not the devices: one alarm says so.
    const isAll = flowing.length > 0 && without.length === flowing.length && nowMs - (this.#detectedMs ?? this.#startedMs) >= modelMs;
    const text = `EEG arrives and has not been judged for ${limit} s or more: seizures are not detected`;
    if (isAll) {
      const sinceUs = Math.min(...without.map(({ lastDataUs }) => lastDataUs));
      const priority = priorityAfter(
        nowMs - Math.max(this.#detectedMs ?? this.#startedMs, Math.min(...without.map(({ flowsSinceMs }) => flowsSinceMs))),
      );
      yield holds('prediction', 'model-unavailable', 'detections', priority, sinceUs, limit, `no detector answers: ${text}`);
    } else if (this.#detectedMs !== null && nowMs - this.#detectedMs < modelMs)
      yield over('prediction', 'model-unavailable', 'detections', 'EEG is judged again', null);
    for (const heard of this.#streams.values()) {
      if (heard.stream !== 'eeg') continue;
      if (!isAll && without.includes(heard))
        yield holds(heard.device, 'model-unavailable', 'detections', priorityAfter(forMs(heard)), heard.lastDataUs, limit, text);
      else if (isAll || heard.isOff || !isWithout(heard)) {
        const why = isAll ? 'no EEG at all is judged: an alarm of its own' : isWithout(heard) ? 'EEG was ended' : 'EEG is judged again';
        yield over(heard.device, 'model-unavailable', 'detections', why, heard.lastDataUs);
      }
    }
  }

  *#overloadNow(nowMs: number): Generator<Spoken> {
    const { modelMs } = silenceLimits;
    const text = 'more EEG arrives than can be judged: every patient is judged, but more seldom, as the rows say';
    if (this.#thinned !== null && nowMs - this.#thinned.atMs < Math.max(modelMs, 2 * this.#thinned.everyMs))
      yield holds('prediction', 'detection-thinned', 'detections', 'medium', null, 1, text);
    else if (this.#detectedMs !== null && nowMs - this.#detectedMs < modelMs)
      yield over('prediction', 'detection-thinned', 'detections', 'every second is judged again', null);
  }

  *#storageNow(nowMs: number): Generator<Spoken> {
    const { flowMs, storageMs } = silenceLimits;
    const isLive = nowMs - this.#liveMs < flowMs && nowMs - this.#liveSinceMs >= storageMs;
    const text = `nothing was committed for ${storageMs / 1000} s while readings arrive: they wait at their gateways`;
    if (isLive && nowMs - (this.#durableMs ?? this.#startedMs) >= storageMs)
      yield holds('storage', 'storage-behind', 'commits', 'medium', null, storageMs / 1000, text);
    else if (this.#durableMs !== null && nowMs - this.#durableMs < storageMs)
      yield over('storage', 'storage-behind', 'commits', 'readings are committed again', null);
  }

  #unwatch(): void {
    this.#unwatched += 1;
  }

  #heard(device: string, stream: WatchedStream, nowMs: number): Heard {
    const key = `${device}\n${stream}`;
    const heard = this.#streams.get(key) ?? {
      device,
      stream,
      gateway: null,
      heardMs: nowMs,
      lastDataUs: 0,
      isOff: false,
      isExpected: false,
      ends: new RecentMap<string, number>(MAX_RECORDINGS_PER_STREAM),
      flowsSinceMs: nowMs,
      detectedMs: null,
      everyMs: 1000,
    };
    this.#streams.renew(key, heard);
    return heard;
  }
}

/** As sentences call it. */
export function streamName(stream: WatchedStream): string {
  return stream === 'eeg' ? 'EEG' : numericFacts(stream).label;
}

type Condition = Statement['condition'];

function holds(
  device: string,
  condition: Condition,
  aspect: string,
  priority: AlarmPriority,
  sinceUs: number | null,
  limit: number,
  text: string,
): Spoken {
  const statement = { condition, aspect, holds: true, priority, sinceUs, value: null, limit, channel: null, replay: null, text } as const;
  return { device, statement };
}

function over(device: string, condition: Condition, aspect: string, text: string, endedUs: number | null): Spoken {
  return { device, statement: { condition, aspect, holds: false, endedUs, text } };
}
