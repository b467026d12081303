import {
  type AlarmInfo,
  type ClockState,
  type ClockWrong,
  type Detection,
  DeviceOwners,
  type EegChunk,
  type GatewayState,
  isClockWrong,
  isNumeric,
  isNumericChunk,
  type LiveStatus,
  type Message,
  type NumericChunk,
  type NumericReading,
  type PatientState,
  type Problem,
  type RecordingStart,
  type Registry,
  type ReplayMark,
  type Stamp,
  type Topic,
} from '@vitalwire/contract';
import { recentProbability, recentVerdict } from '@vitalwire/vitals';
import { ALARMS_SERVICE, AlarmBoard } from './alarm-board.ts';
import { type DeviceLive, isLater, recordingsOf, takeNumeric, takeWindow, unheardDevice } from './device-live.ts';
import { GatewayBoard, type GatewayLimits } from './gateway-board.ts';
import type { KeptWard } from './kept-ward.ts';
import { type DeviceMark, type DeviceNow, patientState } from './patient-state.ts';
import { RecordingMarks } from './recording-marks.ts';

export type WardLimits = GatewayLimits & { readonly maxDevices: number };
export const wardLimits: WardLimits = { maxDevices: 10_000, maxGateways: 2_000, gatewaySilentMs: 15_000 };

/** Who wears what, as far as it is known: the registry, or its snapshot while storage does not answer. */
export type WardRegistry = {
  readonly revision: string | null;
  readonly patients: readonly { readonly id: string; readonly label: string | null }[];
  readonly patientOfDevice: ReadonlyMap<string, string>;
};

const unmarked: DeviceMark = { replay: null, isKnown: true };

// These may come from a service, and prove nothing about the gateway they name.
const sentByService: ReadonlySet<Message['stream']> = new Set(['detection', 'alarm']);
// What these are about is never one patient, whoever the device is.
const systemConditions: ReadonlySet<AlarmInfo['condition']> = new Set([
  'gateway-offline',
  'storage-behind',
  'alarm-path',
  'detection-thinned',
]);

/**
 * The latest of everything, from the live stream alone: what the wall shows. It never asks a database, so it is as alive as the
 * front door. Late and repeated messages change nothing: only what was measured later replaces a value.
 */
export class Ward {
  readonly alarms = new AlarmBoard();
  readonly #marks = new RecordingMarks();
  readonly #limits: WardLimits;
  readonly #owners = new DeviceOwners();
  readonly #devices = new Map<string, DeviceLive>();
  readonly #gateways: GatewayBoard;
  readonly #changed = new Set<string>(); // keys of patient states
  #registry: WardRegistry = { revision: null, patients: [], patientOfDevice: new Map() };
  #devicesRefused = 0;
  #revision = 0;

  constructor(limits: WardLimits = wardLimits) {
    this.#limits = limits;
    this.#gateways = new GatewayBoard(limits);
  }

  /** Another number whenever something that is kept has changed. */
  get revision(): number {
    return this.#revision + this.alarms.revision;
  }

