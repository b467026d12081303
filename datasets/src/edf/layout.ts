// Where everything stands in the header of an EDF or BDF file.

export const fixedHeaderBytes = 256;
export const signalHeaderBytes = 256;

/** How many signals the format can count in its four characters. */
export const maxSignals = 9_999;

/** Places in the fixed part of the header. */
export const fixedFields = {
  version: [0, 8],
  patient: [8, 80],
  recording: [88, 80],
  startDate: [168, 8],
  startTime: [176, 8],
  headerBytes: [184, 8],
  reserved: [192, 44],
  records: [236, 8],
  recordDuration: [244, 8],
  signals: [252, 4],
} as const;

/** Widths of the fields per signal, in their order: all labels, then all transducers, and so on. */
export const signalFields = {
  label: 16,
  transducer: 80,
  unit: 8,
  physicalMin: 8,
  physicalMax: 8,
  digitalMin: 8,
  digitalMax: 8,
  prefilter: 80,
  samplesPerRecord: 8,
  reserved: 32,
} as const;

/** Where the first signal's field of each kind begins. */
export function signalFieldStarts(count: number): Record<keyof typeof signalFields, number> {
  let at = fixedHeaderBytes;
  const starts: Record<string, number> = {};
  for (const [field, width] of Object.entries(signalFields)) {
    starts[field] = at;
    at += width * count;
  }
  return starts as Record<keyof typeof signalFields, number>;
}
