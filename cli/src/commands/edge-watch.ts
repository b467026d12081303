import { userInfo } from 'node:os';
import { AlarmId, EdgeWatch } from '@vitalwire/contract';
import { type HttpClient, pause } from '@vitalwire/runtime';
import { type Command, InvalidArgumentError } from 'commander';
import { clearScreen, type Io, noteLine, printJson, printLine, ring } from '../io.ts';
import { agentClient, type Place } from './edge-client.ts';
import { alarmToAcknowledge, watchLines } from './edge-watch-view.ts';

const EVERY_MS = 1_000;

type WatchOptions = Place & { json?: boolean; once?: boolean; by?: string };

/** `vitalwire edge watch` and `edge ack`: vitals and alarms of this gateway's own devices, with or without a cluster. */
export function registerEdgeWatch(edge: Command, io: Io, dataOption: readonly [string, string]): void {
  edge
    .command('watch')
    .description('vitals and alarms of the devices of this gateway, from the agent itself (run it with --detect)')
    .option(...dataOption)
    .option('--json', 'one JSON object a line')
    .option('--once', 'once, instead of every second until Ctrl-C')
    .option('--by <id>', 'who acknowledges (default: your user name)')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire edge watch                  on a terminal: a acknowledges the most urgent alarm, q ends
  vitalwire edge watch --once --json    what it is now
Without a terminal the picture is printed again when an alarm changes.`,
    )
    .action((options: WatchOptions) => watch(io, options));

  edge
    .command('ack')
    .description('acknowledge an alarm at the agent itself')
    .argument('<alarm>', 'its id: 16 hexadecimal digits', (text) => {
      if (!AlarmId.safeParse(text).success) throw new InvalidArgumentError('expected 16 hexadecimal digits.');
      return text;
    })
    .option(...dataOption)
    .option('--by <id>', 'who acknowledges (default: your user name)')
    .addHelpText('after', '\nExample:\n  vitalwire edge ack 0123456789abcdef --by nurse-7')
    .action(async (alarm: string, options: Place & { by?: string }) => {
      const client = await agentClient(io, options);
      try {
        await acknowledge(client, alarm, options.by);
        printLine(io, `${alarm} is acknowledged at this gateway.`);
      } finally {
        await client.close();
      }
    });
}

async function watch(io: Io, options: WatchOptions): Promise<void> {
  const client = await agentClient(io, options);
  const keys = io.isTerminal && options.json !== true && options.once !== true ? keysOf(process.stdin) : null;
  const isLive = keys !== null;
  let before = '';
  try {
    while (!io.signal.aborted) {
      try {
        const now = await client.getJson('/v1/watch', EdgeWatch);
        before = show(io, options, now, isLive, before);
        if (options.once === true) return;
        const key = await keys?.next(EVERY_MS);
        if (key === 'q') return;
        const alarm = key === 'a' ? alarmToAcknowledge(now) : null;
        if (alarm !== null) await acknowledge(client, alarm.alarmId, options.by);
        if (isLive) continue;
      } catch (error) {
        if (io.signal.aborted) return;
        if (options.once === true || !isPassing(error)) throw error;
        noteLine(io, error instanceof Error ? error.message : String(error)); // an agent that restarts is worth waiting for
      }
      await pause(io.clock, EVERY_MS, io.signal);
    }
  } finally {
    keys?.close();
    await client.close();
  }
}

/** Prints what has to be printed and returns what the next picture is compared with. */
function show(io: Io, options: WatchOptions, now: EdgeWatch, isLive: boolean, before: string): string {
  if (options.json === true) {
    printJson(io, now);
    return before;
  }
  const lines = watchLines(now);
  if (isLive) clearScreen(io);
  const changed = JSON.stringify([now.detector.state, now.online, now.alarms.map(({ alarmId, state }) => [alarmId, state])]);
  if (isLive || changed !== before) for (const line of lines) printLine(io, line);
  if (isLive && now.alarms.some(({ state }) => state === 'active' || state === 'latched')) ring(io);
  return changed;
}

function acknowledge(client: HttpClient, alarmId: string, by: string | undefined): Promise<EdgeWatch> {
  return client.postJson(`/v1/alarms/${alarmId}/acknowledge`, { by: by ?? userInfo().username }, EdgeWatch);
}

/** Worth asking again: everything but an answer that will stay the same. */
function isPassing(error: unknown): boolean {
  return !(error instanceof Error && 'status' in error && (error.status === 409 || error.status === 401 || error.status === 403));
}

/** Single keys of a terminal, without Enter. */
function keysOf(stdin: NodeJS.ReadStream): { next(withinMs: number): Promise<string | null>; close(): void } {
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  let pressed: ((key: string) => void) | null = null;
  const onData = (text: string | Buffer): void => {
    const key = String(text);
    if (key === '\u0003')
      process.kill(process.pid, 'SIGINT'); // raw mode takes Ctrl-C away
    else pressed?.(key);
  };
  stdin.on('data', onData);
  return {
    next: (withinMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(null), withinMs);
        pressed = (key) => {
          clearTimeout(timer);
          resolve(key);
        };
      }),
    close() {
      stdin.off('data', onData);
      stdin.setRawMode?.(false);
      stdin.pause();
    },
  };
}
