import { isNumeric } from '@vitalwire/contract';
import { type Clock, pause } from '@vitalwire/runtime';
import { CliError } from '../errors.ts';
import type { DataDir } from '../stack/data-dir.ts';
import { CaptureSender, type Delivery } from './capture-sender.ts';
import { type Addressed, captureIdOf, eegDelivery, eventDelivery, numericDelivery } from './device-requests.ts';
import { requestFaultsOf } from './faults/capture-faults.ts';
import type { IntakeRequest } from './intake-client.ts';
import { dataMsOf } from './leg.ts';
import { type CaptureRecord, countOf, type Manifest, manifestPath, type Play, type Take, writeManifest } from './manifest.ts';
import { LedPace, type Moments, type Speed } from './pace.ts';
import { openSpec, type SourceSpec } from './source-spec.ts';
import { type RunningTake, Transport, type TransportState } from './transport.ts';
import { eegOf, eventsOf, legsOf, numericOf, takeLeg, type VirtualPatient, virtualPatient } from './virtual-patient.ts';

export type ReplayOptions = {
  readonly sources: readonly SourceSpec[]; // one patient each
  readonly play: Play;
  readonly speed: Speed;
  /** How long in ms of wall time; of data time at maximal speed. To the end of the sources unless given. */
  readonly forMs?: number | undefined;
  readonly dirs: DataDir;
  readonly post: (request: IntakeRequest) => Promise<Delivery>;
  readonly clock: Clock;
};

export type ReplayProgress = TransportState & {
  readonly id: string;
  readonly dataS: number; // how far the replay has come
  readonly tookMs: number; // on the wall clock, until now or until its last answer
  readonly samplesSent: number;
  readonly readingsSent: number; // numbers and events
  readonly resends: number;
  readonly copies: number; // requests sent once more by a fault script
  readonly lateMs: number;
  readonly failure: string | null;
};

type Sender = Pick<CaptureSender<never>, 'answered' | 'late' | 'resends' | 'copies' | 'lateMs' | 'ended' | 'failure' | 'run'>;
type Capture = Omit<CaptureRecord, 'answered' | 'late' | 'ended'> & { readonly sender: Sender; readonly isAbrupt: boolean };

const MANIFEST_EVERY_MS = 1_000;
/** How long what is on its way may take after the end that `forMs` names; then it counts as not answered. */
const LAST_ANSWERS_MS = 15_000;
/** At full speed `forMs` counts data: without an answer for this long none will come by itself. */
const NO_ANSWER_MS = 60_000;
const LOOK_EVERY_MS = 1_000;

/** Virtual patients, each with its devices, played through the agent's intake like any device. */
export class Replay {
  readonly id: string;
  readonly manifestFile: string;
  readonly patients: readonly VirtualPatient[];
  readonly transport: Transport;
  readonly #options: ReplayOptions;
  readonly #takes: Take[] = [];
  readonly #captures: Capture[] = [];
  readonly #startedAtUs: number;
  #playedMs = 0; // of data, in the takes that have ended
  #firstTakeMs: number | null = null;
  #endedMs: number | null = null;

  /** Opens the sources; nothing is sent yet. */
  static async open(options: ReplayOptions): Promise<Replay> {
    const patients: VirtualPatient[] = [];
    try {
      for (const [index, spec] of options.sources.entries()) {
        patients.push(await virtualPatient(patientId(options.sources, index), index, await openSpec(spec), options.play));
      }
      checkFaults(options.play, patients);
      return new Replay(options, patients);
    } catch (error) {
      await Promise.all(patients.map((patient) => patient.close()));
      throw error;
    }
  }

  private constructor(options: ReplayOptions, patients: readonly VirtualPatient[]) {
    this.#options = options;
    this.patients = patients;
    this.transport = new Transport(options.clock, options.speed);
    this.#startedAtUs = options.clock.nowUs();
    const kinds = new Set(options.sources.map(({ kind }) => kind));
    this.id = `${[...kinds].join('-')}-${new Date(options.clock.nowMs()).toISOString().replace(/[-:.]/g, '')}`;
    this.manifestFile = manifestPath(options.dirs, this.id);
  }

