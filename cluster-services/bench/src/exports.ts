import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { encodeSampleBlock, sampleBlockMediaType } from '@vitalwire/contract';
import { type AgentFile, ensureDeviceToken, readAgentFile } from '@vitalwire/edge-agent';
import type { Identity } from '@vitalwire/runtime';
import { removeTempDir, TestPki, tempDir, until } from '@vitalwire/testkit';
import { Agent, request } from 'undici';
import { BenchError } from './bench-error.ts';

export type ExportsResult = {
  readonly bench: 'exports';
  readonly exports: number;
  readonly megabytes: number; // of each
  readonly points: number; // of each
  readonly seconds: number;
  readonly idleMb: number;
  readonly mostAboveIdleMb: number;
  readonly posts: number; // EEG requests meanwhile
  readonly quiet: Spread;
  readonly meanwhile: Spread;
  readonly isGood: boolean;
};
export type Spread = { readonly medianMs: number; readonly p99Ms: number; readonly maxMs: number };

const EXPORTS = 2;
const EXPORT_BYTES = 57 * 1024 * 1024;
const DEVICES = 8;
const CHANNELS = 8;
const BLOCK_MS = 250;
const QUIET_MS = 5_000;
const LOOK_MS = 20;
const ABOVE_IDLE_BAR_MB = 150;
const P99_BAR_MS = 50;

