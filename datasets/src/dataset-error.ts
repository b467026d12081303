/** Failures of this package: stable code, and whether trying again can help. */
export const datasetErrors = {
  RECORDINGS_MISSING: { retry: 'no', summary: 'these recordings are not on this machine', next: 'fetch them: `vitalwire datasets fetch`' },
  DATA_FILE_MISSING: { retry: 'no', summary: 'a file is not there', next: 'check the path' },
  DATA_FILE_CHANGED: {
    retry: 'no',
    summary: 'a file of recordings does not hold what was published',
    next: 'fetch it again: `vitalwire datasets verify` names each such file',
  },
  DATA_FILE_MALFORMED: {
    retry: 'no',
    summary: 'a data file does not read as its format says',
    next: 'look at the byte or line named; `vitalwire datasets info` lists all problems',
  },
  OPTION_REFUSED: { retry: 'no', summary: 'an option cannot be used', next: 'correct the option' },
  READ_OUTSIDE: { retry: 'no', summary: 'there are no such samples', next: 'ask for samples within the recording' },
  DATA_FILE_UNREADABLE: { retry: 'yes', summary: 'a data file cannot be read', next: 'check its rights and the disk' },
  FORMAT_UNKNOWN: { retry: 'no', summary: 'not a recording in a format we read', next: 'convert it to EDF, BDF or CSV' },
  OPTION_NEEDED: { retry: 'no', summary: 'the file alone does not say enough', next: 'give the option that is named' },
  UNWRITABLE: { retry: 'no', summary: 'this cannot be written in that format', next: 'choose another format, or leave out what is named' },
  CATALOGUE_MALFORMED: { retry: 'no', summary: 'a catalogue file cannot be used', next: 'correct the line that is named' },
  DATASET_UNKNOWN: { retry: 'no', summary: 'there is no such data set', next: '`vitalwire datasets list` has the names' },
  LISTING_MALFORMED: {
    retry: 'no',
    summary: 'a list of checksums does not read as one',
    next: 'the publisher may have changed its pages: try --mirror',
  },
  LISTING_CHANGED: {
    retry: 'no',
    summary: 'the source lists another checksum than the one pinned',
    next: 'do not use it before you know why: compare with the publisher',
  },
  LOCK_UNREADABLE: {
    retry: 'no',
    summary: 'the lock file of a data set cannot be used',
    next: 'remove the folder of the data set and fetch it again',
  },
  FETCH_RUNNING: { retry: 'yes', summary: 'another fetch is at work in this directory', next: 'wait for it, or end it' },
  SOURCE_UNREACHABLE: { retry: 'yes', summary: 'the source does not answer', next: 'check the network; a fetch goes on where it stopped' },
  SOURCE_REFUSED: { retry: 'no', summary: 'the source does not give the file', next: 'save the file with a browser and use --mirror' },
  WRONG_BYTES: { retry: 'yes', summary: 'the bytes are not the published ones', next: 'fetch it again; the damaged copy is kept beside' },
  DISK_FULL: { retry: 'no', summary: 'the disk is full', next: 'free the space that is named' },
  FETCH_STOPPED: { retry: 'yes', summary: 'stopped', next: 'run it again: it goes on where it stopped' },
  NOTHING_TO_FETCH: { retry: 'no', summary: 'nothing to fetch', next: 'check the names that were asked for' },
  SEGMENT_UNKNOWN: { retry: 'no', summary: 'there is no such segment', next: 'check the segment: Z, O, N, F or S and 001 to 100' },
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
function placeText({ file, at, unit, field, found, expected }: FilePlace): string {
  const where = at === null || unit === null ? '' : `, ${unit} ${at}`;
  return `${file}${where}, ${field}: found ${found}, expected ${expected}`;
}
