import { request } from 'undici';
import { z } from 'zod';
import { askAgent } from './agent-status.ts';
import type { StackFile } from './stack-file.ts';

/** What the agent itself has counted. Some counts begin with its present process. */
export type AgentCounters = {
  readonly pendingChunks: number;
  readonly evictedChunks: number;
  readonly damagedChunks: number;
  /** Readings (samples per channel) that its intake took as new, since `sinceMs`. */
  readonly acceptedReadings: number | null;
  readonly sinceMs: number | null;
};

const Outbox = z.looseObject({ pendingChunks: z.number(), evictedChunks: z.number(), damagedChunks: z.number() });

/** Asks the agent for its counters; null if it does not answer. */
export async function askCounters(info: StackFile): Promise<AgentCounters | null> {
  const [status, metrics] = await Promise.all([askAgent(info), askMetrics(info.urls.probes['edge'])]);
  const outbox = Outbox.safeParse(status?.['outbox']);
  if (!outbox.success) return null;
  const { pendingChunks, evictedChunks, damagedChunks } = outbox.data;
  const startS = sumOf(metrics, 'process_start_time_seconds');
  return {
    pendingChunks,
    evictedChunks,
    damagedChunks,
    acceptedReadings: sumOf(metrics, 'vitalwire_edge_intake_readings_total', 'outcome="accepted"'),
    sinceMs: startS === null ? null : startS * 1000,
  };
}

async function askMetrics(probe: string | undefined): Promise<string> {
  if (probe === undefined) return '';
  try {
    const answer = await request(`${probe}/metrics`, { headersTimeout: 2_500, bodyTimeout: 2_500 });
    return await answer.body.text();
  } catch {
    return '';
  }
}

/** The sum of a metric over all its label sets that contain `label`; null if there is none. */
export function sumOf(metrics: string, name: string, label = ''): number | null {
  const values = metrics
    .split('\n')
    .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(label))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
    .filter(Number.isFinite);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}
