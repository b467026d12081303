import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeMessage, type Gap, type Message } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AppendStep } from '../append.ts';
import type { OutboxFileOptions } from './core.ts';
import { OutboxFile } from './outbox-file.ts';
import { capture, chunk, dir, MB, newId, nowMs, pass, start } from './test-outbox-file.ts';

// What an outbox promises, against every order of appends, acknowledgements, evictions, kills between any two statements, damage and new databases.

const RING_MS = 60_000;
const SAMPLES = 12_000; // some 24 kB that no codec makes smaller: a few dozen fill the file
const MAX_BYTES = MB;

/** What a device was answered: nothing of it may vanish without a word. */
class Model {
  readonly answered = new Map<string, number>(); // marker of each chunk by recording and seq
  readonly delivered = new Set<string>(); // acknowledged: the ring may drop it
  readonly declared: Gap[] = []; // the cluster has been told
  readonly next = new Map<string, number>(); // seqs given out by recording
  readonly ended = new Set<string>();
  captureAt = 0;
  current: string | null = null;
  wasDamaged = false;

  began(recordingId: string): void {
    this.next.set(recordingId, 0);
    this.current = recordingId;
  }

  took(recordingId: string, firstSeq: number, markers: readonly number[]): void {
    for (const [index, marker] of markers.entries()) this.answered.set(`${recordingId} ${firstSeq + index}`, marker);
    this.next.set(recordingId, firstSeq + markers.length);
  }
}

/** The file, and what was sent from it. */
class Real {
  file: OutboxFile;
  session = newId();
  markers = 0;
  #onStatement: () => void = () => {};

  constructor() {
    this.file = OutboxFile.open(this.#options()).file;
    this.file.begin({ sessionId: this.session, version: '1', announce: true });
  }

  #options(): OutboxFileOptions {
    const onStatement = (): void => this.#onStatement();
    return {
      path: join(dir, 'outbox.sqlite'),
      owner: 'gateway-1',
      maxBytes: MAX_BYTES,
      ringMs: RING_MS,
      minFreeBytes: 0,
      nowMs: () => nowMs,
      onStatement,
    };
  }

  /** Closes it, as a process that is killed or ends, and starts again with what lies on the disk; `damage` may look at it before. */
  restart(damage: (path: string) => void = () => {}): void {
    this.#onStatement = () => {};
    this.file.close();
    damage(join(dir, 'outbox.sqlite'));
    this.file = OutboxFile.open(this.#options()).file;
    this.session = newId();
    this.file.begin({ sessionId: this.session, version: '1', announce: true });
  }

  /** Does something, and is killed before its statement number `at`; false if it has fewer: then it was done. */
  killedAt(at: number, work: () => void): boolean {
    const names = ['outbox.sqlite', 'outbox.sqlite-wal'].filter((name) => existsSync(join(dir, name)));
    let statements = 0;
    let isTaken = false;
    this.#onStatement = () => {
      if (statements++ !== at) return;
      for (const name of names) copyFileSync(join(dir, name), join(dir, `killed-${name}`));
      isTaken = true;
    };
    work();
    this.#onStatement = () => {};
    if (!isTaken) return false;
    this.restart((path) => {
      for (const part of ['', '-wal', '-shm']) rmSync(path + part, { force: true });
      for (const name of names) copyFileSync(join(dir, `killed-${name}`), join(dir, name));
    });
    return true;
  }

  rows(): { id: number; message: Message }[] {
    return this.file.read(0, 100_000, Number.POSITIVE_INFINITY).map(({ id, message }) => {
      const decoded = decodeMessage(message);
      if (!decoded.ok) throw new Error(decoded.reason);
      return { id, message: decoded.value };
    });
  }
}

/** Everything that must hold, whatever happened. */
function check(model: Model, real: Real): void {
  real.rows(); // reading finds what is not what was written, and declares it behind the rows that it gives
  const rows = real.rows();
  const state = real.file.state();
  const pending = rows.filter(({ id }) => id > state.deliveredId);
  expect({ pending: state.pendingChunks, ring: state.ringChunks }).toEqual({ pending: pending.length, ring: rows.length - pending.length });
  expect(state.lastId).toBeGreaterThanOrEqual(rows.at(-1)?.id ?? 0);
  const here = new Map<string, number>();
  const gaps: Gap[] = [...model.declared];
  const lastSeq = new Map<string, number>();
  for (const { message } of rows) {
    if (message.stream === 'gap') gaps.push(message);
    if (message.stream !== 'eeg') continue;
    const key = `${message.recordingId} ${message.seq}`;
    expect(here.has(key), 'a number is used once').toBe(false);
    here.set(key, message.samples[0] ?? 0);
    expect(message.seq, 'in order').toBeGreaterThan(lastSeq.get(message.recordingId) ?? -1);
    lastSeq.set(message.recordingId, message.seq);
  }
  const isUnknown = gaps.some(({ fromSeq }) => fromSeq === null);
  for (const [key, marker] of model.answered) {
    const found = here.get(key);
    if (found !== undefined) expect(found, 'what was sent is what was taken').toBe(marker);
    if (found !== undefined || model.delivered.has(key)) continue;
    const [recordingId, seq] = key.split(' ');
    const isDeclared = gaps.some(
      ({ subject, fromSeq, toSeq }) =>
        subject === recordingId && fromSeq !== null && toSeq !== null && fromSeq <= Number(seq) && Number(seq) <= toSeq,
    );
    expect(isDeclared || (model.wasDamaged && isUnknown), `${key} vanished without a word`).toBe(true);
  }
  for (const [key, found] of here) expect(model.answered.get(key) ?? found, 'nothing is here that nobody sent').toBe(found);
  expect(real.file.capturePosition('eeg-1', 'eeg', 'c', 0).nextSample).toBe(model.captureAt);
}

