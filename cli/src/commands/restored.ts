import { Generation } from '@vitalwire/contract';
import { HttpClient } from '@vitalwire/runtime';
import { type AddCommand, type Io, printJson, printLine } from '../io.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { readToken, requireStack } from '../stack/stack-file.ts';

type Options = { data?: string; json?: boolean };

/** `vitalwire restored`: the database was put back from a backup, and gateways shall send again what they hold. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('restored')
    .description('after the database was restored from a backup: let gateways send again what they hold')
    .option('--data <dir>', 'data directory of a running stack (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--json', 'the new generation as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire restored                 every gateway sends again all it holds (24 h, unless set otherwise)
  vitalwire ledger --device eeg-7    afterwards: what is stored, declared lost or missing

Saying it once too often is harmless: a chunk that is stored already changes nothing. Readings that were restored alone,
beside a registry that went on, are noticed without this.`,
    )
    .action((options: Options) => restored(io, options));
};

async function restored(io: Io, options: Options): Promise<void> {
  const { urls, storageTokenPath, caPath } = requireStack(resolveDataDir(options.data, io.env));
  const storage = new HttpClient({ baseUrl: urls.storage, token: readToken(storageTokenPath), caPath });
  try {
    const made = await storage.postJson('/v1/generation', { reason: 'restored' }, Generation);
    if (options.json === true) printJson(io, made);
    else printLine(io, `The database is generation ${made.generation} now; gateways send again what they hold.`);
  } finally {
    await storage.close();
  }
}