  /** Plays until `stop` or its own end, then ends every capture; gives up on what is unanswered only at `giveUp`. */
  async run(tokens: ReadonlyMap<string, string>, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const limit = new AbortController();
    const written = new AbortController();
    const writing = this.#keepManifest(written.signal);
    const over = new AbortController();
    const stopAll = (): void => {
      this.transport.stop();
      over.abort();
    };
    if (stop.aborted) stopAll();
    else stop.addEventListener('abort', stopAll, { once: true });
    const watching = this.#keepToLimit(written.signal, stopAll, () => limit.abort());
    try {
      for (;;) {
        const running = await this.transport.begin(over.signal);
        if (running === null) break;
        this.#takes.push(running.take);
        this.#firstTakeMs ??= this.#options.clock.monotonicMs();
        await this.#play(running, tokens, stopAll, AbortSignal.any([giveUp, limit.signal]));
        if (!this.transport.finish() || over.signal.aborted) break;
      }
    } finally {
      this.#endedMs = this.#options.clock.monotonicMs();
      stop.removeEventListener('abort', stopAll);
      written.abort();
      await Promise.all([writing, watching]);
      await Promise.all(this.patients.map((patient) => patient.close()));
      await writeManifest(this.manifestFile, this.manifest(true));
    }
  }

