import { speedLimits } from './control.ts';
import type { Transport } from './transport.ts';

export const keysHelp = 'keys: space pauses and goes on, + and - change the speed, arrows go 10 s and 60 s back and forth, q ends it';

const jumps: Readonly<Record<string, number>> = { '\x1b[C': 10, '\x1b[D': -10, '\x1b[A': 60, '\x1b[B': -60 };

/** What a key of the terminal does to the replay. True if it is to end. `playsUs` is how much there is to play, Infinity in a loop. */
export function pressKey(key: string, transport: Transport, playsUs: number): boolean {
  const { state, speed, lineUs } = transport.state;
  const jumpS = jumps[key];
  if (jumpS !== undefined) transport.seek(Math.min(Math.max(0, lineUs + jumpS * 1e6), Math.max(0, playsUs - 1e6)));
  else if (key === ' ' && state === 'paused') transport.resume();
  else if (key === ' ') transport.pause();
  else if (key === '+' || key === '=') transport.setSpeed(Math.min(speedLimits.most, speed * 2));
  else if (key === '-') transport.setSpeed(Math.max(speedLimits.least, Math.min(speedLimits.most, speed / 2)));
  return key === 'q' || key === '\x03';
}