type Command = fc.Command<Model, Real>;

/** A command that is done whole, or killed before one of its statements: then it happened wholly or not at all. */
abstract class Step implements Command {
  readonly kill: number | null;
  constructor(kill: number | null) {
    this.kill = kill;
  }
  check(_model: Readonly<Model>): boolean {
    return true;
  }
  /** Does it; what is returned tells the model, if it lasted. */
  protected abstract act(model: Model, real: Real): () => void;
  /** After a kill: whether it lasted. */
  protected abstract lasted(model: Model, real: Real): boolean;
  run(model: Model, real: Real): void {
    let happened = (): void => {};
    const work = (): void => {
      happened = this.act(model, real);
    };
    if (this.kill === null) work();
    const wasKilled = this.kill !== null && real.killedAt(this.kill, work);
    if (!wasKilled || this.lasted(model, real)) happened();
    if (wasKilled) for (const id of model.next.keys()) model.ended.add(id); // the next agent ends what was open
    check(model, real);
  }
  toString(): string {
    return `${this.constructor.name}${this.kill === null ? '' : ` killed before statement ${this.kill}`}`;
  }
}

class Append extends Step {
  readonly chunks: number;
  readonly isNew: boolean;
  constructor(chunks: number, isNew: boolean, kill: number | null) {
    super(kill);
    this.chunks = chunks;
    this.isNew = isNew;
  }
  protected act(model: Model, real: Real): () => void {
    const starts = this.isNew || model.current === null || model.ended.has(model.current);
    const id = starts || model.current === null ? newId() : model.current;
    const firstSeq = starts ? 0 : (model.next.get(id) ?? 0);
    const markers = Array.from({ length: this.chunks }, () => ++real.markers);
    const steps: AppendStep[] = [
      ...(starts ? [start(id)] : []),
      ...markers.map((marker, index) => chunk(id, (firstSeq + index) * SAMPLES, noise(marker))),
      capture('c', model.captureAt, model.captureAt + this.chunks),
    ];
    const [result] = real.file.appendGroup([steps], false).results;
    if (result?.ok !== true) {
      expect(result?.code).toBe('OUTBOX_FULL');
      return () => {};
    }
    return () => {
      if (starts) model.began(id);
      model.took(id, firstSeq, markers);
      model.captureAt += this.chunks;
    };
  }
  protected lasted(model: Model, real: Real): boolean {
    const reached = real.file.capturePosition('eeg-1', 'eeg', 'c', 0).nextSample;
    expect([model.captureAt, model.captureAt + this.chunks], 'all of it or nothing').toContain(reached);
    return reached > model.captureAt;
  }
  override toString(): string {
    return `${super.toString()} of ${this.chunks}${this.isNew ? ', a new recording' : ''}`;
  }
}

class Ack extends Step {
  readonly share: number;
  #upto = 0;
  constructor(share: number, kill: number | null) {
    super(kill);
    this.share = share;
  }
  protected act(model: Model, real: Real): () => void {
    const { deliveredId } = real.file.state();
    const pending = real.rows().filter(({ id }) => id > deliveredId);
    const sent = pending.slice(0, Math.ceil(pending.length * this.share));
    this.#upto = sent.at(-1)?.id ?? deliveredId;
    // The cluster has them, whether or not the gateway remembers to have heard so.
    for (const { message } of sent) {
      model.delivered.add(`${message.recordingId} ${message.seq}`);
      if (message.stream === 'gap') model.declared.push(message);
    }
    real.file.ack(this.#upto);
    return () => {};
  }
  protected lasted(): boolean {
    return true;
  }
  override toString(): string {
    return `${super.toString()} of ${Math.round(this.share * 100)} %`;
  }
}

class Wait extends Step {
  protected act(_: Model, real: Real): () => void {
    pass(RING_MS / 2);
    for (let more = true; more; ) more = real.file.maintain();
    return () => {};
  }
  protected lasted(): boolean {
    return true;
  }
}

class Generation extends Step {
  protected act(_: Model, real: Real): () => void {
    real.file.newGeneration(newId());
    return () => {};
  }
  protected lasted(): boolean {
    return true;
  }
}

class Restart implements Command {
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    real.restart();
    for (const id of model.next.keys()) model.ended.add(id);
    check(model, real);
  }
  toString(): string {
    return 'Restart';
  }
}

