/** How a numeric vital was measured; the order is the wire. What a phone exports came hours late: it is history, never live. */
export const numericKinds = ['ecg', 'optical', 'phone', 'sensor'] as const;
export type NumericKind = (typeof numericKinds)[number];

/** What is true of a numeric vital everywhere: on the wire, in tables, at the intake and in words. */
export type NumericFacts = {
  readonly number: number; // of the stream, on the wire and in tables: 10 to 57, never given to another
  readonly label: string; // in a sentence
  readonly short: string; // on a tile and in the words of alarms
  readonly unit: string; // the only one that is stored
  readonly decimals: number; // that screens show
  readonly least: number; // what is below or above these bounds is no reading at all; whether one is plausible is not asked
  readonly most: number;
  readonly noReading: readonly number[]; // codes of devices for "no value"
  readonly isSpot: boolean; // measured now and then: nobody misses the next, and the time between two is no hole
  readonly limits: LimitFacts;
  readonly phone: PhoneMetric | null; // where a phone's export has it
};

/** Alarm limits in the vital's unit; null takes a limit away. An extreme is `extremeDelta` beyond its limit. */
export type NumericLimits = { readonly low: number | null; readonly high: number | null; readonly extremeDelta: number | null };
/** The limits that hold until somebody sets others, and within which each can be set. */
export type LimitFacts = {
  readonly usual: NumericLimits;
  readonly low: readonly [least: number, most: number];
  readonly high: readonly [least: number, most: number];
  readonly extremeDelta: readonly [least: number, most: number];
};

/** A metric of Health Auto Export. `units`: how a value under that name becomes one in the row's unit. */
export type PhoneMetric = {
  readonly metric: string;
  readonly part?: string; // of a point that holds several numbers
  readonly units: Readonly<Record<string, Conversion>>; // in lower case without spaces; '' = not said
  readonly least: number; // in the row's unit; a phone's point outside is a mistake of the export
  readonly most: number;
};
/** (value + plus) * times */
export type Conversion = { readonly plus: number; readonly times: number };

/** Nobody is alarmed until a site sets limits of its own. */
const noLimits: NumericLimits = { low: null, high: null, extremeDelta: null };

const same: Conversion = { plus: 0, times: 1 };
const fahrenheit: Conversion = { plus: -32, times: 5 / 9 };
const perMinute = {
  '': same,
  count: same,
  bpm: same,
  'count/min': same,
  'counts/min': same,
  'beat/min': same,
  'beats/min': same,
  'beats/minute': same,
  beatsperminute: same,
  'breaths/min': same,
  '1/min': same,
  '/min': same,
  'min-1': same,
} as const;
const celsius = { '': same, c: same, degc: same, '°c': same, f: fahrenheit, degf: fahrenheit, '°f': fahrenheit } as const;
const pressure = { '': same, mmhg: same, kpa: { plus: 0, times: 7.500_617 } } as const;

/**
 * The numeric vitals, one row each: everything that treats numbers of patients asks this table and `numericRules` of vitals. Screens show
 * them in this order. Units are written as monitors write them. The usual limits are for adults: common defaults of monitors, not verified; a
 * site must set its own.
 */
