import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Clock, type Lifecycle, type Log, sourceExecArgv, type Timer, workerUrl } from '@vitalwire/runtime';
import { z } from 'zod';

export type DamageCheckOptions = {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Told after each check: the sentence for a person, or null. */
  readonly onFound: (damage: string | null) => void;
};

/** At the start and once a day: a page that no query happens to read would otherwise be found when it is needed. */
const Answer = z.object({ found: z.string().nullable() });
const EVERY_MS = 86_400_000;
const MAX_SAID = 1_000;

/** Looks through the whole file of the readings for damage, beside everything else. */
export class DamageCheck implements Lifecycle {
  readonly #options: DamageCheckOptions;
  #child: ChildProcess | null = null;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: DamageCheckOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const child = this.#child;
    if (child === null) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGKILL'); // it only reads
    await ended;
  }

  #look(): void {
    const { path, clock, log, onFound } = this.#options;
    const child = fork(fileURLToPath(workerUrl('./quick-check', import.meta.url)), [path], {
      execArgv: sourceExecArgv(import.meta.url),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    if (child.pid !== undefined) giveWay(child.pid);
    let answered = false;
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said = `${said}${text.toString()}`.slice(-MAX_SAID);
    });
    child.once('message', (message: unknown) => {
      const answer = Answer.safeParse(message);
      answered = answer.success;
      if (!answer.success || this.#stopped) return;
      const { found } = answer.data;
      const how = found?.replace(/\s+/g, ' ').trim();
      onFound(how === undefined ? null : `${path} is damaged (${how}): stop the stack, then restore a backup or move the file away`);
    });
    child.once('error', (error) => log.warn({ err: error }, 'the check for damage could not begin'));
    child.once('close', () => {
      this.#child = null;
      if (this.#stopped) return;
      if (!answered) log.warn({ said }, 'the file of the readings could not be checked for damage');
      this.#timer = clock.setTimer(EVERY_MS, () => this.#look());
    });
  }
}

/** Readings go first. */
function giveWay(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // Then it is as urgent as everything else.
  }
}
