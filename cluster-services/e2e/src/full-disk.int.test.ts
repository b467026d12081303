import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { type Ended, RunningCommand, run } from './command.ts';
import { SmallDisk } from './small-disk.ts';

const DISK_MB = 24;
const GROWN_MB = 128;
const STAYS_FULL_MS = 3_000;
const killed = ['storage', 'ingest', 'edge'];

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const canMount = tryMount();
// Where nothing may be skipped the tests run, and say themselves what is missing.
const isSkipped = !canMount && process.env['CI'] !== 'true';
if (isSkipped) console.warn('SKIPPED: the full-disk tests mount a small tmpfs, which needs root (CAP_SYS_ADMIN)');

describe.skipIf(isSkipped)('a full disk', { concurrent: true, timeout: 150_000 }, () => {
  test('under everything: readings are refused, not lost, nothing crashes, and all goes on when there is space again', async () => {
    const disk = mount(tempRoot('vw-full-'), DISK_MB);
    const ward = await Ward.start(join(disk.path, 'ward'));
    await ward.untilStored();

    disk.fill();
    const refusal = await ward.device.untilRefused();
    expectClearRefusal(refusal, ward.data);
    await ward.untilProblem(/^(ingest|storage) .*the disk of .*readings\.sqlite is full$/);
    await ward.untilProblem(/^edge outbox: the disk of .* is full: free some space; /);
    const status = await run(['status', '--data', ward.data]);
    expect(status.stdout).toMatch(/edge +degraded\n +outbox: the disk of .* is full: /);
    // Whoever ends meanwhile starts again at the first attempt, full as the disk is.
    await Promise.all(killed.map((service) => ward.killAndAwait(service)));
    expect((await ward.device.untilRefused()).status).toBe(503);

    disk.grow(GROWN_MB);
    await ward.device.untilAnswered();
    await ward.untilNoProblem();
    await ward.expectNothingLost(killed);
  });

  test('under the database alone, then under the outbox alone: the other part goes on, and each says whose disk it is', async () => {
    const root = tempRoot('vw-full-');
    const databaseDisk = mount(join(root, 'database'), DISK_MB);
    const edgeDisk = mount(join(root, 'ward', 'edge'), DISK_MB);
    const ward = await Ward.start(join(root, 'ward'), '--database', `sqlite:${databaseDisk.path}`);
    await ward.untilStored();

    databaseDisk.fill();
    await ward.untilProblem(new RegExp(`^(ingest|storage) .*the disk of ${databaseDisk.path}/readings.sqlite is full$`));
    const answeredBefore = ward.device.answered;
    await sleep(STAYS_FULL_MS);
    expect(ward.device.answered).toBeGreaterThan(answeredBefore); // the outbox takes what the database cannot
    expect(ward.device.refusals).toEqual([]);
    databaseDisk.grow(GROWN_MB);
    await ward.untilNoProblem();

    edgeDisk.fill();
    expectClearRefusal(await ward.device.untilRefused(), edgeDisk.path);
    await ward.untilProblem(/^edge outbox: the disk of .* is full: /);
    expect(ward.problems().filter((problem) => !problem.startsWith('edge'))).toEqual([]);
    await sleep(STAYS_FULL_MS);
    edgeDisk.grow(GROWN_MB);
    await ward.device.untilAnswered();
    await ward.untilNoProblem();
    await ward.expectNothingLost();
  });
});

type Answer = { readonly status: number; readonly retryAfter: string | undefined; readonly text: string };

function expectClearRefusal({ status, retryAfter, text }: Answer, where: string): void {
  expect(status).toBe(503);
  expect(Number(retryAfter)).toBeGreaterThan(0);
  const { error } = JSON.parse(text) as { error: { code: string; message: string; next: string } };
  expect(error.code).toBe('DISK_FULL');
  expect(error.message).toMatch(/^the disk under the outbox is full: [^\n]+$/);
  expect(error.message).toContain(where);
  expect(error.next).not.toBe('');
}

/** `vitalwire up`, a replay and a device of our own, all as processes and requests of their own. */
class Ward {
  readonly data: string;
  readonly #up: RunningCommand;
  readonly #replay: RunningCommand;
  readonly device: Device;

  private constructor(data: string, up: RunningCommand, replay: RunningCommand, device: Device) {
    this.data = data;
    this.#up = up;
    this.#replay = replay;
    this.device = device;
  }

  static async start(data: string, ...upOptions: string[]): Promise<Ward> {
    const up = started(['up', '--data', data, '--json', ...upOptions]);
    await until(() => up.events.some(({ type }) => type === 'ready'), { timeoutMs: 60_000, everyMs: 100, what: `ready: ${up.stderr}` });
    const { stdout: token } = await run(['edge', 'token', 'belt-1', '--data', data]);
    const { urls, caPath } = JSON.parse(readFileSync(join(data, 'stack.json'), 'utf8')) as { urls: { intake: string }; caPath: string };
    const device = new Device(urls.intake, readFileSync(caPath, 'utf8'), token.trim());
    ends.push(() => device.stop());
    const replay = started(['replay', 'synth', '--synth', 'channels=1', '--data', data, '--patients', '2', '--speed', '2', '--json']);
    return new Ward(data, up, replay, device);
  }

