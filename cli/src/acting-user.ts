import { userInfo } from 'node:os';
import { isId } from '@vitalwire/contract';
import { CliError } from './errors.ts';
import type { Io } from './io.ts';

/** Who acknowledges, pauses or changes a limit: `--by`, else VITALWIRE_USER, else the user of this machine. Always an id, never a name. */
export function actingUser(io: Io, by: string | undefined): string {
  const set = by ?? io.env['VITALWIRE_USER'];
  const id = set ?? systemUser();
  if (isId(id)) return id;
  const where = by !== undefined ? '--by' : set !== undefined ? 'VITALWIRE_USER' : 'the user name of this machine';
  throw new CliError(
    'WRONG_ARGUMENT',
    `${where} ('${id}') is not an id: give 1 to 63 letters, digits, dots, hyphens or underscores with --by`,
  );
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // a container without an entry for its user
  }
}
