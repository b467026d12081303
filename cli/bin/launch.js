// Runs the command as a child and answers for the terminal that both of them sit at: they stop and go on together, and when the child
// dies before it could give the terminal back, that is done here. Valid on Node 20, no dependency.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';

/** A child that draws leaves the screen and stops by itself; one that has not within this time is asked to. */
const ASK_TO_STOP_MS = 150;
const STOPPED_WITHIN_MS = 1_000;
const LOOK_EVERY_MS = 15;
/** A stop takes effect at once; where it is ignored (no shell could continue us) we go on after this. */
const GO_ON_MS = 50;

// Leaves the alternate screen (the cursor is saved first, so that on the main screen nothing moves), and takes back whatever a wall may
// have asked of a terminal: hidden cursor, mouse, bracketed paste, scroll region, colours, line drawing.
const GIVE_BACK =
  '\u001b7\u001b[?2026l\u001b[?1049l\u001b7\u001b[r\u001b8\u001b[?25h\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?2004l\u001b>\u001b(B\u001b[0m\r\n';

/** Starts the program and ends with its exit code. */
export function launch(program, args, env) {
  const modes = process.stdin.isTTY ? terminalModes() : null;
  const child = spawn(program, args, { stdio: 'inherit', env });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // A Ctrl-C reaches the whole foreground group, the child included; passing it on would make it two.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  if (process.platform !== 'win32') stopTogether(child);
  child.on('error', (error) => {
    process.stderr.write(`vitalwire: ${program} could not be started: ${error.message}\n`);
    process.exitCode = 3;
  });
  child.on('exit', (code, signal) => {
    // A child that ended by itself has given the terminal back; one that was killed could not.
    if (signal !== null) giveBack(modes);
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}

/** Ctrl-Z stops the child first and then us, so that the shell takes over a terminal nobody draws on; `fg` continues both. */
function stopTogether(child) {
  let isStopping = false;
  const stop = async () => {
    for (let waitedMs = 0; waitedMs < STOPPED_WITHIN_MS && !isStopped(child); waitedMs += LOOK_EVERY_MS) {
      if (waitedMs >= ASK_TO_STOP_MS && waitedMs < ASK_TO_STOP_MS + LOOK_EVERY_MS) child.kill('SIGTSTP');
      await sleep(LOOK_EVERY_MS);
    }
    process.off('SIGTSTP', onSignal);
    process.kill(process.pid, 'SIGTSTP'); // now as if we had never listened
    await sleep(GO_ON_MS); // this passes once somebody continued us
    child.kill('SIGCONT');
    process.on('SIGTSTP', onSignal);
    isStopping = false;
  };
  const onSignal = () => {
    if (isStopping) return;
    isStopping = true;
    void stop();
  };
  process.on('SIGTSTP', onSignal);
}

function isStopped({ pid, exitCode, signalCode }) {
  if (pid === undefined || exitCode !== null || signalCode !== null) return true; // there is nothing to wait for
  try {
    return /^\d+ \(.*\) T/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    const asked = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
    return asked.error !== undefined || asked.stdout.trim().startsWith('T');
  }
}

function terminalModes() {
  const asked = spawnSync('stty', ['-g'], { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim() : 'sane';
}

function giveBack(modes) {
  if (process.stdout.isTTY) {
    try {
      writeSync(1, GIVE_BACK);
    } catch {
      // The terminal is gone, and nobody is left to give it to.
    }
  }
  if (modes !== null) spawnSync('stty', [modes], { stdio: ['inherit', 'ignore', 'ignore'] });
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
