import { Client } from '@vitalwire/client';
import { type AddCommand, exitCodes, type Io, printJson, printLine } from '../io.ts';
import { askAgent } from '../stack/agent-status.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { askProbe, problemsOf } from '../stack/probe.ts';
import { findStack, readToken, type StackFile } from '../stack/stack-file.ts';
import { age } from '../text.ts';

/** `vitalwire status`: is a stack running here, and how is it? */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('status')
    .description('what runs on this machine, and how it is')
    .option('--data <dir>', 'data directory of the stack (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire status\n  vitalwire status --data ./ward --json\n\nExit code 1 if nothing runs, or a service is not ready.',
    )
    .action((options: { data?: string; json?: boolean }) => status(io, options));
};

async function status(io: Io, options: { data?: string; json?: boolean }): Promise<void> {
  const dirs = resolveDataDir(options.data, io.env);
  const stack = findStack(dirs);
  if (stack === null) {
    io.exitCode(exitCodes.answerIsNo);
    if (options.json === true) printJson(io, { running: false, dataDir: dirs.root });
    else printLine(io, `Nothing runs on ${dirs.root}. Start it with 'vitalwire up --data ${dirs.root}'.`);
    return;
  }
  const [services, agent, stats] = await Promise.all([askServices(stack), askAgent(stack), askStats(io, stack)]);
  if (services.some((service) => service.state === 'not ready' || service.state === 'no answer')) io.exitCode(exitCodes.answerIsNo);
  if (options.json === true) {
    printJson(io, { running: true, ...stack, services, agent, stats });
    return;
  }
  printLine(
    io,
    `Vitalwire ${stack.version} on ${stack.dataDir} (process ${stack.pid}), started ${age(io.clock.nowMs() - stack.startedAtUs / 1000)} ago`,
  );
  for (const { name, state, detail } of services) {
    printLine(io, `  ${name.padEnd(12)}${state}`);
    for (const problem of problemsOf(detail)) printLine(io, `${' '.repeat(14)}${problem}`);
  }
  const commit = stats?.lastCommittedAtUs == null ? '--' : `${age(io.clock.nowMs() - stats.lastCommittedAtUs / 1000)} ago`;
  printLine(
    io,
    `  stored      ${stats === null ? 'storage does not answer' : `${stats.chunks} chunks, ${stats.samples} samples, ${stats.detections} detections, ${stats.quarantined} quarantined; last commit ${commit}`}`,
  );
  printLine(
    io,
    `  outbox      ${agent === null ? 'the agent does not answer' : `${agent.depthChunks} chunks, oldest ${agent.oldestAgeMs === null ? '--' : age(agent.oldestAgeMs)}`}`,
  );
  printLine(io, `  page        ${stack.urls.web} (with the token: vitalwire up prints it)`);
}

type ServiceStatus = { name: string; state: 'ready' | 'degraded' | 'not ready' | 'no answer'; detail: unknown };

async function askServices(stack: StackFile): Promise<ServiceStatus[]> {
  return Promise.all(
    Object.entries(stack.urls.probes).map(async ([name, url]) => {
      const answer = await askProbe(url);
      if (answer === null) return { name, state: 'no answer' as const, detail: null };
      return {
        name,
        state: !answer.ok ? ('not ready' as const) : answer.degraded ? ('degraded' as const) : ('ready' as const),
        detail: answer.detail,
      };
    }),
  );
}

async function askStats(io: Io, stack: StackFile): Promise<Awaited<ReturnType<Client['stats']>> | null> {
  try {
    const web = await Client.connect({
      url: stack.urls.web,
      token: readToken(stack.tokenPath),
      caPath: stack.caPath,
      clock: io.clock,
      timeoutMs: 3_000,
    });
    try {
      return await web.stats();
    } finally {
      await web.close();
    }
  } catch {
    return null;
  }
}
