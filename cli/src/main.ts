import { cleanLine, cleanText } from '@vitalwire/contract';
import { systemClock } from '@vitalwire/runtime';
import { CommanderError } from 'commander';
import { exitCodeOf, sentenceOf } from './errors.ts';
import { exitCodes, type Io } from './io.ts';
import { buildProgram } from './program.ts';

// The only file of the command that touches `process`.

/** A second Ctrl-C within this time is the same wish (a terminal and a wrapper can both deliver it); later it means: at once. */
const SAME_WISH_MS = 1_000;

const LEFT_OPEN_MS = 3_000;

const debug = process.argv.includes('--debug');
const argv = process.argv.slice(2).filter((word) => word !== '--debug'); // wherever it stands
const abort = new AbortController();
let askedAtMs = 0;

function askToStop(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'disconnect' | 'EPIPE'): void {
  if (!abort.signal.aborted) {
    askedAtMs = performance.now();
    abort.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
    return;
  }
  if (performance.now() - askedAtMs > SAME_WISH_MS && name !== 'disconnect' && name !== 'EPIPE')
    process.exit(name === 'SIGINT' ? 130 : 143);
}

/** What goes on although nobody reads its output any more: patients depend on it, not on a closed window. */
const outlivesItsReader = new Set(['up', 'service', 'replay', 'demo']);

// A pipe that is closed early (`| head`) is an ordinary end for whoever only shows something.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (outlivesItsReader.has(argv[0] ?? '') || (argv[0] === 'edge' && argv[1] === 'run')) return;
  if (error.code !== 'EPIPE') {
    process.stderr.write(`vitalwire: the output could not be written: ${cleanLine(sentenceOf(error))}\n`);
    process.exitCode = exitCodes.unavailable;
  }
  askToStop('EPIPE');
});
process.stderr.on('error', () => {});

const io: Io = {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  isTerminal: process.stdin.isTTY === true && process.stdout.isTTY === true,
  ...(process.stdin.isTTY === true && process.stdout.isTTY === true ? { keyboard: process.stdin } : {}),
  clock: systemClock,
  signal: abort.signal,
  exitCode: (code) => {
    process.exitCode = code;
  },
  ...(process.send === undefined ? {} : { reportReady: (addresses) => process.send?.({ type: 'ready', addresses }) }),
};

// `service` has a lifecycle of its own that listens to the signals itself.
if (argv[0] !== 'service') {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => askToStop(name));
  process.once('disconnect', () => askToStop('disconnect'));
}

try {
  const program = await buildProgram(io, argv);
  await program.parseAsync(argv, { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else if (abort.signal.aborted && error === abort.signal.reason) {
    process.exitCode ??= exitCodes.ok; // asked to stop, and stopped
  } else {
    process.stderr.write(`vitalwire: ${cleanLine(sentenceOf(error))}\n`);
    if (debug && error instanceof Error) process.stderr.write(`${cleanText(error.stack ?? '')}\n`);
    else if (exitCodeOf(error) === exitCodes.bug) process.stderr.write('This looks like a bug of ours; --debug shows where.\n');
    process.exitCode = exitCodeOf(error);
  }
}
// A child of ours that watches the channel to its parent would otherwise live as long as the parent.
if (process.connected) process.disconnect();
// The command has ended; whatever it left open must not keep a person waiting for their prompt.
setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