export const numerics = {
  'heart-rate': {
    number: 2,
    label: 'heart rate',
    short: 'HR',
    unit: '/min',
    decimals: 0,
    least: 1,
    most: 1_000,
    noReading: [0, 255],
    isSpot: false,
    limits: { usual: { low: 50, high: 120, extremeDelta: 20 }, low: [15, 200], high: [40, 300], extremeDelta: [5, 100] },
    phone: { metric: 'heart_rate', units: perMinute, least: 20, most: 300 },
  },
  spo2: {
    number: 10,
    label: 'oxygen saturation',
    short: 'SpO2',
    unit: '%',
    decimals: 0,
    least: 1,
    most: 100,
    noReading: [0, 127, 255],
    isSpot: false,
    limits: { usual: { low: 90, high: null, extremeDelta: 10 }, low: [50, 99], high: [80, 100], extremeDelta: [1, 40] },
    phone: { metric: 'blood_oxygen_saturation', units: { '': same, '%': same }, least: 30, most: 100 },
  },
  'respiratory-rate': {
    number: 11,
    label: 'respiratory rate',
    short: 'RESP',
    unit: '/min',
    decimals: 0,
    least: 0, // a monitor counts no breath at all as 0
    most: 250,
    noReading: [255],
    isSpot: false,
    limits: { usual: noLimits, low: [1, 60], high: [5, 150], extremeDelta: [1, 60] },
    phone: { metric: 'respiratory_rate', units: perMinute, least: 1, most: 120 },
  },
  'body-temperature': {
    number: 12,
    label: 'body temperature',
    short: 'TEMP',
    unit: '°C',
    decimals: 1,
    least: 5,
    most: 50,
    noReading: [],
    isSpot: true,
    limits: { usual: noLimits, low: [28, 40], high: [30, 45], extremeDelta: [0.1, 10] },
    phone: { metric: 'body_temperature', units: celsius, least: 25, most: 45 },
  },
  'systolic-pressure': {
    number: 13,
    label: 'systolic blood pressure',
    short: 'SYS',
    unit: 'mmHg',
    decimals: 0,
    least: 1,
    most: 400,
    noReading: [],
    isSpot: true,
    limits: { usual: noLimits, low: [30, 200], high: [60, 300], extremeDelta: [5, 100] },
    phone: { metric: 'blood_pressure', part: 'systolic', units: pressure, least: 30, most: 300 },
  },
  'diastolic-pressure': {
    number: 14,
    label: 'diastolic blood pressure',
    short: 'DIA',
    unit: 'mmHg',
    decimals: 0,
    least: 1,
    most: 400,
    noReading: [],
    isSpot: true,
    limits: { usual: noLimits, low: [10, 150], high: [30, 200], extremeDelta: [5, 100] },
    phone: { metric: 'blood_pressure', part: 'diastolic', units: pressure, least: 10, most: 250 },
  },
  'heart-rate-variability': {
    number: 15,
    label: 'heart rate variability',
    short: 'HRV',
    unit: 'ms',
    decimals: 0,
    least: 0,
    most: 5_000,
    noReading: [],
    isSpot: true,
    limits: { usual: noLimits, low: [1, 500], high: [1, 2_000], extremeDelta: [1, 1_000] },
    phone: { metric: 'heart_rate_variability', units: { '': same, ms: same }, least: 0, most: 1_000 },
  },
  'resting-heart-rate': {
    number: 16,
    label: 'resting heart rate',
    short: 'REST HR',
    unit: '/min',
    decimals: 0,
    least: 1,
    most: 1_000,
    noReading: [0, 255],
    isSpot: true,
    limits: { usual: noLimits, low: [15, 200], high: [40, 300], extremeDelta: [5, 100] },
    phone: { metric: 'resting_heart_rate', units: perMinute, least: 20, most: 300 },
  },
} as const satisfies Record<string, NumericFacts>;

export type NumericStream = keyof typeof numerics;

/** Their names, in the order of the table. */
export const numericStreams = Object.keys(numerics) as NumericStream[];

/** What is true of this vital. */
export function numericFacts(stream: NumericStream): NumericFacts {
  return numerics[stream];
}

export function isNumeric(stream: string): stream is NumericStream {
  return Object.hasOwn(numerics, stream);
}

/** Why a number of a device is no reading of this vital at all; null = it is one. */
export function noReadingReason(stream: NumericStream, value: number | null): 'no-number' | 'not-a-reading' | 'out-of-range' | null {
  const { least, most, noReading } = numericFacts(stream);
  if (value === null || !Number.isFinite(value)) return 'no-number';
  if (noReading.includes(value)) return 'not-a-reading';
  return value < least || value > most ? 'out-of-range' : null;
}

/** How a number in that unit becomes one in the vital's own; where none is said it is the vital's own. Null: no unit of this vital is called so. */
export function conversionFrom(stream: NumericStream, units: string): Conversion | null {
  const said = units.toLowerCase().replaceAll(/[\s\\]/g, '');
  const { unit, phone } = numericFacts(stream);
  if (said === '' || said === unit.toLowerCase()) return same;
  return phone !== null && Object.hasOwn(phone.units, said) ? (phone.units[said] ?? null) : null;
}

export function isSameConversion(a: Conversion, b: Conversion): boolean {
  return a.plus === b.plus && a.times === b.times;
}

/** What belongs to vitals, in the order of their table. */
export function inTableOrder<T extends { readonly stream: NumericStream }>(values: readonly T[]): T[] {
  return values.toSorted((a, b) => numericStreams.indexOf(a.stream) - numericStreams.indexOf(b.stream));
}

/** A value as screens write it, without its unit. */
export function numericText(stream: NumericStream, value: number): string {
  return value.toFixed(numericFacts(stream).decimals);
}

export const numericSides = ['high', 'low', 'extreme-high', 'extreme-low'] as const;
export type NumericSide = (typeof numericSides)[number];
/** What an alarm can say of a numeric vital. */
export type NumericCondition = `${NumericStream}-${NumericSide}`;

/** The vital and the side a condition is about; null = it is about something else. */
export function numericConditionOf(condition: string): { readonly stream: NumericStream; readonly side: NumericSide } | null {
  return byCondition.get(condition) ?? null;
}

/** The condition of a vital that is beyond a limit. */
export function conditionOf(stream: NumericStream, side: NumericSide): NumericCondition {
  return `${stream}-${side}`;
}

const byCondition = new Map(
  numericStreams.flatMap((stream) => numericSides.map((side) => [conditionOf(stream, side) as string, { stream, side }] as const)),
);
