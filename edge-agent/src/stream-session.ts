import { randomBytes } from 'node:crypto';
import { type ClockState, type DataStream, type EndReason, newRecordingId } from '@vitalwire/contract';
import { type Appended, type AppendStep, type Hole, type Outbox, OutboxError, type Predecessor, type SeqRange } from '@vitalwire/outbox';
import type { Clock, Timer } from '@vitalwire/runtime';
import { RecentMap } from '@vitalwire/runtime';
import { WAIT_MS } from './chunker.ts';
import { type ChunkStep, type CutContext, type Cutter, claimOf, countOf, timeOf } from './cutter.ts';
import { gapBetween } from './device-gap.ts';

import { mergeRanges, NoRepeat, type RecordingForm, SkippedSamples, type StreamAnswer, type StreamRequest } from './stream-request.ts';

export type SessionOptions = {
  readonly gateway: string;
  readonly device: string;
  readonly stream: DataStream;
  readonly outbox: Pick<Outbox, 'append' | 'capturePosition' | 'compareCapture'>;
  readonly clock: Clock;
  readonly clockState: () => ClockState;
  readonly phone?: boolean;
};

type Open = {
  readonly id: string;
  readonly captureId: string;
  readonly captureFirstSample: number;
  readonly form: RecordingForm;
  readonly cutter: Cutter;
  readonly day: number;
  lastUs: number | null;
  started: boolean; // its start record is committed
};
type Capture = {
  readonly id: string;
  readonly holes: Hole[]; // samples that were passed over
  cut: number; // the next sample to be handed to the outbox
  taken: number; // the next sample to be taken from the device: between the two lies what is held back
};
type Held = { readonly ranges: SeqRange[]; resolve: () => void; reject: (error: Error) => void };

const DAY_MS = 86_400_000;
const MAX_HELD = 1_024;
const MAX_TOLD = 16;
const OVERTAKE_MS = 60_000;
const COMPARED_AT_ONCE = 16_384; // readings: others ask the outbox in between

/**
 * One stream of one device: knows where its capture stands, begins and ends recordings, and answers a request only when all its
 * readings are committed. Requests are taken in the order they come; several may wait for the disk at once.
 */
export class StreamSession {
  readonly #options: SessionOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #capture: Capture | null = null;
  #open: Open | null = null;
  #predecessor: Predecessor | null = null;
  #held: Held[] = [];
  #timer: Timer | null = null;
  #tail: Promise<unknown> = Promise.resolve();
  #epoch = 0;
  readonly #underWay = new Set<Promise<unknown>>();
  #failed: { readonly captureId: string; readonly untilMs: number } | null = null;
  readonly #unended = new Map<string, AppendStep>(); // end records whose append failed
  readonly #told = new RecentMap<string, number>(MAX_TOLD); // how much of a capture devices know to be committed: a repair must not forget it

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get recordingId(): string | null {
    return this.#open?.id ?? null;
  }

  /** Resolves after the commit of everything in the request. Rejects with an OutboxError when nothing new of it could be kept. */
  async submit(request: StreamRequest): Promise<StreamAnswer> {
    const { answered } = await this.#inTurn(() => this.#take(request));
    return answered;
  }

