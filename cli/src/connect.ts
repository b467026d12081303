import { readFileSync } from 'node:fs';
import { Client } from '@vitalwire/client';
import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from './errors.ts';
import type { Io } from './io.ts';
import { resolveDataDir } from './stack/data-dir.ts';
import { readToken, requireStack } from './stack/stack-file.ts';

/** How a verb that asks a running system is told where it is. */
export type ConnectOptions = { data?: string; url?: string; tokenFile?: string; ca?: string };

/** Adds `--data` and, for a system elsewhere, `--url`, `--token-file` and `--ca`. */
export function addConnectOptions(command: Command): Command {
  return command
    .option('--data <dir>', 'data directory of a stack on this machine (default: VITALWIRE_DATA, else ~/.vitalwire)')
    .option('--url <https-url>', 'address of web, for a system elsewhere', parseHttpsUrl)
    .option('--token-file <file>', "file with the viewers' token, with --url")
    .option('--ca <file>', 'certificate of the authority that signed, with --url');
}

/** A client of the system these options name; whoever opens it closes it. */
export async function connect(io: Io, options: ConnectOptions): Promise<Client> {
  const { clock } = io;
  if (options.ca !== undefined) checkCa(options.ca);
  if (options.url !== undefined && options.tokenFile === undefined && options.data === undefined)
    throw new CliError(
      'WRONG_ARGUMENT',
      "--url needs --token-file (the viewers' token), and --ca unless its certificate is publicly trusted",
    );
  if (options.url !== undefined && options.tokenFile !== undefined) {
    const ca = options.ca === undefined ? {} : { caPath: options.ca };
    return Client.connect({ url: options.url, token: readToken(options.tokenFile), clock, ...ca });
  }
  const stack = requireStack(resolveDataDir(options.data, io.env));
  const token = readToken(options.tokenFile ?? stack.tokenPath);
  return Client.connect({ url: options.url ?? stack.urls.web, token, caPath: options.ca ?? stack.caPath, clock });
}

/** An https:// address. For commander's options. */
function parseHttpsUrl(text: string): string {
  if (!URL.canParse(text) || new URL(text).protocol !== 'https:')
    throw new InvalidArgumentError('Give an address such as https://ward.example:8443.');
  return text;
}

// TLS takes a file without certificates for an empty list, and then trusts nobody without saying why.
function checkCa(file: string): void {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (cause) {
    throw new CliError('CA_UNUSABLE', `${file} cannot be read; give the path of its ca.pem with --ca`, { cause });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new CliError('CA_UNUSABLE', `${file} holds no certificate in PEM; give the path of its ca.pem with --ca`);
}
