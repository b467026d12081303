import { existsSync } from 'node:fs';
import { cleanText, labelLines } from '@vitalwire/contract';
import { version } from '@vitalwire/runtime';
import { Command } from 'commander';
import { CliError } from './errors.ts';
import type { AddCommand, Io } from './io.ts';

// In the order of the help text. Files that are not there yet are left out.
const verbs = [
  'demo',
  'up',
  'status',
  'doctor',
  'watch',
  'alarms',
  'replay',
  'verify',
  'score',
  'restored',
  'ledger',
  'patients',
  'devices',
  'gateways',
  'datasets',
  'model',
  'edge',
  'service',
  'settings',
];

/** The command line. Of the verbs only the wanted one is loaded, so that a service starts fast; for the help text all of them are. */
export async function buildProgram(
  io: Io,
  argv: readonly string[],
  commandsUrl = new URL('./commands/', import.meta.url),
): Promise<Command> {
  const program = new Command('vitalwire')
    .description("EEG and heart rate from the patient's side to the people who watch, with nothing lost on the way.")
    .version(`vitalwire ${version}\n\n${labelLines.join('\n')}`, '-V, --version', 'show version and label')
    .helpOption('-h, --help', 'show help')
    .option('--debug', 'show the stack of an error')
    .showHelpAfterError("(see 'vitalwire --help')")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(cleanText(text)), writeErr: (text) => io.stderr.write(cleanText(text)) })
    .addHelpText('after', helpEnd);
  for (const verb of wantedVerbs(argv)) {
    const add = await loadVerb(verb, commandsUrl);
    if (add === undefined) {
      // The help text goes without it; whoever typed it is told.
      if (verb !== argv[0]) continue;
      throw new CliError(
        'INCOMPLETE',
        `there is no file of the verb '${verb}': build it again with 'npm run build', or install again with 'npm ci'`,
      );
    }
    const before = program.commands.length;
    add(program, io);
    for (const command of program.commands.slice(before)) inherit(program, command);
  }
  return program;
}

const helpEnd = `
Examples:
  vitalwire demo                       the whole system with 8 replayed patients, here and now
  vitalwire demo --for 30s --json      the same for 30 s; the last line is the result, exit 0 if nothing was lost
  vitalwire up --data ./ward           the services on this machine, data kept in ./ward
  vitalwire status                     what is running

Exit codes: 0 done · 1 the answer is no (lost, different, a check failed) · 2 wrong arguments or configuration
            3 cannot run here and now (port or directory in use, nothing reachable) · 70 a bug of ours

${labelLines.join('\n')}
`;

function wantedVerbs(argv: readonly string[]): readonly string[] {
  const first = argv[0];
  if (first === '--version' || first === '-V') return [];
  return first !== undefined && verbs.includes(first) ? [first] : verbs;
}

async function loadVerb(verb: string, commandsUrl: URL): Promise<AddCommand | undefined> {
  const file = new URL(`${verb}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, commandsUrl);
  if (!existsSync(file)) return undefined;
  const module: { addCommand: AddCommand } = await import(file.href);
  return module.addCommand;
}

/** exitOverride and output are not passed down to commands by commander once they were made by hand. */
function inherit(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  command.showHelpAfterError(`(see 'vitalwire ${[parent.parent === null ? '' : parent.name(), command.name()].join(' ').trim()} --help')`);
  for (const child of command.commands) inherit(command, child);
}
