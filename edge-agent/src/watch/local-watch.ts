import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Alarm, type ClockState, type EdgeWatch, isNumericChunk } from '@vitalwire/contract';
import type { AppendStep, Outbox } from '@vitalwire/outbox';
import {
  AskedWorker,
  type Backoff,
  type Clock,
  fullJitter,
  type Lifecycle,
  type Log,
  type Question,
  RecentMap,
  RuntimeError,
  sourceExecArgv,
  type Timer,
  workerUrl,
} from '@vitalwire/runtime';
import type { AlarmRecord, Asked } from '@vitalwire/vitals';
import { EdgeError } from '../errors.ts';
import { AlarmLog } from './alarm-log.ts';
import { BaselineFile, type KeptBaselines } from './kept-baselines.ts';
import type { FromWatch, Model, Reading, ToWatch } from './protocol.ts';

export type LocalWatchOptions = {
  readonly gateway: string;
  readonly logPath: string;
  readonly outbox: Pick<Outbox, 'append'>;
  readonly online: () => boolean;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
  readonly log: Log;
};

type Answer = Extract<FromWatch, { readonly ticket: number }>;
type Note = Exclude<FromWatch, Answer>;

/** Starts that are remembered; beyond it the oldest goes, and its recording is not watched after the thread was started again. */
const MAX_OPEN = 1_024;
/** Appends whose readings the thread has not looked at; beyond it the watch skips readings, which are in the outbox all the same. */
const MAX_BEHIND = 2_000;
const ANSWER_MS = 3_000;
const SEND_AGAIN_MS = 5_000;
const READ_AGAIN_MS = 5_000;

/**
 * The detector and the alarm engine on the gateway itself, in a thread: what a cut-off gateway can still show. It is handed what the
 * outbox has committed and never asked for leave: if it lags or dies, readings are taken in as ever.
 */
export class LocalWatch implements Lifecycle {
  readonly #options: LocalWatchOptions;
  readonly #alarmLog: AlarmLog;
  readonly #baselineFile: BaselineFile;
  readonly #backoff: Backoff;
  readonly #thread: AskedWorker<ToWatch, FromWatch>;
  #model: Model | null = null;
  #problem: string | null = null;
  #behind = 0;
  #skipped = 0;
  readonly #open = new RecentMap<string, Reading>(MAX_OPEN); // starts of open recordings: a thread that comes later has to know them
  #kept: readonly KeptBaselines[] = [];
  #unsent: Alarm[] = [];
  #writing: Promise<unknown> = Promise.resolve();
  #sendTimer: Timer | null = null;
  #stopping = false;

