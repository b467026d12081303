/** Failures of this package: stable code, and whether trying again can help. */
export const datasetErrors = {
  RECORDINGS_MISSING: { retry: 'no', summary: 'these recordings are not on this machine' },
  DATA_FILE_MISSING: { retry: 'no', summary: 'a file is not there' },
  DATA_FILE_CHANGED: { retry: 'no', summary: 'a file of recordings does not hold what was published' },
  DATA_FILE_MALFORMED: { retry: 'no', summary: 'a data file does not read as its format says' },
  OPTION_REFUSED: { retry: 'no', summary: 'an option cannot be used' },
  READ_OUTSIDE: { retry: 'no', summary: 'there are no such samples' },
  DATA_FILE_UNREADABLE: { retry: 'yes', summary: 'a data file cannot be read' },
  FORMAT_UNKNOWN: { retry: 'no', summary: 'not a recording in a format we read' },
  OPTION_NEEDED: { retry: 'no', summary: 'the file alone does not say enough' },
  UNWRITABLE: { retry: 'no', summary: 'this cannot be written in that format' },
  CATALOGUE_MALFORMED: { retry: 'no', summary: 'a catalogue file cannot be used' },
  DATASET_UNKNOWN: { retry: 'no', summary: 'there is no such data set' },
  LISTING_MALFORMED: { retry: 'no', summary: 'a list of checksums does not read as one' },
  LISTING_CHANGED: { retry: 'no', summary: 'the source lists another checksum than the one pinned' },
  LOCK_UNREADABLE: { retry: 'no', summary: 'the lock file of a data set cannot be used' },
  FETCH_RUNNING: { retry: 'yes', summary: 'another fetch is at work in this directory' },
  SOURCE_UNREACHABLE: { retry: 'yes', summary: 'the source does not answer' },
  SOURCE_REFUSED: { retry: 'no', summary: 'the source does not give the file' },
  WRONG_BYTES: { retry: 'yes', summary: 'the bytes are not the published ones' },
  DISK_FULL: { retry: 'no', summary: 'the disk is full' },
  FETCH_STOPPED: { retry: 'yes', summary: 'stopped' },
  NOTHING_TO_FETCH: { retry: 'no', summary: 'nothing to fetch' },
  SEGMENT_UNKNOWN: { retry: 'no', summary: 'there is no such segment' },
} as const;

export type DatasetErrorCode = keyof typeof datasetErrors;

/** Where a file does not read as expected. `at` is a byte offset or a line number, as `unit` says. */
export type FilePlace = {
  readonly file: string;
  readonly at: number | null;
  readonly unit: 'byte' | 'line' | null;
  readonly field: string;
  readonly found: string;
  readonly expected: string;
};

/** An error whose message names the file and what to do, with a stable code. */
export class DatasetError extends Error {
  readonly code: DatasetErrorCode;
  readonly retry: 'yes' | 'no';
  readonly place: FilePlace | null;

  constructor(code: DatasetErrorCode, detail: string | FilePlace, options?: ErrorOptions) {
    super(`${datasetErrors[code].summary}: ${typeof detail === 'string' ? detail : placeText(detail)}`, options);
    this.name = 'DatasetError';
    this.code = code;
    this.retry = datasetErrors[code].retry;
    this.place = typeof detail === 'string' ? null : detail;
  }
}

/** `night.edf, byte 236, number of data records: found 'x', expected a whole number`. */
export function placeText({ file, at, unit, field, found, expected }: FilePlace): string {
  const where = at === null || unit === null ? '' : `, ${unit} ${at}`;
  return `${file}${where}, ${field}: found ${found}, expected ${expected}`;
}
