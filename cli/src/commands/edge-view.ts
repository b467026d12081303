import type { AgentStatus } from '@vitalwire/contract';
import { z } from 'zod';

const Intake = z.looseObject({ draining: z.boolean() });

/** The status of an agent for a person. `nowUs` is this machine's clock, which is the agent's too: the command runs beside it. */
export function statusLines(status: AgentStatus, nowUs: number): string[] {
  const { clock } = status;
  const problems = status.problems ?? (status.problem == null ? [] : [status.problem]);
  const intake = Intake.safeParse(status['intake']);
  const full = status.secondsUntilFull;
  const days = status.certificateDaysLeft;
  return [
    `Gateway ${status.gateway}, version ${status.version}: ${status.online ? 'connected to the front door' : 'NOT connected to the front door'}`,
    ...problems.map((problem) => `  PROBLEM      ${problem}`),
    ...(intake.success && intake.data.draining
      ? ["  DRAINED      the intake is closed: 'vitalwire edge drain --resume' opens it again"]
      : []),
    `  waiting      ${status.depthChunks} chunks, ${megabytes(status.depthBytes)}; the oldest ${status.oldestAgeMs === null ? '--' : `${span(status.oldestAgeMs)} old`}`,
    `  last ack     ${status.lastPubackUs === null ? '--' : `${span((nowUs - status.lastPubackUs) / 1000)} ago`}`,
    `  rates        ${status.chunksPerSecondIn} in, ${status.chunksPerSecondOut} out (chunks per second)`,
    `  until full   ${full === null ? 'not filling' : full === 0 ? 'full now' : span(full * 1000)}`,
    `  certificate  ${days === null ? '--' : days < 0 ? 'EXPIRED' : `${Math.floor(days)} days left`}`,
    `  clock        ${clock.source === 'none' ? 'offset not measured' : `${signed(clock.offsetUs / 1000)} ms to the cluster, ±${(clock.uncertaintyUs / 1000).toFixed(1)} ms`}`,
  ];
}

/** What is still to be sent, in one line. */
export function drainLine(status: AgentStatus): string {
  const link = status.online ? '' : ' (not connected to the front door)';
  return `${status.depthChunks} chunks, ${megabytes(status.depthBytes)} wait for their acknowledgement${link}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MB`;
}

function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

function signed(value: number): string {
  return `${value >= 0 ? '+' : ''}${value.toFixed(1)}`;
}