  async untilStored(): Promise<void> {
    await until(() => this.#numbers().some(({ stats }) => (stats?.samples ?? 0) > 0) && this.device.answered > 5, {
      timeoutMs: 40_000,
      everyMs: 100,
      what: `samples are stored: ${this.#replay.stderr}`,
    });
  }

  /** What is wrong by now, as `up` tells it. */
  problems(): readonly string[] {
    return this.#numbers().at(-1)?.problems ?? [];
  }

  async untilProblem(pattern: RegExp): Promise<void> {
    await until(() => this.problems().some((problem) => pattern.test(problem)), {
      timeoutMs: 30_000,
      everyMs: 100,
      what: `a problem like ${pattern}`,
    });
    // One sentence each: no second line, no stack.
    for (const problem of this.problems()) expect(problem).not.toMatch(/\n|\bat .*:\d+:\d+/);
  }

  async untilNoProblem(): Promise<void> {
    const from = this.#numbers().length;
    await until(() => this.#numbers().length > from + 1 && this.problems().length === 0, {
      timeoutMs: 45_000,
      everyMs: 100,
      what: `no problem is left of: ${this.problems().join('; ')}`,
    });
  }

  /** Ends everything in order and compares what was answered with what is stored. */
  async expectNothingLost(killed: readonly string[] = []): Promise<void> {
    await this.device.stop();
    expect(outcome(await this.#replay.interrupt())).toEqual({ code: 0, signal: null });
    expect(outcome(await run(['edge', 'drain', '--timeout', '40s', '--data', this.data], { withinMs: 50_000 }))).toEqual({
      code: 0,
      signal: null,
    });
    const [verified, ledger] = await Promise.all([
      run(['verify', '--data', this.data, '--json']),
      run(['ledger', '--device', 'belt-1', '--data', this.data, '--json']),
    ]);
    expect(JSON.parse(verified.stdout)).toMatchObject({ lost: 0, duplicated: 0, different: 0, disagreements: [] });
    expect(verified.code).toBe(0);
    expect(JSON.parse(ledger.stdout).totals).toMatchObject({
      samplesStored: this.device.answered,
      missing: 0,
      declaredLost: 0,
      quarantined: 0,
    });
    // A full disk is no reason to crash: nobody ended who was not killed.
    expect(
      this.#crashes()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...killed].sort());
    expect(outcome(await this.#up.interrupt())).toEqual({ code: 0, signal: null });
    expect(this.#up.stderr).toBe('');
  }

  async killAndAwait(service: string): Promise<void> {
    const views = (): Record<string, unknown>[] => this.#up.events.filter(({ type, name }) => type === 'service' && name === service);
    process.kill(Number(views().at(-1)?.['pid']), 'SIGKILL');
    const wanted = this.#crashes().filter(({ name }) => name === service).length + 1;
    await until(() => views().some(({ state, restarts }) => state === 'ready' && Number(restarts) >= wanted), {
      timeoutMs: 40_000,
      everyMs: 100,
      what: `${service} is ready again: ${JSON.stringify(views().at(-1))}`,
    });
  }

  #crashes(): Record<string, unknown>[] {
    return this.#up.events.filter(({ type, state }) => type === 'service' && (state === 'restarting' || state === 'failed'));
  }

  #numbers(): { stats: { samples: number } | null; problems: string[] }[] {
    return this.#up.events.filter(({ type }) => type === 'numbers') as never;
  }
}

/** A belt that sends one heart rate at a time, and the same one again until it is answered with a 2xx. */
class Device {
  answered = 0;
  readonly refusals: Answer[] = [];
  #stopping = false;
  readonly #sending: Promise<void>;
  readonly #post: (body: object) => Promise<Answer>;

  constructor(intake: string, ca: string, token: string) {
    this.#post = (body) => postJson(`${intake}/v1/heart-rate`, ca, token, body);
    this.#sending = this.#sendForEver();
  }

  async untilRefused(): Promise<Answer> {
    this.refusals.length = 0;
    await until(() => this.refusals.length > 0, { timeoutMs: 30_000, everyMs: 50, what: 'the device is refused' });
    return this.refusals[0] as Answer;
  }

  async untilAnswered(): Promise<void> {
    const before = this.answered;
    await until(() => this.answered > before + 5, { timeoutMs: 40_000, everyMs: 50, what: 'the device is answered again' });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#sending;
  }

  async #sendForEver(): Promise<void> {
    while (!this.#stopping) {
      const readings = [{ atUs: Date.now() * 1000, bpm: 60 + (this.answered % 40) }];
      const body = { device: 'belt-1', captureId: 'belt-1-a', firstSample: this.answered, kind: 'ecg', readings };
      for (;;) {
        const answer = await this.#post(body);
        if (answer.status >= 200 && answer.status < 300) {
          this.answered += 1;
          break;
        }
        if (answer.status > 0) this.refusals.push(answer);
        if (this.#stopping) return;
        await sleep(200);
      }
      await sleep(100);
    }
  }
}

function postJson(url: string, ca: string, token: string, body: object): Promise<Answer> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', ca, headers, timeout: 20_000 }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text }));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer from the intake within 20 s')));
    sent.on('error', (error) => resolve({ status: 0, retryAfter: undefined, text: error.message })); // the agent is starting again
    sent.end(JSON.stringify(body));
  });
}

function outcome({ code, signal }: Ended): { code: number | null; signal: string | null } {
  return { code, signal };
}

function started(verb: readonly string[]): RunningCommand {
  const running = new RunningCommand(verb);
  ends.push(() => {
    running.kill();
    return running.ended;
  });
  return running;
}

function tempRoot(prefix: string): string {
  const root = tempDir(prefix);
  ends.push(() => removeTempDir(root));
  return root;
}

function mount(path: string, megabytes: number): SmallDisk {
  const disk = SmallDisk.mount(path, megabytes);
  ends.push(() => disk.unmount());
  return disk;
}

function tryMount(): boolean {
  const root = tempDir('vw-mount-');
  try {
    SmallDisk.mount(root, 1).unmount();
    return true;
  } catch {
    return false;
  } finally {
    removeTempDir(root);
  }
}