/** Some bytes of the closed file turn over: what can be read is kept, everything else is declared. */
class Damage implements Command {
  readonly place: number;
  readonly bytes: number;
  constructor(place: number, bytes = 64) {
    this.place = place;
    this.bytes = bytes;
  }
  check(model: Readonly<Model>): boolean {
    return !model.wasDamaged;
  }
  run(model: Model, real: Real): void {
    model.wasDamaged = true;
    real.restart((path) => {
      const bytes = readFileSync(path);
      const at = Math.floor(this.place * Math.max(0, statSync(path).size - this.bytes));
      for (let index = at; index < Math.min(bytes.length, at + this.bytes); index++) bytes[index] = ~(bytes[index] ?? 0) & 255;
      writeFileSync(path, bytes);
    });
    for (const id of model.next.keys()) model.ended.add(id);
    // Where the captures themselves could not be read the device is told to begin anew; the model goes on from what is known.
    const reached = real.file.capturePosition('eeg-1', 'eeg', 'c', 0).nextSample;
    expect(reached).toBeLessThanOrEqual(model.captureAt);
    model.captureAt = reached;
    check(model, real);
  }
  toString(): string {
    return `Damage of ${this.bytes} bytes at ${this.place.toFixed(3)}`;
  }
}

/** An append whose last step is refused: nothing of it stays. */
class Refused extends Step {
  protected act(model: Model, real: Real): () => void {
    const id = newId();
    const steps = [start(id), chunk(id, 0, noise(++real.markers)), capture('c', model.captureAt + 1, model.captureAt + 2)];
    expect(real.file.appendGroup([steps], false).results[0]?.ok).toBe(false);
    return () => {};
  }
  protected lasted(): boolean {
    return true;
  }
}

const kill = fc.option(fc.nat(30), { freq: 2 });
const many = fc.tuple(fc.integer({ min: 10, max: 20 }), kill).map(([chunks, at]) => new Append(chunks, false, at));
const commands = [
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean(), kill).map(([chunks, isNew, at]) => new Append(chunks, isNew, at)),
  many,
  many, // twice as often: the file has to fill
  kill.map((at) => new Refused(at)),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), kill).map(([share, at]) => new Ack(share, at)),
  kill.map((at) => new Wait(at)),
  kill.map((at) => new Generation(at)),
  fc.constant(new Restart()),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(64, 20_000)).map(([place, bytes]) => new Damage(place, bytes)),
];

// Orders that must always be tried, whatever chance brings.
const full = [new Append(20, true, null), new Append(20, false, null), new Append(20, true, null), new Append(20, false, null)];
const kept: readonly (readonly [name: string, steps: readonly Command[]])[] = [
  ['what does not fit pushes out the oldest', full],
  ['what is delivered goes first', [...full.slice(0, 2), new Ack(0.5, null), ...full.slice(2)]],
  ['a new database is sent what the ring holds', [...full.slice(0, 2), new Ack(1, null), new Generation(null), ...full]],
  ['the ring expires', [...full.slice(0, 2), new Ack(0.5, null), new Wait(null), new Wait(null), new Wait(null), new Restart()]],
  ['an append that is refused', [new Append(3, true, null), new Refused(null), new Append(3, false, null)]],
  ...[64, 20_000].flatMap((bytes) =>
    [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.95].map(
      (place) =>
        [
          `damage of ${bytes} bytes at ${place}`,
          [...full.slice(0, 2), new Ack(0.3, null), new Damage(place, bytes), new Append(5, false, null)],
        ] as const,
    ),
  ),
  [
    'a declared loss that was delivered stays declared',
    [new Append(1, true, null), new Damage(0), ...full.slice(0, 2), new Ack(0.01, null), ...full],
  ],
  ...[0, 3, 6, 9, 12, 20, 40].map(
    (at) => [`killed before statement ${at} of an eviction`, [...full.slice(0, 3), new Append(20, false, at)]] as const,
  ),
];

test.each(kept)('%s: nothing vanishes without a word', (_, steps) => {
  tryAll(steps);
});

test('appended, acknowledged, evicted, killed between two statements, damaged, sent anew, in any order: nothing vanishes without a word', {
  timeout: 120_000,
}, () => {
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 40, size: '+1' }), (steps) => tryAll(steps)),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 30) },
  );
});

function tryAll(steps: Iterable<Command>): void {
  for (const name of ['outbox.sqlite', 'outbox.sqlite-wal', 'outbox.sqlite-shm']) rmSync(join(dir, name), { force: true });
  const real = new Real();
  try {
    fc.modelRun(() => ({ model: new Model(), real }), steps);
  } finally {
    real.file.close();
  }
}

/** Noise that begins with its marker. */
function noise(marker: number): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(SAMPLES);
  let state = marker;
  for (let index = 1; index < samples.length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    samples[index] = state >> 16;
  }
  samples[0] = marker;
  return samples;
}
