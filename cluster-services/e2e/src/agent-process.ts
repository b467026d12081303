import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeSampleBlock, IntakeAnswer, sampleBlockMediaType } from '@vitalwire/contract';
import { HttpClient, type Identity } from '@vitalwire/runtime';
import { until } from '@vitalwire/testkit';
import { ownCommand } from 'vitalwire/stack';
import { atEnd } from './bed.ts';

export type AgentOptions = {
  readonly gateway: string;
  readonly identity: Identity;
  readonly frontDoorUrl: string;
  readonly dataDir: string;
  /** On top of the process's own. */
  readonly env?: Readonly<Record<string, string>>;
};

const DEVICE = 'eeg-1';
const DEVICE_TOKEN = 'a-device-token-of-this-test';
const CHANNELS = 16;
const SAMPLES = 1_024;

/** One more edge agent as a process of its own, beside that of the stack; it ends with the test at the latest. */
export class AgentProcess {
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly #identity: Identity;
  #said = '';

  private constructor(options: AgentOptions) {
    this.dataDir = options.dataDir;
    this.#identity = options.identity;
    mkdirSync(join(this.dataDir, 'tokens'), { recursive: true, mode: 0o700 });
    writeFileSync(join(this.dataDir, 'tokens', DEVICE), `${DEVICE_TOKEN}\n`, { mode: 0o600 });
    const { command, args } = ownCommand('service', 'edge');
    const settings = {
      GATEWAY_ID: options.gateway,
      FRONT_DOOR_URL: options.frontDoorUrl,
      CERT_PATH: options.identity.certPath,
      KEY_PATH: options.identity.keyPath,
      CA_PATH: options.identity.caPath,
      DATA_DIR: this.dataDir,
      INTAKE_PORT: '0',
      MIN_FREE_MB: '0',
      DRAIN_MS: '0',
      ...options.env,
    };
    const own = Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [name === 'NODE_OPTIONS' ? name : `VITALWIRE_EDGE_${name}`, value]),
    );
    this.#child = spawn(command, args, { env: { ...process.env, ...own }, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#said = `${this.#said}${text.toString()}`.slice(-4_000);
    });
    atEnd(() => this.#child.kill('SIGKILL'));
  }

  static async start(options: AgentOptions): Promise<AgentProcess> {
    const agent = new AgentProcess(options);
    await until(() => agent.#url() !== null, { timeoutMs: 30_000, everyMs: 100, what: `${options.gateway} takes readings in` });
    return agent;
  }

  /** Posts so many bytes of noise, which no codec makes smaller. */
  async feed(bytes: number): Promise<void> {
    const intake = new HttpClient({ baseUrl: this.#url() ?? '', token: DEVICE_TOKEN, caPath: this.#identity.caPath });
    const scale = { unit: 'uV', digitalMin: -32_768, digitalMax: 32_767, physicalMin: -3_276.8, physicalMax: 3_276.7, reference: '' };
    try {
      for (let block = 0; block * CHANNELS * SAMPLES * 2 < bytes; block += 1) {
        const body = encodeSampleBlock({
          device: DEVICE,
          captureId: 'capture-1',
          firstSample: block * SAMPLES,
          measuredAtUs: 1_764_547_200_000_000 + block * 4_000_000,
          rate: { num: 256, den: 1 },
          channels: Array.from({ length: CHANNELS }, (_, index) => ({ label: `C${index + 1}`, ...scale })),
          sampleBits: 16,
          samplesPerChannel: SAMPLES,
          samples: Int16Array.from({ length: CHANNELS * SAMPLES }, (_, index) => (((index + block) * 40_503) % 65_536) - 32_768),
          replay: null,
          source: 'test',
          end: false,
        });
        await intake.postBytes('/v1/eeg', body, sampleBlockMediaType, IntakeAnswer);
      }
    } finally {
      await intake.close();
    }
  }

  #url(): string | null {
    if (this.#child.exitCode !== null) throw new Error(`the agent ended: ${this.#said}`);
    try {
      const { url } = JSON.parse(readFileSync(join(this.dataDir, 'agent.json'), 'utf8')) as { url: string };
      return url;
    } catch {
      return null;
    }
  }
}