  /** Commits what is held back and ends the open recording. */
  async end(reason: EndReason): Promise<void> {
    const done = await this.#inTurn(async () => {
      const steps = this.#endSteps(reason);
      return { committed: steps.length === 0 ? this.#tail : this.#append(steps) };
    });
    await done.committed;
  }

  /** Ends a recording that has outlived its day, though nobody sends. */
  async endIfOld(): Promise<void> {
    if (this.#open !== null && this.#open.day !== this.#today()) await this.end('midnight');
  }

  async #take(request: StreamRequest): Promise<{ answered: Promise<StreamAnswer> }> {
    if (this.#capture !== null && this.#capture.id !== request.captureId) {
      const ending = this.#endSteps('capture-ended');
      if (ending.length > 0) await this.#append(ending);
      this.#capture = null;
    }
    const count = countOf(request.readings);
    let capture = await this.#positionOf(request.captureId);
    const firstSample = request.firstSample === 'next' ? capture.taken : request.firstSample;
    const hole = capture.holes.find((one) => firstSample < one.to && one.from < firstSample + count);
    if (hole !== undefined) throw new SkippedSamples(request.captureId, hole);
    if (count > 0 && firstSample < capture.taken) capture = await this.#refuseOther(request, firstSample);
    this.#refuseOvertaking(request.captureId, firstSample, capture.taken);
    const steps: AppendStep[] = [...this.#unended.values()]; // behind every refusal, or they would be forgotten with it
    this.#unended.clear();
    const repeated = Math.min(count, Math.max(0, capture.taken - firstSample));
    const fresh = count - repeated;

    if (fresh > 0) {
      const from = firstSample + repeated;
      this.#closeIfDifferent(request, from, capture, steps);
      const open = this.#open ?? this.#begin(request, from, repeated, steps);
      const before = capture.cut;
      const jump = from > capture.taken ? { from: capture.taken, to: from } : null;
      if (jump !== null) {
        capture.holes.push(jump);
        capture.cut = from; // what was held back has been cut above
      }
      capture.taken = from + fresh;
      this.#cut(open.cutter.add(request.readings, from - open.captureFirstSample, repeated, this.#context(open)), open, capture, steps);
      if (open.cutter.isDue || request.end) this.#cut(open.cutter.flush(this.#context(open)), open, capture, steps);
      if (open.cutter.waiting === 0) capture.cut = capture.taken; // also over places that held no reading
      if (request.extra !== undefined) steps.push(...request.extra);
      if (capture.cut !== before) steps.push(this.#captureStep(capture.id, before, capture.cut, jump));
    }
    if (request.end) steps.push(...this.#endSteps('capture-ended'));

    const isHeld = (this.#open?.cutter.waiting ?? 0) > 0 && firstSample + count > capture.cut;
    const now = steps.length > 0 ? this.#append(steps) : this.#tail.then(() => ({ recordings: [] }));
    const later = isHeld ? this.#hold() : null;
    const nextSample = capture.taken;
    const answer = async (): Promise<StreamAnswer> => {
      const ranges: SeqRange[] = [];
      const [appended] = await Promise.all([now as Promise<Appended>, later?.committed]);
      ranges.push(...appended.recordings, ...(later?.held.ranges ?? []));
      return { accepted: fresh, repeated, nextSample, recordings: mergeRanges(ranges) };
    };
    return { answered: answer() };
  }

  async #positionOf(captureId: string): Promise<Capture> {
    if (this.#capture !== null) return this.#capture;
    const { device, stream, outbox } = this.#options;
    await Promise.allSettled(this.#underWay); // an append on its way would move the position we are about to read
    const told = this.#told.get(captureId) ?? 0;
    const position = await outbox.capturePosition(device, stream, captureId, told);
    this.#predecessor ??= position.predecessor;
    this.#capture = { id: captureId, holes: [...position.holes], cut: position.nextSample, taken: position.nextSample };
    return this.#capture;
  }

  #closeIfDifferent(request: StreamRequest, from: number, capture: Capture, steps: AppendStep[]): void {
    const open = this.#open;
    if (open === null) return;
    if (open.captureId !== request.captureId) steps.push(...this.#endSteps('capture-ended'));
    else if (open.form.key !== request.form.key) steps.push(...this.#endSteps('montage-changed'));
    else if (from > capture.taken) steps.push(...this.#endSteps('device-gap'));
    else if (open.day !== this.#today()) steps.push(...this.#endSteps('midnight'));
  }

  /**
   * A request could not be kept, and its device may already have sent the next: taken as a jump that one would shut the first out for
   * good. So for a while only what begins where the capture stands is taken.
   */
  #refuseOvertaking(captureId: string, firstSample: number, expected: number): void {
    const failed = this.#failed;
    if (failed === null) return;
    const isOver = failed.captureId !== captureId || this.#options.clock.monotonicMs() > failed.untilMs;
    if (isOver || firstSample <= expected) this.#failed = null;
    else
      throw new OutboxError('CAPTURE_MOVED', `capture '${captureId}' goes on at sample ${expected}; the request begins at ${firstSample}`);
  }

  /**
   * A device that counts anew under the same captureId must not be told that its readings are there. So a repeat is only what the outbox
   * still has and finds the same; everything else is refused, and nothing of the request is taken.
   */
  async #refuseOther({ captureId, readings }: StreamRequest, firstSample: number): Promise<Capture> {
    const { device, outbox } = this.#options;
    this.#cutHeld(); // what is held back must lie where it can be compared
    await Promise.allSettled(this.#underWay);
    const capture = await this.#positionOf(captureId);
    const end = Math.min(firstSample + countOf(readings), capture.taken);
    for (let at = firstSample; at < end; at += COMPARED_AT_ONCE) {
      const part = claimOf(readings, at - firstSample, Math.min(end, at + COMPARED_AT_ONCE) - firstSample);
      const match = await outbox.compareCapture({ device, captureId, firstSample: at, readings: part });
      if (match.kind !== 'same') throw new NoRepeat(captureId, match);
    }
    return capture;
  }

  #begin(request: StreamRequest, from: number, skipped: number, steps: AppendStep[]): Open {
    const { gateway, device, stream, clock, clockState, phone = false } = this.#options;
    const { form, captureId } = request;
    const id = newRecordingId(gateway, clock.nowMs(), randomBytes(6));
    const startUs = timeOf(request.readings, skipped);
    const before = this.#predecessor;
    if (before !== null) {
      const gap = gapBetween(before, { device, stream, startUs, nowUs: clock.nowUs(), clock: clockState(), phone });
      if (gap !== null) steps.push({ step: 'gap', gap });
    }
    steps.push({
      step: 'start',
      start: {
        measuredAtUs: startUs,
        clock: clockState(),
        subject: id,
        gateway,
        device,
        of: stream,
        rate: form.rate,
        channels: form.channels,
        montageHash: form.montageHash,
        predecessor: before?.recordingId ?? null,
        captureId,
        captureFirstSample: from,
        replay: form.replay,
        source: form.source,
      },
    });
    this.#open = {
      id,
      captureId,
      captureFirstSample: from,
      form,
      cutter: request.makeCutter(),
      day: this.#today(),
      lastUs: null,
      started: false,
    };
    return this.#open;
  }

  #cut(chunks: readonly ChunkStep[], open: Open, capture: Capture, steps: AppendStep[]): void {
    for (const chunk of chunks) {
      steps.push(chunk);
      capture.cut += chunk.readings;
      open.lastUs = chunk.endUs;
    }
  }

  /** What closes the open recording: the chunk that is held back, where the capture then stands, and the end record. */
  #endSteps(reason: EndReason): AppendStep[] {
    const open = this.#open;
    const capture = this.#capture;
    if (open === null) return [];
    const steps: AppendStep[] = [];
    if (capture !== null) {
      const before = capture.cut;
      this.#cut(open.cutter.flush(this.#context(open)), open, capture, steps);
      if (capture.cut !== before) steps.push(this.#captureStep(capture.id, before, capture.cut));
    }
    steps.push({ step: 'end', recordingId: open.id, reason, clock: this.#options.clockState() });
    this.#predecessor = { recordingId: open.id, lastUs: open.lastUs, endReason: reason };
    this.#open = null;
    return steps;
  }

  #captureStep(captureId: string, fromSample: number, nextSample: number, hole: Hole | null = null): AppendStep {
    const { device, stream } = this.#options;
    return { step: 'capture', device, stream, captureId, fromSample, nextSample, hole };
  }

  #append(steps: readonly AppendStep[]): Promise<Appended> {
    const epoch = this.#epoch;
    const open = this.#open;
    const held = steps.some((step) => step.step === 'chunk') && (open === null || open.cutter.waiting === 0) ? this.#release() : [];
    const appended = this.#options.outbox.append(steps).then(
      (value) => {
        for (const step of steps) {
          if (step.step === 'start' && step.start.subject === open?.id) open.started = true;
          if (step.step === 'capture') this.#remember(step.captureId, step.nextSample);
        }
        for (const one of held) {
          one.ranges.push(...value.recordings);
          one.resolve();
        }
        return value;
      },
      (error: unknown) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        for (const one of held) one.reject(failure);
        for (const step of steps) if (step.step === 'end') this.#unended.set(step.recordingId, step);
        if (epoch === this.#epoch) this.#startOver(failure);
        throw failure;
      },
    );
    this.#tail = appended;
    const settled: Promise<unknown> = appended.then(
      () => this.#underWay.delete(settled),
      () => this.#underWay.delete(settled), // whoever waits for it is told; nobody may
    );
    this.#underWay.add(settled);
    return appended;
  }

  /** An append failed: forget what was believed of capture and open chunk, and go on from what the outbox has. */
  #startOver(cause: Error): void {
    this.#epoch += 1;
    this.#timer?.cancel();
    this.#timer = null;
    for (const one of this.#release()) one.reject(cause);
    if (this.#capture !== null && !OutboxError.is(cause, 'UNSTORABLE'))
      this.#failed = { captureId: this.#capture.id, untilMs: this.#options.clock.monotonicMs() + OVERTAKE_MS };
    this.#capture = null;
    const open = this.#open;
    open?.cutter.reset();
    if (open !== null && (!open.started || OutboxError.is(cause, 'OUTBOX_REPLACED'))) {
      // It may be there all the same; ending one that is not there, or has ended, does nothing.
      this.#unended.set(open.id, { step: 'end', recordingId: open.id, reason: 'crash', clock: this.#options.clockState() });
      this.#open = null;
    }
    this.#tail = Promise.resolve();
  }

  #hold(): { held: Held; committed: Promise<void> } {
    let held: Held | null = null;
    const committed = new Promise<void>((resolve, reject) => {
      held = { ranges: [], resolve, reject };
      this.#held.push(held);
    });
    committed.catch(() => {}); // told to its own request
    if (this.#held.length >= MAX_HELD) void this.#flushHeld();
    else this.#timer ??= this.#options.clock.setTimer(WAIT_MS, () => void this.#flushHeld());
    if (held === null) throw new Error('unreachable');
    return { held, committed };
  }

  #release(): Held[] {
    this.#timer?.cancel();
    this.#timer = null;
    return this.#held.splice(0);
  }

  async #flushHeld(): Promise<void> {
    this.#timer = null;
    await this.#inTurn(async () => this.#cutHeld());
  }

  #cutHeld(): void {
    const open = this.#open;
    const capture = this.#capture;
    if (open === null || capture === null) return;
    const steps: AppendStep[] = [];
    const before = capture.cut;
    this.#cut(open.cutter.flush(this.#context(open)), open, capture, steps);
    // A failure is told by the outbox, and the next request finds the capture where it is.
    if (steps.length > 0) this.#append([...steps, this.#captureStep(capture.id, before, capture.cut)]).catch(() => {});
  }

  #remember(captureId: string, cut: number): void {
    const known = this.#told.get(captureId) ?? 0;
    this.#told.renew(captureId, Math.max(known, cut));
  }

  #context(open: Open): CutContext {
    return { recordingId: open.id, clock: this.#options.clockState() };
  }

  #today(): number {
    return Math.floor(this.#options.clock.nowMs() / DAY_MS);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {}); // told to its own request; the next one's turn comes all the same
    return mine;
  }
}
