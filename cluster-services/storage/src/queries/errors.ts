import { ApiError } from '@vitalwire/runtime';

/** The ways a query is refused; each says what to do instead. */
export const refusals = {
  noRecording: (id: string) => new ApiError(404, 'NO_RECORDING', `no recording ${id} is stored`, 'GET /v1/recordings lists what there is'),
  notASignal: (id: string, stream: string) =>
    new ApiError(422, 'NOT_A_SIGNAL', `recording ${id} is of stream ${stream}, which has no samples to draw`, 'read its chunks instead'),
  rangeTooLong: (chunks: number, most: number) =>
    new ApiError(
      422,
      'RANGE_TOO_LONG',
      `the range holds ${chunks} chunks, at most ${most} are decimated in one answer`,
      'ask for a shorter range',
    ),
  emptyRange: () => new ApiError(422, 'EMPTY_RANGE', 'fromUs must be before toUs', 'swap or widen the range'),
  badCursor: () => new ApiError(400, 'INVALID_REQUEST', 'the cursor is not one this service gave out', 'start again without a cursor'),
  tooManyRecordings: (most: number) =>
    new ApiError(
      422,
      'RANGE_TOO_LONG',
      `more than ${most} recordings fall into the range`,
      'ask for a shorter range, or for one recording',
    ),
  tooManyRanges: (most: number) =>
    new ApiError(
      422,
      'RANGE_TOO_LONG',
      `the time line has more than ${most} holes and clock steps`,
      'ask for a shorter range, or for one recording',
    ),
  tooManyReadings: (most: number) =>
    new ApiError(422, 'RANGE_TOO_LONG', `more than ${most} readings fall into the range`, 'ask for a shorter range, or for one recording'),
  busy: () => new ApiError(503, 'BUSY', 'too many heavy queries are under way', 'try again in a moment'),
  noPatient: (id: string) => new ApiError(404, 'NO_PATIENT', `no patient ${id} is registered`, `PUT /v1/patients/${id} registers one`),
  noDevice: (id: string) => new ApiError(404, 'NO_DEVICE', `no device ${id} is registered`, `PUT /v1/devices/${id} registers one`),
  notTheOwner: (id: string, gateway: string) =>
    new ApiError(
      409,
      'DEVICE_HAS_OWNER',
      `device ${id} belongs to gateway ${gateway}`,
      `POST /v1/devices/${id}/moves ('vitalwire devices move ${id} --gateway ...') moves it, and is recorded`,
    ),
  badMove: (id: string, why: string) =>
    new ApiError(422, 'BAD_MOVE', `device ${id} cannot be moved: ${why}`, 'GET /v1/registry tells whose it is and since when'),
  badLimits: (vital: string, issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]) =>
    new ApiError(
      400,
      'INVALID_REQUEST',
      `these are no limits of the ${vital}: ${issues.map(({ path, message }) => [...path.map(String), message].join(': ')).join('; ')}`,
      'GET /v1/patients/:id/alarm-limits shows what holds now',
    ),
  registryFull: (what: string, most: number) =>
    new ApiError(
      409,
      'REGISTRY_FULL',
      `the registry holds ${most} ${what} already, which is its limit`,
      'run another installation for more',
    ),
} as const;
