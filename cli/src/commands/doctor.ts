import { examine } from '../doctor/checks.ts';
import { type AddCommand, exitCodes, printJson, printLine } from '../io.ts';
import { resolveDataDir } from '../stack/data-dir.ts';

const marks = { ok: '✓', warn: '!', fail: '✗' } as const;

/** `vitalwire doctor`: can this machine run it, and if not, what is in the way? */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('doctor')
    .description('check what a stack on this machine needs, and say what to do')
    .option('--data <dir>', 'data directory (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire doctor\n  vitalwire doctor --data ./ward --json\n\nExit code 1 if a check fails; warnings do not count.',
    )
    .action(async (options: { data?: string; json?: boolean }) => {
      const findings = await examine(resolveDataDir(options.data, io.env), io.clock.nowMs());
      const failed = findings.some((one) => one.state === 'fail');
      if (options.json === true) printJson(io, { ok: !failed, findings });
      else {
        for (const { check, state, found, next } of findings) {
          printLine(io, `${marks[state]} ${state.padEnd(5)}${check.padEnd(14)}${found}`);
          if (next !== '') printLine(io, `${' '.repeat(21)}→ ${next}`);
        }
      }
      if (failed) io.exitCode(exitCodes.answerIsNo);
    });
};