/** Two phone exports of 57 MB at once into an agent that takes EEG meanwhile: what memory they cost, and what the EEG feels of them. */
export async function benchExports(say: (line: string) => void): Promise<ExportsResult> {
  if (!existsSync('/proc/self/status')) throw new BenchError('the memory of another process is told on Linux only');
  const dir = tempDir('vw-bench-');
  const pki = await TestPki.create();
  let child: ChildProcess | null = null;
  try {
    const gateway = await pki.gateway('gateway-1');
    const names = [
      ...Array.from({ length: DEVICES }, (_, index) => `eeg-${index}`),
      ...Array.from({ length: EXPORTS }, (_, index) => `phone-${index}`),
    ];
    const tokens = new Map<string, string>();
    for (const name of names) tokens.set(name, (await ensureDeviceToken(join(dir, 'tokens'), name)).token);
    child = spawn(process.execPath, [fileURLToPath(new URL('../../../cli/bin/vitalwire.js', import.meta.url)), 'edge', 'run'], {
      env: { ...process.env, ...settings(gateway, dir), NODE_OPTIONS: '--max-semi-space-size=8' }, // as the unit of `edge install` has it
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    let agent: AgentFile | null = null;
    await until(async () => {
      agent = await readAgentFile(dir);
      return agent !== null;
    }, 60_000);
    const { url, pid } = agent as unknown as AgentFile;
    const dispatcher = new Agent({ connect: { ca: readFileSync(gateway.caPath, 'utf8') }, connections: 16 });
    const result = await measure({ url, tokens, dispatcher, pid, say });
    await dispatcher.close();
    return result;
  } finally {
    if (child !== null) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    pki.remove();
    removeTempDir(dir);
  }
}

/** No front door is there: everything stays in the outbox of the agent, as on a gateway that is cut off. */
function settings({ certPath, keyPath, caPath }: Identity, dataDir: string): Record<string, string> {
  const values = {
    CERT_PATH: certPath,
    KEY_PATH: keyPath,
    CA_PATH: caPath,
    FRONT_DOOR_URL: 'mqtts://127.0.0.1:9',
    GATEWAY_ID: 'gateway-1',
  };
  const more = { INTAKE_PORT: '0', DATA_DIR: dataDir, MIN_FREE_MB: '0', DRAIN_MS: '0', LOG_LEVEL: 'error' };
  return Object.fromEntries(Object.entries({ ...values, ...more }).map(([name, value]) => [`VITALWIRE_EDGE_${name}`, value]));
}

type Bed = { url: string; tokens: ReadonlyMap<string, string>; dispatcher: Agent; pid: number; say: (line: string) => void };

async function measure({ url, tokens, dispatcher, pid, say }: Bed): Promise<ExportsResult> {
  const post = async (path: string, device: string, type: string, body: Uint8Array | Readable): Promise<{ accepted: number }> => {
    const headers = { authorization: `Bearer ${tokens.get(device) ?? ''}`, 'content-type': type };
    const answer = await request(`${url}${path}`, { method: 'POST', dispatcher, headers, body, headersTimeout: 300_000 });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new BenchError(`${path} of ${device}: ${answer.statusCode} ${text.slice(0, 300)}`);
    return JSON.parse(text) as { accepted: number };
  };
  const eeg = new EegLoad((device, block) => post('/v1/eeg', device, sampleBlockMediaType, block));
  eeg.start();
  await pause(1_000); // connections and first commits
  eeg.take();
  say('exports: the agent alone');
  await pause(QUIET_MS);
  const quiet = eeg.take();
  const idleMb = residentMb(pid);
  let mostMb = idleMb;
  const looking = setInterval(() => {
    mostMb = Math.max(mostMb, residentMb(pid));
  }, LOOK_MS);
  say(`exports: ${EXPORTS} of ${EXPORT_BYTES / 2 ** 20} MB at once`);
  const beganMs = performance.now();
  const bodies = Array.from({ length: EXPORTS }, (_, index) => new ExportText(index));
  const answers = await Promise.all(
    bodies.map((body, index) => post('/v1/intake/health-auto-export', `phone-${index}`, 'application/json', Readable.from(body.pieces()))),
  );
  const seconds = (performance.now() - beganMs) / 1000;
  clearInterval(looking);
  const meanwhile = eeg.take();
  await eeg.stop();
  for (const [index, { accepted }] of answers.entries()) {
    const points = bodies[index]?.points ?? -1;
    if (accepted !== points) throw new BenchError(`${accepted} points of ${points} were stored`);
  }
  const mostAboveIdleMb = mostMb - idleMb;
  return {
    bench: 'exports',
    exports: EXPORTS,
    megabytes: EXPORT_BYTES / 2 ** 20,
    points: bodies[0]?.points ?? 0,
    seconds,
    idleMb,
    mostAboveIdleMb,
    posts: meanwhile.length,
    quiet: spreadOf(quiet),
    meanwhile: spreadOf(meanwhile),
    isGood: mostAboveIdleMb <= ABOVE_IDLE_BAR_MB && spreadOf(meanwhile).p99Ms <= P99_BAR_MS,
  };
}

/** An export as the app writes it, with the metric's name behind its points: nothing can be committed before the last of them. */
class ExportText {
  readonly #phone: number;
  points = 0;

  constructor(phone: number) {
    this.#phone = phone;
  }

  *pieces(): Generator<Buffer> {
    let bytes = 0;
    let piece = '{"data":{"metrics":[{"data":[';
    while (bytes + piece.length < EXPORT_BYTES) {
      const date = new Date(Date.UTC(2024, 0, 1) + this.points * 5_000).toISOString().slice(0, 19).replace('T', ' ');
      const rate = 60 + ((this.points + this.#phone) % 60);
      piece += `${this.points === 0 ? '' : ','}{"Min":${rate},"date":"${date} +0000","source":"Owner’s Apple Watch","Avg":${rate}.5,"Max":${rate + 1}}`;
      this.points += 1;
      if (piece.length < 65_536) continue;
      bytes += piece.length;
      yield Buffer.from(piece);
      piece = '';
    }
    yield Buffer.from(`${piece}],"units":"count/min","name":"heart_rate"}]}}`);
  }
}

/** Devices that post a block every 250 ms, each its own; a late answer delays the next block of its device alone. */
class EegLoad {
  readonly #post: (device: string, block: Uint8Array) => Promise<unknown>;
  #millis: number[] = [];
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(post: (device: string, block: Uint8Array) => Promise<unknown>) {
    this.#post = post;
  }

  start(): void {
    this.#running = Promise.all(Array.from({ length: DEVICES }, (_, index) => this.#device(index)));
    this.#running.catch(() => {}); // told by stop
  }

  /** How long each request took since the last call. */
  take(): number[] {
    return this.#millis.splice(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #device(index: number): Promise<void> {
    const device = `eeg-${index}`;
    const perBlock = (256 * BLOCK_MS) / 1000;
    await pause((index * BLOCK_MS) / DEVICES);
    for (let block = 0; !this.#stopped; block += 1) {
      const bytes = encodeSampleBlock({
        device,
        captureId: 'bench',
        firstSample: block * perBlock,
        rate: { num: 256, den: 1 },
        channels: Array.from({ length: CHANNELS }, (_, channel) => ({ ...scale, label: `C${channel}` })),
        sampleBits: 16,
        samplesPerChannel: perBlock,
        measuredAtUs: Date.now() * 1000,
        samples: Int16Array.from({ length: perBlock * CHANNELS }, (_, at) => ((at * 37 + block) % 400) - 200),
        replay: null,
        source: '',
        end: false,
      });
      const beganMs = performance.now();
      await this.#post(device, bytes);
      const tookMs = performance.now() - beganMs;
      this.#millis.push(tookMs);
      await pause(Math.max(0, BLOCK_MS - tookMs));
    }
  }
}

const scale = { unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -200, physicalMax: 200, reference: '' };

function spreadOf(millis: readonly number[]): Spread {
  const sorted = millis.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function residentMb(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
