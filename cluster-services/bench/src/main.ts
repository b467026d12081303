import { cpus } from 'node:os';
import { benchGroupCommit, type GroupCommitResult } from './group-commit.ts';

const usage = `npm run bench [-- group-commit] [--rounds N] [--json]

  group-commit   durable chunks per second with group commits beside one commit per message (default)
  --rounds N     rounds per side, 1 to 9 (default 5, about 40 s)
  --json         only the result as JSON on stdout

Example: npm run bench -- group-commit --rounds 3 --json`;

const args = process.argv.slice(2);
const json = take('--json');
const help = take('--help') || take('-h');
const rounds = Number(takeValue('--rounds') ?? 5);
const [name = 'group-commit', ...rest] = args;

if (help) {
  process.stdout.write(`${usage}\n`);
} else if (name !== 'group-commit' || rest.length > 0 || !Number.isInteger(rounds) || rounds < 1 || rounds > 9) {
  process.stderr.write(`unknown argument or value\n\n${usage}\n`);
  process.exitCode = 2;
} else {
  const result = await benchGroupCommit(rounds, (line) => process.stderr.write(`${line}\n`));
  if (!json) process.stdout.write(`${table(result)}\n\n`);
  process.stdout.write(
    `${JSON.stringify({ ...result, node: process.version, cpu: cpus()[0]?.model, cores: cpus().length }, null, json ? 0 : 2)}\n`,
  );
}

function table({ chunkBytes, cpuRatio, gateways, sides, throughputRatio }: GroupCommitResult): string {
  const rows = sides.map(
    (side) => `${side.name.padEnd(32)}${side.chunksPerSecond.toFixed(0).padStart(12)}${side.cpuUsPerChunk.toFixed(0).padStart(18)}`,
  );
  return [
    `${gateways} gateways, chunks of ${chunkBytes} bytes, mutual TLS, SQLite at synchronous=FULL; medians of ${sides[0]?.rounds.length ?? 0} rounds`,
    `${''.padEnd(32)}${'chunks/s'.padStart(12)}${'CPU us per chunk'.padStart(18)}`,
    ...rows,
    `ratio${' '.repeat(27)}${`${throughputRatio.toFixed(1)}x`.padStart(12)}${`${cpuRatio.toFixed(1)}x less`.padStart(18)}`,
    'Every acknowledged chunk was found in the database; one in 97 was compared byte for byte.',
  ].join('\n');
}

function take(flag: string): boolean {
  const at = args.indexOf(flag);
  if (at >= 0) args.splice(at, 1);
  return at >= 0;
}

function takeValue(flag: string): string | undefined {
  const at = args.indexOf(flag);
  return at < 0 ? undefined : args.splice(at, 2)[1];
}
