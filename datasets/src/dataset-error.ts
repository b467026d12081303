/** Failures of this package: stable code, and whether trying again can help. */
export const datasetErrors = {
  DATA_FILE_MISSING: { retry: 'no', summary: 'a bundled data file is not there' },
  DATA_FILE_CHANGED: { retry: 'no', summary: 'a bundled data file does not have the bytes we ship' },
  DATA_FILE_MALFORMED: { retry: 'no', summary: 'a data file does not read as its format says' },
  OPTION_REFUSED: { retry: 'no', summary: 'an option cannot be used' },
  READ_OUTSIDE: { retry: 'no', summary: 'there are no such samples' },
  SEGMENT_UNKNOWN: { retry: 'no', summary: 'there is no such segment' },
} as const;

export type DatasetErrorCode = keyof typeof datasetErrors;

/** An error whose message names the file and what to do, with a stable code. */
export class DatasetError extends Error {
  readonly code: DatasetErrorCode;
  readonly retry: 'yes' | 'no';

  constructor(code: DatasetErrorCode, detail: string, options?: ErrorOptions) {
    super(`${datasetErrors[code].summary}: ${detail}`, options);
    this.name = 'DatasetError';
    this.code = code;
    this.retry = datasetErrors[code].retry;
  }
}
