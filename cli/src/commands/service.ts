import { createLog, printConfig, readConfig, runUntilSignal } from '@vitalwire/runtime';
import { Argument } from 'commander';
import { type AddCommand, printText } from '../io.ts';
import { prefixOf, services } from '../services.ts';

type Options = { config?: string; printConfig?: boolean };

/** `vitalwire service <name>`: one program of the system in the foreground, as the supervisor, systemd and Kubernetes run it. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('service')
    .description('run one service in the foreground: what `up`, systemd and Kubernetes start')
    .addArgument(new Argument('<name>', 'which one').choices(Object.keys(services)))
    .option('--config <file>', 'settings from a YAML file; environment variables win over it')
    .option('--print-config', 'print the settings in force as YAML, secrets masked, and end')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire service ingest --config ingest.yaml\n  VITALWIRE_WEB_PORT=8443 vitalwire service web --print-config\n\nAll settings: vitalwire settings',
    )
    .action(async (name: string, options: Options) => {
      const load = services[name];
      if (load === undefined) throw new Error(`no service is called ${name}`);
      const { schema, create } = await load();
      const config = readConfig(schema, { prefix: prefixOf(name), env: io.env, file: options.config, configName: name });
      if (options.printConfig === true) {
        printText(io, printConfig(schema, config).trimEnd());
        return;
      }
      const level = config['logLevel'];
      const log = createLog({ name, ...(typeof level === 'string' ? { level } : {}) });
      const service = create(config, { log, clock: io.clock });
      await runUntilSignal([service], () => io.reportReady?.(service.addresses()));
    });
};