  /** What is shown, to be restored after a restart. */
  keep(): Pick<KeptWard, 'devices' | 'gateways' | 'board'> {
    const devices = [...this.#devices.values()].map((live) => ({
      ...live,
      marks: recordingsOf(live).flatMap((recordingId) => {
        const replay = this.#marks.of(recordingId);
        return replay === undefined ? [] : [{ recordingId, replay }];
      }),
    }));
    return { devices, gateways: this.#gateways.keep(), board: this.alarms.keep() };
  }

  /** What was shown before a restart: with its own times, so that its age goes on; only what is later replaces it. */
  restore({ devices, gateways, board }: Pick<KeptWard, 'devices' | 'gateways' | 'board'>): void {
    for (const { marks, ...live } of devices.slice(0, this.#limits.maxDevices)) {
      if (!this.#owners.isOf(live.device, live.gateway)) continue; // and who had it before has it still
      for (const { recordingId, replay } of marks) this.#marks.learn(recordingId, replay);
      this.#devices.set(live.device, live);
      this.#touch(live.device);
    }
    this.#gateways.restore(gateways);
    this.alarms.restore(board);
  }

  /** `told`: whose each device is. What another gateway was believed before that was known is forgotten. */
  setRegistry(registry: WardRegistry, told: Pick<Registry, 'devices' | 'owners'> | null = null): void {
    this.#registry = registry;
    if (told !== null) this.#owners.take(told);
    for (const { device, gateway } of this.#devices.values()) if (!this.#owners.isOf(device, gateway)) this.#forget(device);
    this.alarms.forget((device, sender) => sender !== ALARMS_SERVICE && !this.#owners.isOf(device, sender));
    for (const state of this.patients()) this.#changed.add(state.key);
  }

  registry(): WardRegistry {
    return this.#registry;
  }

  patientOf(device: string): string | null {
    return this.#registry.patientOfDevice.get(device) ?? null;
  }

  /** Devices beyond the limit whose values are not kept. */
  devicesRefused(): number {
    return this.#devicesRefused;
  }

  /** Whether its sender may speak of this device at all: only the gateway that the device belongs to does. */
  admits(topic: Topic, message: Message): boolean {
    return this.#owners.admits(topic, message);
  }

  /** False: another gateway's, which changes nothing. */
  apply(topic: Topic, message: Message, receivedAtUs: number): boolean {
    if (!this.admits(topic, message)) return false;
    if (!sentByService.has(message.stream)) this.#gateways.heard(topic.gateway, receivedAtUs);
    if (isNumericChunk(message)) this.#applyNumeric(topic, message, receivedAtUs);
    switch (message.stream) {
      case 'eeg':
        this.#applyEeg(topic, message, receivedAtUs);
        break;
      case 'detection':
        this.#applyDetection(topic, message, receivedAtUs);
        break;
      case 'recording':
        if (message.kind === 'start') this.applyStart(message);
        break;
      case 'status':
        this.#gateways.applyStatus(message);
        break;
      default: // events, quality and gaps do not change what the wall says; alarms have a board of their own
    }
    return true;
  }

  applyStart(start: Pick<RecordingStart, 'subject' | 'device' | 'gateway' | 'of' | 'replay'>): void {
    const live = start.of === 'eeg' || isNumeric(start.of) ? this.#device(start.device, start.gateway) : null;
    if (live === null) return;
    this.learnMark(start.device, start.subject, start.replay);
    if (recordingsOf(live).length === 0) live.replay = start.replay;
  }

  /** Whether a recording is a replay; what is shown of it is marked, or its mark is taken away. */
  learnMark(device: string, recordingId: string, replay: ReplayMark | null): void {
    if (!this.#marks.learn(recordingId, replay)) return;
    const live = this.#devices.get(device);
    if (live !== undefined && recordingsOf(live).includes(recordingId)) live.replay = replay;
    // A replay has a time of its own.
    if (live !== undefined && replay !== null) live.clockWrong = live.clockWrong.filter((wrong) => wrong.recordingId !== recordingId);
    this.#touch(device);
  }

  applyLiveStatus(status: LiveStatus, receivedAtUs: number): void {
    if (this.#gateways.applyLiveStatus(status, receivedAtUs)) this.#revision += 1;
  }

  /** Every patient of the registry, then every device that sends or has an alarm and belongs to nobody, in a steady order. */
  patients(nowUs = 0): PatientState[] {
    const worn = new Map<string, DeviceNow[]>();
    const unassigned: PatientState[] = [];
    for (const now of this.#devicesNow(nowUs)) {
      const patient = this.patientOf(now.device);
      if (patient === null) unassigned.push(patientState(`device:${now.device}`, null, null, [now]));
      else worn.set(patient, [...(worn.get(patient) ?? []), now]);
    }
    const known = this.#registry.patients.map((patient) => patientState(patient.id, patient.id, patient.label, worn.get(patient.id) ?? []));
    const named = new Set(this.#registry.patients.map((patient) => patient.id));
    for (const [patient, devices] of worn) if (!named.has(patient)) known.push(patientState(patient, patient, null, devices));
    unassigned.sort((a, b) => (a.key < b.key ? -1 : 1));
    return [...known, ...unassigned];
  }

  /** The states that changed since this was last asked. */
  takeChanged(nowUs = 0): PatientState[] {
    for (const device of this.alarms.takeChanged()) this.#touch(device);
    if (this.#changed.size === 0) return [];
    const changed = this.patients(nowUs).filter((state) => this.#changed.has(state.key));
    this.#changed.clear();
    return changed;
  }

  /** Alarms about a gateway or a service. */
  systemAlarms(): AlarmInfo[] {
    return this.alarms.alarms().filter((alarm) => this.#isOfSystem(alarm));
  }

  // A detector can be missing for one device, or everywhere: then the alarm names the service.
  #isOfSystem({ condition, device }: AlarmInfo): boolean {
    if (systemConditions.has(condition)) return true;
    return condition === 'model-unavailable' && !this.#devices.has(device) && this.patientOf(device) === null;
  }

  // Devices that were heard, and those only an alarm tells of: a device that has been silent since this service started must not be missed.
  #devicesNow(nowUs: number): DeviceNow[] {
    const alarms = new Map<string, AlarmInfo[]>();
    for (const alarm of this.alarms.alarms()) {
      if (this.#isOfSystem(alarm)) continue;
      const known = alarms.get(alarm.device);
      if (known === undefined) alarms.set(alarm.device, [alarm]);
      else known.push(alarm);
    }
    const pauses = new Map(this.alarms.pauses(nowUs).map((pause) => [pause.device, pause]));
    const devices = new Set([...this.#devices.keys(), ...alarms.keys()]);
    return [...devices].map((device) => ({
      device,
      live: this.#devices.get(device) ?? null,
      mark: this.#markOf(device),
      alarms: alarms.get(device) ?? [],
      pause: pauses.get(device) ?? null,
    }));
  }

  // One value of a replay marks the device: a mark is never missing. Of a recording whose start was not seen, what was known before holds on.
  #markOf(device: string): DeviceMark {
    const live = this.#devices.get(device);
    if (live === undefined) return unmarked;
    const recordings = recordingsOf(live);
    if (recordings.length === 0) return { replay: live.replay, isKnown: true };
    const marks = recordings.map((recording) => this.#marks.of(recording));
    const replay = marks.find((mark) => mark !== null && mark !== undefined);
    if (replay !== undefined) return { replay: replay ?? null, isKnown: true };
    return marks.includes(undefined) ? { replay: live.replay, isKnown: false } : unmarked;
  }

  /** Devices of which something is shown of a recording whose start record was not seen: it may be a replay. */
  unmarkedDevices(): string[] {
    return [...this.#devices.keys()].filter((device) => !this.#markOf(device).isKnown);
  }

  // What is shown of a device is now of this recording.
  #shows(live: DeviceLive, recordingId: string, isReplay: boolean): void {
    const mark = this.#marks.of(recordingId);
    if (mark !== undefined) live.replay = mark;
    // The start record may still wait in the backlog: the clock's own mark already says that this is no patient.
    else if (isReplay && live.replay === null) live.replay = { speed: 1, source: '' };
    this.#touch(live.device);
  }

  gateway(id: string, nowUs: number): GatewayState | null {
    return this.#gateways.state(id, nowUs);
  }

  gateways(nowUs: number): GatewayState[] {
    return this.#gateways.states(nowUs);
  }

  /** What is wrong with gateways, in the order of their ids. */
  problems(nowUs: number): Problem[] {
    return this.#gateways.problems(nowUs);
  }

  /** Whether EEG comes from the future: then it is told as such and drawn nowhere, since it would push what is measured now off the strip. */
  comesFromFuture({ device, gateway }: Topic, chunk: EegChunk, receivedAtUs: number): boolean {
    const live = this.#devices.get(device);
    return live !== undefined && this.#isFromFuture(live, gateway, chunk.recordingId, chunk.clock, endOf(chunk), receivedAtUs);
  }

  // By more than clocks may differ, as far as the gateway's is known. A replay has a time of its own.
  #isFromFuture(live: DeviceLive, gateway: string, recordingId: string, clock: ClockState, atUs: number, receivedAtUs: number): boolean {
    const mark = this.#marks.of(recordingId);
    const isReplay = (mark === undefined ? live.replay : mark) !== null;
    const known = clock.source === 'none' ? this.#gateways.clockOf(gateway) : clock;
    return !isReplay && isClockWrong(atUs, known, receivedAtUs);
  }

  // What comes from the future is told as such until something right follows it, and never shown as a value.
  #isRight(live: DeviceLive, stream: ClockWrong['stream'], recordingId: string, clock: ClockState, at: Stamp): boolean {
    const isWrong = this.#isFromFuture(live, live.gateway, recordingId, clock, at.measuredAtUs, at.receivedAtUs);
    const before = live.clockWrong.find((one) => one.stream === stream);
    if (!isWrong && before === undefined) return true;
    // A backlog of right times says nothing about the clock of now.
    if (!isWrong && before !== undefined && !isLater(at, before.at)) return true;
    live.clockWrong = live.clockWrong.filter((one) => one.stream !== stream);
    if (isWrong) live.clockWrong.push({ stream, recordingId, at });
    this.#touch(live.device);
    return !isWrong;
  }

  #applyEeg(topic: Topic, chunk: EegChunk, receivedAtUs: number): void {
    const live = this.#device(topic.device, topic.gateway);
    if (live === null) return;
    const at = {
      measuredAtUs: endOf(chunk),
      clockOffsetUs: this.#gateways.offset(chunk.clock, topic.gateway),
      receivedAtUs,
    };
    if (!this.#isRight(live, 'eeg', chunk.recordingId, chunk.clock, at) || !isLater(at, live.eeg?.at)) return;
    live.eeg = {
      device: topic.device,
      gateway: topic.gateway,
      recordingId: chunk.recordingId,
      rate: chunk.rate,
      channels: chunk.channels,
      montageHash: chunk.montageHash,
      lane: topic.live ? 'live' : 'durable',
      at,
    };
    this.#shows(live, chunk.recordingId, chunk.clock.source === 'replay');
  }

  #applyNumeric(topic: Topic, chunk: NumericChunk, receivedAtUs: number): void {
    const live = this.#device(topic.device, topic.gateway);
    if (live === null) return;
    const { stream, recordingId, kind, clock } = chunk;
    const clockOffsetUs = this.#gateways.offset(clock, topic.gateway);
    // One request may bring readings of many times, in any order: the newest of those that can be is shown.
    const newestFirst = chunk.readings.toSorted((a, b) => b.atUs - a.atUs);
    const isRight = ({ atUs }: NumericReading): boolean =>
      this.#isRight(live, stream, recordingId, clock, { measuredAtUs: atUs, clockOffsetUs, receivedAtUs });
    const last = newestFirst.find(isRight);
    if (last === undefined) return;
    const at = { measuredAtUs: last.atUs, clockOffsetUs, receivedAtUs };
    if (!takeNumeric(live, { stream, device: topic.device, kind, value: last.value, at, recordingId })) return;
    this.#shows(live, recordingId, clock.source === 'replay');
  }

  #applyDetection(topic: Topic, detection: Detection, receivedAtUs: number): void {
    const live = this.#device(detection.device, detection.gateway);
    if (live === null) return;
    const rate = live.eeg?.rate;
    const lengthUs = rate === undefined ? 0 : (detection.samples * 1e6 * rate.den) / rate.num;
    const clockOffsetUs = this.#gateways.offset(detection.clock, detection.gateway);
    const at = { measuredAtUs: Math.round(detection.measuredAtUs + lengthUs), clockOffsetUs, receivedAtUs };
    if (!this.#isRight(live, 'detection', detection.subject, detection.clock, at)) return;
    const known = live.detection;
    // The stored detection of a window replaces the provisional one of the same window.
    const settles = known?.provisional === true && !topic.live && known.at.measuredAtUs === at.measuredAtUs;
    if (!settles && !isLater(at, known?.at)) return;
    const windows = takeWindow(live, detection);
    const state = recentVerdict(windows, known?.state ?? null) ?? detection.verdict;
    live.detection = {
      state,
      device: detection.device,
      channel: detection.channel,
      verdict: detection.verdict,
      probability: detection.probability,
      stateProbability: recentProbability(windows, state),
      reason: detection.reason,
      modelVersion: detection.modelVersion,
      modelHash: detection.modelHash,
      baseline: detection.baseline,
      channelProbabilities: [...detection.channelProbabilities],
      ...(detection.everyS === undefined || detection.everyS === 1 ? {} : { everyS: detection.everyS }),
      provisional: topic.live,
      at: settles ? { ...at, receivedAtUs: Math.min(at.receivedAtUs, known.at.receivedAtUs) } : at,
    };
    this.#shows(live, detection.subject, detection.clock.source === 'replay');
  }

  #device(device: string, gateway: string): DeviceLive | null {
    const known = this.#devices.get(device);
    if (known !== undefined) {
      known.gateway = gateway;
      return known;
    }
    if (this.#devices.size >= this.#limits.maxDevices) {
      this.#devicesRefused += 1;
      return null;
    }
    const live = unheardDevice(device, gateway);
    this.#devices.set(device, live);
    return live;
  }

  #forget(device: string): void {
    this.#touch(device);
    this.#devices.delete(device);
  }

  #touch(device: string): void {
    this.#revision += 1;
    this.#changed.add(this.patientOf(device) ?? `device:${device}`);
  }
}

function endOf({ measuredAtUs, samplesPerChannel, rate }: EegChunk): number {
  return Math.round(measuredAtUs + (samplesPerChannel * 1e6 * rate.den) / rate.num);
}