  constructor(options: LocalWatchOptions) {
    this.#options = options;
    this.#backoff = fullJitter({ clock: options.clock });
    this.#thread = new AskedWorker({
      clock: options.clock,
      spawn: () => new Worker(workerUrl('./watch-worker', import.meta.url), { execArgv: sourceExecArgv(import.meta.url) }),
      unanswered: (why, cause) => new EdgeError('WATCH_DOWN', why, { cause }),
      onNote: (note) => this.#onNote(note),
      onLost: (cause) => this.#onLost(cause),
      respawnMs: () => this.#backoff.nextMs(),
    });
    this.#alarmLog = new AlarmLog({ ...options, path: options.logPath });
    this.#baselineFile = new BaselineFile(join(dirname(options.logPath), 'watch-baselines.json'), options.log);
  }

  /** Reads the log. The detector loads meanwhile: the intake does not wait for it. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#begin();
  }

  /** What is in the log decides which alarms are new: while it cannot be read nothing is decided here, and everybody who looks is told. */
  async #begin(): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await this.#alarmLog.load();
    } catch (error) {
      if (!RuntimeError.is(error, 'KEPT_UNREADABLE')) throw error;
      this.#problem = `${error.message}; it is read again every ${READ_AGAIN_MS / 1000} s, alarms come from the cluster alone`;
      log.error({ err: error }, 'the alarm log of this gateway cannot be read: it does not detect until it can');
      clock.setTimer(READ_AGAIN_MS, () => {
        if (!this.#stopping) this.#begin().catch((cause: unknown) => log.error({ err: cause }, 'the local watch cannot begin'));
      });
      return;
    }
    this.#problem = null;
    this.#kept = await this.#baselineFile.load();
    this.#unsent = this.#alarmLog.unsent;
    this.#thread.start();
    this.#sendSoon(0);
  }

  async stop(): Promise<void> {
    if (this.#model !== null) await this.#ask({ kind: 'look' }).catch(() => undefined); // what came before is decided
    this.#stopping = true;
    this.#sendTimer?.cancel();
    this.#model = null;
    await this.#thread.terminate();
    await this.#writing;
  }

  /** What the outbox has just committed. */
  take(steps: readonly AppendStep[]): void {
    const readings = steps.flatMap(readingOf);
    for (const reading of readings) this.#remember(reading);
    if (readings.length === 0 || this.#model === null) return;
    if (this.#behind >= MAX_BEHIND) {
      if (this.#skipped++ === 0) this.#options.log.warn('the local watch cannot keep up; it skips readings, which are in the outbox');
      return;
    }
    this.#skipped = 0;
    this.#behind++;
    this.#thread.tell({ kind: 'readings', readings });
  }

  async look(): Promise<EdgeWatch> {
    const { gateway, clock, online } = this.#options;
    const answer = this.#model === null ? null : await this.#ask({ kind: 'look' }).catch(() => null);
    const view = answer?.kind === 'looked' ? answer.view : null;
    return {
      nowUs: clock.nowUs(),
      gateway,
      online: online(),
      detector: {
        state: this.state,
        problem: this.#problem,
        modelHash: this.#model?.modelHash ?? null,
        modelVersion: this.#model?.modelVersion ?? null,
      },
      devices: view?.devices ?? [],
      alarms: view?.alarms ?? [],
      pauses: view?.pauses ?? [],
    };
  }

  get state(): EdgeWatch['detector']['state'] {
    if (this.#model === null) return this.#problem === null ? 'starting' : 'down';
    return this.#skipped > 0 ? 'behind' : 'running';
  }

  get problem(): string | null {
    return this.#problem;
  }

  async acknowledge(alarmId: string, by: string): Promise<Asked> {
    if (this.#model === null) throw new EdgeError('WATCH_DOWN', this.#problem ?? 'it is starting');
    const answer = await this.#ask({ kind: 'acknowledge', alarmId, by });
    if (answer.kind !== 'acknowledged') throw new EdgeError('WATCH_DOWN', 'the watch answered something else');
    return answer.answer;
  }

  #onNote(note: Note): void {
    if (note.kind === 'ready') this.#onReady(note.model);
    else if (note.kind === 'taken') this.#behind--;
    else if (note.kind === 'records') this.#write(note.records);
    else this.#keep(note.kept);
  }

  #onReady(model: Model): void {
    const { log, gateway } = this.#options;
    this.#model = model;
    this.#problem = null;
    this.#backoff.healthy();
    this.#thread.tell({ kind: 'begin', gateway, records: this.#alarmLog.records, kept: this.#kept });
    this.#behind = 1;
    this.#thread.tell({ kind: 'readings', readings: [...this.#open.values()] });
    log.info({ ...model }, 'this gateway detects and alarms by itself');
  }

  #onLost({ message: why }: Error): void {
    this.#model = null;
    this.#problem = `the detector of this gateway is not running (${why}); it is started again, alarms come from the cluster alone`;
    this.#options.log.error({ why }, 'the local watch died; starting it again');
  }

  #remember(reading: Reading): void {
    if (reading.kind === 'start') this.#open.set(reading.start.subject, reading);
    else if (reading.kind === 'end') this.#open.delete(reading.recordingId);
  }

  #keep(kept: readonly KeptBaselines[]): void {
    this.#kept = kept;
    this.#writing = this.#writing.then(() => this.#baselineFile.write(kept));
  }

  /** On the disk first, then into the outbox, in the order they were decided. */
  #write(records: readonly AlarmRecord[]): void {
    for (const { transition, device, condition, state, alarmId } of records)
      this.#options.log.info({ device, condition, state, alarmId, transition }, 'alarm of this gateway');
    this.#writing = this.#writing.then(async () => {
      this.#unsent.push(...(await this.#alarmLog.append(records)));
      await this.#send();
    });
  }

  async #send(): Promise<void> {
    const { outbox, log } = this.#options;
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      try {
        await outbox.append([{ step: 'message', device: next.device, message: next }]);
      } catch (error) {
        if (!this.#stopping)
          log.warn({ err: error, alarmId: next.alarmId }, 'an alarm could not be written to the outbox yet; it is shown, and tried again');
        this.#sendSoon(SEND_AGAIN_MS);
        return;
      }
      this.#unsent.shift();
      await this.#alarmLog.sent(next.seq + 1);
    }
  }

  #sendSoon(ms: number): void {
    this.#sendTimer?.cancel();
    if (this.#stopping) return;
    this.#sendTimer = this.#options.clock.setTimer(ms, () => {
      this.#writing = this.#writing.then(() => this.#send());
    });
  }

  #ask(question: Question<ToWatch>): Promise<Answer> {
    return this.#thread.ask(question, { deadlineMs: ANSWER_MS });
  }
}

function readingOf(step: AppendStep): Reading[] {
  if (step.step === 'end') return [{ kind: 'end', recordingId: step.recordingId, reason: step.reason }];
  if (step.step === 'start') {
    const { subject, device, of, rate, channels, montageHash, predecessor, captureId, captureFirstSample, replay } = step.start;
    return [
      { kind: 'start', start: { subject, device, of, rate, channels, montageHash, predecessor, captureId, captureFirstSample, replay } },
    ];
  }
  if (step.step !== 'chunk') return [];
  const { chunk } = step;
  if (isNumericChunk(chunk)) {
    const { recordingId, stream, kind, readings } = chunk;
    return [{ kind: 'numeric', recordingId, stream, of: kind, readings }];
  }
  if (chunk.stream !== 'eeg') return [];
  const { recordingId, firstSample, samplesPerChannel, samples, measuredAtUs } = chunk;
  return [{ kind: 'eeg', recordingId, firstSample, samplesPerChannel, samples, measuredAtUs }];
}