  progress(): ReplayProgress {
    const answered = (wanted: (stream: CaptureRecord['stream']) => boolean): number =>
      this.#captures
        .filter(({ stream }) => wanted(stream))
        .reduce((sum, { sender }) => sum + countOf(sender.answered) + countOf(sender.late), 0);
    const state = this.transport.state;
    return {
      id: this.id,
      ...state,
      speed: Number.isFinite(state.speed) ? state.speed : 0,
      dataS: Math.round(state.lineUs / 100_000) / 10,
      tookMs: Math.round((this.#endedMs ?? this.#options.clock.monotonicMs()) - (this.#firstTakeMs ?? this.#options.clock.monotonicMs())),
      samplesSent: answered((stream) => stream === 'eeg'),
      readingsSent: answered((stream) => stream !== 'eeg'),
      resends: this.#captures.reduce((sum, { sender }) => sum + sender.resends, 0),
      copies: this.#captures.reduce((sum, { sender }) => sum + sender.copies, 0),
      lateMs: Math.round(Math.max(0, ...this.#captures.slice(-this.#capturesAtOnce).map(({ sender }) => sender.lateMs))),
      failure: this.#captures.map(({ sender }) => sender.failure).find((failure) => failure !== null) ?? null,
    };
  }

  get #capturesAtOnce(): number {
    return this.patients.reduce((sum, { eeg, monitor }) => sum + eeg.length + (monitor?.vitals.length ?? 0) + 1, 0);
  }

  /** Where in the source what is played begins, and how much of it there is for every patient. */
  get startUs(): number {
    return this.#options.play.startUs;
  }
  get playsUs(): number {
    return Math.min(...this.patients.map(({ periodUs }) => periodUs));
  }

  /** Where in its source the first patient stands. */
  sourceUs(): number {
    const { lineUs } = this.transport.state;
    return this.startUs + (this.#options.play.loop ? lineUs % this.playsUs : lineUs);
  }

  manifest(finished: boolean): Manifest {
    return {
      manifest: 2,
      id: this.id,
      startedAtUs: this.#takes[0]?.baseUs ?? this.#startedAtUs,
      finished,
      play: this.#options.play,
      patients: this.patients.flatMap(({ id, index }) => {
        const source = this.#options.sources[index];
        return source === undefined ? [] : [{ id, source }];
      }),
      takes: this.#takes,
      captures: this.#captures.flatMap(({ sender, isAbrupt: _, ...capture }) => [
        { ...capture, answered: [...sender.answered], late: false, ended: sender.ended },
        ...sender.late.map((range) => ({
          ...capture,
          captureId: captureIdOf(capture, range.from, true),
          answered: [range],
          late: true,
          ended: true,
        })),
      ]),
    };
  }

  /** Captures whose end was not answered: what is missing there may be sent but was never promised. */
  unfinished(): string[] {
    return this.#captures
      .filter(({ sender, isAbrupt }) => !sender.ended && !isAbrupt)
      .map(({ device, stream, sender }) => `${device} ${stream}: ${sender.failure ?? 'not answered in time'}`);
  }

  async #play(running: RunningTake, tokens: ReadonlyMap<string, string>, stopAll: () => void, giveUp: AbortSignal): Promise<void> {
    const endMs = this.#endMs(running.take);
    const playing = this.patients.map((patient) => this.#playPatient(patient, running, { tokens, endMs, giveUp }));
    for (const one of playing) one.catch(stopAll); // a source that cannot be read ends the replay, in order
    const outcomes = await Promise.allSettled(playing);
    this.#playedMs += running.pace.reachedMs();
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #playPatient(patient: VirtualPatient, { take, pace, ended }: RunningTake, bounds: Bounds): Promise<void> {
    const { tokens, endMs, giveUp } = bounds;
    const led = new LedPace(pace, patient.eeg.length);
    const play = async (stream: CaptureRecord['stream'], device: string, order: number): Promise<void> => {
      const isLeader = stream === 'eeg';
      try {
        for (const [index, leg] of (stream === 'event' ? [takeLeg(patient, take)] : legsOf(patient, take)).entries()) {
          if (ended.aborted && index > 0) return;
          if (index > 0 && dataMsOf(leg, leg.fromUs) >= (endMs ?? Number.POSITIVE_INFINITY)) return;
          const captureId = `${this.id}-${patient.id}-${stream}${order === 0 ? '' : order + 1}-${take.index}.${index}`;
          const isAbrupt = leg.toUs !== null && dataMsOf(leg, leg.toUs) <= (endMs ?? Number.POSITIVE_INFINITY);
          const to = { patient, take, leg, captureId, token: tokens.get(device) ?? '', post: this.#options.post };
          const sender = this.#sender(to, stream, order, {
            pace: isLeader ? pace : led,
            endMs,
            isAbrupt,
            // The end of a leg is not yet the end of the device's part in the take.
            ...(isLeader ? { onAnswered: (ms: number) => void (Number.isFinite(ms) && led.advance(order, ms)) } : {}),
          });
          const group = isLeader ? (patient.eeg[order]?.group ?? 0) : 0;
          this.#captures.push({ patient: patient.id, device, stream, group, take: take.index, leg: index, captureId, sender, isAbrupt });
          await sender.run(ended, giveUp);
        }
      } finally {
        if (isLeader) led.advance(order, Number.POSITIVE_INFINITY);
      }
    };
    await Promise.all([
      ...patient.eeg.map(({ device }, order) => play('eeg', device, order)),
      ...(patient.monitor?.vitals ?? []).map(({ stream }) => play(stream, patient.monitor?.device ?? '', 0)),
      play('event', patient.eventDevice, 0),
    ]);
  }

  #sender(to: Addressed, stream: CaptureRecord['stream'], order: number, timing: Timing): Sender {
    const { patient, take, leg } = to;
    const device = patient.eeg[order];
    const faults = requestFaultsOf(patient.faults, { stream, group: device?.group ?? 0, leg, pace: timing.pace });
    const common = { ...timing, clock: this.#options.clock, faults };
    if (isNumeric(stream))
      return new CaptureSender({ ...common, feed: numericOf(patient, stream, leg), deliver: numericDelivery(to, stream) });
    if (stream === 'event') return new CaptureSender({ ...common, feed: eventsOf(patient, take), deliver: eventDelivery(to) });
    if (device === undefined) throw new RangeError(`${patient.id} has no EEG device ${order}`);
    return new CaptureSender({
      ...common,
      feed: eegOf(device, leg, take.speed ?? Number.POSITIVE_INFINITY),
      deliver: eegDelivery(to, device),
    });
  }

  /** When a take ends by itself, in ms of its data time: `--for` counts wall time, at full speed data time. */
  #endMs({ speed }: Take): number | undefined {
    const { forMs, clock } = this.#options;
    if (forMs === undefined) return undefined;
    const nowMs = clock.monotonicMs();
    return Math.max(0, speed === null ? forMs - this.#playedMs : (forMs - (nowMs - (this.#firstTakeMs ?? nowMs))) * speed);
  }

  /** `forMs` ends the replay also where nobody answers, or while it is paused: a dead port must not keep it for ever. */
  async #keepToLimit(until: AbortSignal, stopAll: () => void, giveUp: () => void): Promise<void> {
    const { forMs, clock } = this.#options;
    if (forMs === undefined) return;
    let answered = -1;
    let answeredMs = clock.monotonicMs();
    while (!until.aborted) {
      await pause(clock, LOOK_EVERY_MS, until);
      if (until.aborted) return;
      const nowMs = clock.monotonicMs();
      const { state, speed, samplesSent, readingsSent } = this.progress();
      if (samplesSent + readingsSent !== answered) {
        answered = samplesSent + readingsSent;
        answeredMs = nowMs;
      }
      const wallMs = nowMs - (this.#firstTakeMs ?? nowMs);
      const isWall = speed !== 0 || state === 'paused';
      if (isWall && state === 'paused' && wallMs >= forMs) stopAll();
      if (isWall ? wallMs < forMs + LAST_ANSWERS_MS : nowMs - answeredMs < NO_ANSWER_MS) continue;
      stopAll();
      giveUp();
      return;
    }
  }

  async #keepManifest(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      // A full disk must not silence the devices; the last word, at the end, has to be written.
      await writeManifest(this.manifestFile, this.manifest(false)).catch(() => {}); // the next one may fit
      await pause(this.#options.clock, MANIFEST_EVERY_MS, until);
    }
  }
}

