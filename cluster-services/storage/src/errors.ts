import { defineErrors } from '@vitalwire/runtime/errors';

/** Everything that can go wrong between us and the database, and whether trying again is safe. */
export const storageErrors = {
  UNAVAILABLE: {
    retry: 'yes',
    summary: 'the database did not answer, or the outcome of a commit is not known',
    next: 'see whether the database runs; what was not acknowledged is sent again',
  },
  NOT_MIGRATED: {
    retry: 'yes',
    summary: 'the database has no schema yet, or an older one',
    next: 'start the storage service: it brings the schema up to date',
  },
  SCHEMA_NEWER: { retry: 'no', summary: 'the database was made by a newer release', next: 'run the release that made it, or a newer one' },
  DAMAGED: {
    retry: 'no',
    summary: 'the database file is damaged',
    next: 'restore a backup (`vitalwire restored` has the gateways send again what they hold); `vitalwire doctor` says what is damaged',
  },
  DENIED: {
    retry: 'no',
    summary: 'the database does not accept this account',
    next: 'check user, password and rights in the database setting',
  },
  REFUSED: {
    retry: 'no',
    summary: 'the database refused a row for what is in it',
    next: 'nothing to do by hand: the message is quarantined; the log says why',
  },
  BAD_ROW: {
    retry: 'no',
    summary: 'a row to commit is outside what the tables hold',
    next: 'nothing to do by hand: the message is quarantined; the log says why',
  },
  BAD_DATABASE_URL: {
    retry: 'no',
    summary: 'the database setting is not sqlite:DIR or mysql://user:password@host:port/database',
    next: 'correct the setting',
  },
  CLOSED: { retry: 'no', summary: 'the store is closed', next: 'nothing: the service is stopping' },
} as const;

export class StorageError extends defineErrors('storage', storageErrors) {}

/** What an error says beyond the summary of its code, so that it can be made again on the other side of a thread. */
export function detailOf(error: { readonly code: string; readonly message: string }): string {
  const summary = Object.entries(storageErrors).find(([code]) => code === error.code)?.[1].summary;
  return summary !== undefined && error.message.startsWith(`${summary}: `) ? error.message.slice(summary.length + 2) : error.message;
}

export function isErrorCode(code: string): code is keyof typeof storageErrors {
  return code in storageErrors;
}
