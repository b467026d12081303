import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lineReader, ownCommand } from 'vitalwire/stack';

/** What a command said until it ended. */
export type Ended = { readonly code: number | null; readonly signal: string | null; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** The built command, as a person runs it; otherwise the source. */
  readonly isBuilt?: boolean;
};

const built = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));

/** A verb of the command line that is running; with `--json` its lines are events. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly events: Record<string, unknown>[] = [];
  #stdout = '';
  #stderr = '';

  constructor(verb: readonly string[], options: RunOptions = {}) {
    const { command, args } = options.isBuilt === true ? { command: process.execPath, args: [built, ...verb] } : ownCommand(...verb);
    const env = { ...process.env, ...options.env };
    this.child = spawn(command, args, { env, cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin?.on('error', () => {}); // it need not read
    this.child.stdin?.end(options.input ?? '');
    const readEvent = lineReader((line) => {
      const event = parsed(line);
      if (event !== null) this.events.push(event);
    });
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.#stdout = (this.#stdout + bytes.toString()).slice(-1_000_000);
      readEvent(bytes.toString());
    });
    this.child.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-100_000);
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Asks it to end as Ctrl-C does, and waits until it has. */
  interrupt(): Promise<Ended> {
    this.child.kill('SIGINT');
    return this.ended;
  }

  kill(): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
  }
}

/** Runs a verb to its end; one that does not end is killed, which shows as its signal. */
export async function run(verb: readonly string[], options: RunOptions & { readonly withinMs?: number } = {}): Promise<Ended> {
  const running = new RunningCommand(verb, options);
  const patience = setTimeout(() => running.kill(), options.withinMs ?? 30_000);
  try {
    return await running.ended;
  } finally {
    clearTimeout(patience);
  }
}

function parsed(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
