import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openSyntheticPatient, writeEdf } from '@vitalwire/datasets';
import { expect } from 'vitest';
import { atEnd, type Bed, type VerifyReport } from './bed.ts';
import { RunningCommand, type RunOptions } from './command.ts';

export type FullSpeed = {
  readonly dataS: number;
  readonly tookS: number; // from the first request to the last answer
  readonly times: number; // faster than life
  readonly cpuS: number | null; // of the replay's process
  readonly peakMb: number; // of its memory
  readonly verified: VerifyReport;
};

/** A synthetic patient of 23 channels at 256 Hz, written as EDF, replayed as fast as it is taken in, and compared sample by sample. */
export async function replayAtFullSpeed(bed: Bed, durationS: number, options: RunOptions = {}): Promise<FullSpeed> {
  const file = path.join(bed.dirs.root, 'synthetic.edf');
  await writeEdf(file, openSyntheticPatient({ seed: 11, channels: 'chb-mit', durationS }));
  const replay = new RunningCommand(['replay', file, '--speed', 'max', '--data', bed.dirs.root, '--json'], options);
  atEnd(() => replay.kill());
  const memory = watchMemory(replay);
  const ended = await replay.ended;
  memory.stop();
  expect(ended.code, ended.stderr).toBe(0);
  const end = replay.events.at(-1) as { samplesSent: number; tookMs: number; unfinished: string[] };
  expect(end.samplesSent).toBe(durationS * 256);
  expect(end.unfinished).toEqual([]);
  await bed.untilDelivered();
  const { code, stdout } = await bed.cli('verify', '--source', 'file', '--json');
  expect(code, stdout).toBe(0);
  const tookS = end.tookMs / 1_000;
  return { dataS: durationS, tookS, times: durationS / tookS, ...memory.seen(), verified: JSON.parse(stdout) as VerifyReport };
}

/** The memory and processor time of the replay's own process, as Linux tells them. */
function watchMemory({ child }: RunningCommand): { stop(): void; seen(): { peakMb: number; cpuS: number | null } } {
  let peakKb = 0;
  let cpuS: number | null = null;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
      peakKb = Math.max(peakKb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      cpuS = (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      // it has ended, or this is no Linux
    }
  }, 100);
  return { stop: () => clearInterval(timer), seen: () => ({ peakMb: Math.round(peakKb / 1024), cpuS }) };
}