type Bounds = { readonly tokens: ReadonlyMap<string, string>; readonly endMs: number | undefined; readonly giveUp: AbortSignal };
type Timing = {
  readonly pace: Moments;
  readonly endMs: number | undefined;
  readonly isAbrupt: boolean;
  readonly onAnswered?: (dataMs: number) => void;
};

/** A fault that can hit nobody is most often a slip of the pen. */
function checkFaults({ faults }: Play, patients: readonly VirtualPatient[]): void {
  const labels = new Set(
    patients.flatMap(({ eeg }) => eeg.flatMap(({ channels }) => channels.map(({ label }) => label.trim().toLowerCase()))),
  );
  for (const [index, fault] of (faults?.script ?? []).entries()) {
    const beyond = fault.patients?.find((patient) => patient > patients.length);
    const unknown = 'channels' in fault ? fault.channels?.find((label) => !labels.has(label.trim().toLowerCase())) : undefined;
    if (beyond === undefined && unknown === undefined) continue;
    const what = beyond === undefined ? `no patient has a channel '${unknown}'` : `there is no patient ${beyond}, only ${patients.length}`;
    throw new CliError('WRONG_ARGUMENT', `--faults: fault ${index + 1} (${fault.fault}): ${what}`);
  }
}

/** The same file gives the same patient again; copies of one are told apart. */
function patientId(sources: readonly SourceSpec[], index: number): string {
  const spec = sources[index];
  if (spec?.kind !== 'file') return `${spec?.kind ?? 'replay'}-${String(index + 1).padStart(2, '0')}`;
  const copy = sources.slice(0, index).filter((one) => one.kind === 'file' && one.sha256 === spec.sha256).length;
  return `file-${spec.sha256.slice(0, 6)}${copy === 0 ? '' : `-${copy + 1}`}`;
}
