import { Client } from '@vitalwire/client';
import type { GatewayState, Stats } from '@vitalwire/contract';
import { type Clock, pause } from '@vitalwire/runtime';
import { askProbe, problemsOf } from './probe.ts';
import { readToken, type StackFile } from './stack-file.ts';

/** What is measured of a running stack, besides which of its processes live. */
export type StackNumbers = {
  readonly chunksPerSecond: number | null;
  readonly stats: Stats | null;
  readonly gateway: GatewayState | null;
  /** Whether storage and the front door answered web. */
  readonly links: { storage: string; frontDoor: string } | null;
  /** What is wrong, a sentence each, beginning with the service. */
  readonly problems: readonly string[];
};

export const nothingKnown: StackNumbers = { chunksPerSecond: null, stats: null, gateway: null, links: null, problems: [] };

const EVERY_MS = 1_000;

/** Asks the stack for its numbers once a second until the signal aborts; what does not answer is null, never the value before. */
export async function watchStack(
  info: StackFile,
  clock: Clock,
  until: AbortSignal,
  onNumbers: (numbers: StackNumbers) => void,
): Promise<void> {
  let client: Client | null = null;
  let before: { chunks: number; atMs: number } | null = null;
  while (!until.aborted) {
    const problems = await askProblems(info);
    try {
      client ??= await Client.connect({
        url: info.urls.web,
        token: readToken(info.tokenPath),
        caPath: info.caPath,
        clock,
        timeoutMs: 3_000,
      });
      const [stats, gateways, state] = await Promise.all([orNull(client.stats()), orNull(client.gateways()), orNull(client.state())]);
      const atMs = clock.monotonicMs();
      const chunksPerSecond = stats === null || before === null ? null : ((stats.chunks - before.chunks) * 1000) / (atMs - before.atMs);
      before = stats === null ? null : { chunks: stats.chunks, atMs };
      onNumbers({
        chunksPerSecond,
        stats,
        gateway: gateways?.gateways.find((one) => one.gateway === info.gatewayId) ?? null,
        links: state?.links ?? null,
        problems,
      });
    } catch {
      onNumbers({ ...nothingKnown, problems }); // web is starting again
    }
    await pause(clock, EVERY_MS, until);
  }
  await client?.close();
}

// Prediction and web only repeat what is wrong with those they depend on.
const sources: readonly string[] = ['storage', 'ingest', 'edge'];

/** What the services say is wrong with them, a sentence each, beginning with the service. */
export async function askProblems(info: StackFile): Promise<string[]> {
  const told = await Promise.all(
    Object.entries(info.urls.probes).map(async ([service, url]) => {
      const answer = await askProbe(url); // one that does not answer is starting, which the supervisor tells
      return { service, problems: answer === null ? [] : problemsOf(answer.detail) };
    }),
  );
  const wrong = told.filter(({ problems }) => problems.length > 0);
  const causes = wrong.filter(({ service }) => sources.includes(service));
  const lines = (causes.length > 0 ? causes : wrong).flatMap(({ service, problems }) => problems.map((problem) => `${service} ${problem}`));
  // One database that is away is one problem, whoever misses it.
  return [...new Map(lines.toReversed().map((line) => [line.slice(line.indexOf(': ')), line])).values()].toReversed();
}

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch {
    return null;
  }
}
