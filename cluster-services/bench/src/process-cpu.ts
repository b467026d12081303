import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

let ticksPerSecond = 0;

/** True where the kernel tells the CPU time of other processes. */
export function knowsProcessCpu(): boolean {
  return existsSync('/proc/self/stat');
}

/** CPU time that a process has used so far, all its threads, user and kernel; it grows in steps of 10 ms. */
export function processCpuUs(pid: number): number {
  if (ticksPerSecond === 0) ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; behind it, fields 14 and 15 of proc(5) are the 12th and 13th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond;
}
