import { type AddCommand, printJson, printLine, printText } from '../io.ts';
import { listSettings, settingsMarkdown } from '../settings-list.ts';

/** `vitalwire settings`: the one list of every setting. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('settings')
    .description('list every setting of every service with its default')
    .option('--json', 'as JSON')
    .option('--markdown', 'as the file SETTINGS.md')
    .addHelpText('after', '\nExamples:\n  vitalwire settings\n  vitalwire settings --markdown > SETTINGS.md')
    .action(async (options: { json?: boolean; markdown?: boolean }) => {
      const lists = await listSettings();
      if (options.json === true) printJson(io, lists);
      else if (options.markdown === true) printText(io, settingsMarkdown(lists).trimEnd());
      else {
        for (const { service, settings } of lists) {
          printLine(io, service);
          for (const { env, default: value, required, description, secret } of settings) {
            const standard = required
              ? 'must be given'
              : value === undefined || value === ''
                ? 'unset'
                : `default ${JSON.stringify(value)}`;
            printLine(io, `  ${env}  (${standard}${secret ? ', secret' : ''})`);
            printLine(io, `      ${description}`);
          }
        }
      }
    });
};
