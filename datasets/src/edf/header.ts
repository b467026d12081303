import type { ChannelScale, Rate } from '@vitalwire/contract';
import { DatasetError } from '../dataset-error.ts';
import { type Decimal, rateOf, toNumber } from '../decimal.ts';
import { type ProblemList, quoted } from '../problem-list.ts';
import { HeaderFields } from './header-fields.ts';
import { fixedFields, fixedHeaderBytes, maxSignals, signalFieldStarts, signalFields, signalHeaderBytes } from './layout.ts';
import { readStart } from './start-time.ts';

/** What the header of an EDF or BDF file says. The fields that name a person are not in it. */
export type EdfHeader = {
  readonly format: 'EDF' | 'BDF';
  /** plain: no annotations, no gaps. C: continuous. D: each record has a time of its own. */
  readonly kind: 'plain' | 'C' | 'D';
  readonly startedAtUs: number | null;
  /** The recording field names `synthetic` as its equipment: made by software. */
  readonly synthetic: boolean;
  readonly headerBytes: number;
  readonly declaredRecords: number | null; // null: unknown or not to be read
  readonly recordDuration: Decimal; // seconds
  readonly signals: readonly EdfSignal[];
  readonly recordBytes: number;
};

export type EdfSignal = {
  readonly isAnnotations: boolean;
  readonly scale: ChannelScale;
  readonly transducer: string;
  readonly prefilter: string;
  readonly samplesPerRecord: number;
  readonly offsetInRecord: number; // bytes
  readonly rate: Rate | null; // null: annotations, or a record without duration
};

/** How many bytes of header the first 256 announce; what is no EDF at all is refused here. */
export function headerBytesOf(file: string, fixed: Uint8Array): number {
  const refuse = (offset: number, field: string, found: string, expected: string): never => {
    throw new DatasetError('DATA_FILE_MALFORMED', { file, at: offset, unit: 'byte', field, found, expected });
  };
  if (formatOf(fixed) === null)
    refuse(0, 'version', quoted(latin1.decode(fixed.subarray(0, 8))), "'0' (EDF) or 'BIOSEMI' after a byte 255 (BDF)");
  if (fixed.length < fixedHeaderBytes) refuse(fixed.length, 'header', `${fixed.length} bytes`, `${fixedHeaderBytes} bytes at least`);
  const [offset, length] = fixedFields.signals;
  const text = latin1.decode(fixed.subarray(offset, offset + length)).trim();
  const count = /^\+?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= 1 && count <= maxSignals)) refuse(offset, 'number of signals', quoted(text), `a whole number from 1 to ${maxSignals}`);
  return fixedHeaderBytes + count * signalHeaderBytes;
}

export function formatOf(start: Uint8Array): 'EDF' | 'BDF' | null {
  const text = latin1.decode(start.subarray(0, 8));
  if (text === '\xffBIOSEMI') return 'BDF';
  return /^0[ \0]{7}$/.test(text) ? 'EDF' : null;
}

/** Reads the whole header; `bytes` is as long as `headerBytesOf` said. */
export function parseHeader(file: string, bytes: Uint8Array, problems: ProblemList): EdfHeader {
  const fields = new HeaderFields(bytes, problems);
  const format = formatOf(bytes) ?? 'EDF';
  const count = bytes.length / signalHeaderBytes - 1;
  const kind = kindOf(fields);
  tellForeignBytes(bytes, fields);

  const declaredHeaderBytes = fields.whole('number of bytes in header', ...fixedFields.headerBytes);
  if (declaredHeaderBytes !== null && declaredHeaderBytes !== bytes.length) {
    fields.tell(
      'number of bytes in header',
      fixedFields.headerBytes[0],
      String(declaredHeaderBytes),
      `${bytes.length} for ${count} signals`,
    );
  }
  const recordDuration = fields.decimal('duration of a data record', ...fixedFields.recordDuration, 'seconds, a positive number or 0');
  if (recordDuration !== null && recordDuration.units < 0n) {
    fields.tell(
      'duration of a data record',
      fixedFields.recordDuration[0],
      String(toNumber(recordDuration)),
      'seconds, a positive number or 0',
    );
  }
  const duration = recordDuration === null || recordDuration.units < 0n ? { units: 0n, scale: 0 } : recordDuration;
  const signals = readSignals({ file, fields, count, duration, sampleBytes: format === 'BDF' ? 3 : 2 });
  const last = signals.at(-1);
  return {
    format,
    kind,
    startedAtUs: readStart(fields, kind !== 'plain'),
    synthetic: kind !== 'plain' && syntheticRecording.test(fields.text(...fixedFields.recording)),
    headerBytes: bytes.length,
    declaredRecords: fields.whole('number of data records', ...fixedFields.records),
    recordDuration: duration,
    signals,
    recordBytes: last === undefined ? 0 : last.offsetInRecord + last.samplesPerRecord * (format === 'BDF' ? 3 : 2),
  };
}

// Date, admission, technician, equipment.
const syntheticRecording = /^Startdate \S+ \S+ \S+ synthetic(?: |$)/;

const latin1 = new TextDecoder('latin1');

function kindOf(fields: HeaderFields): EdfHeader['kind'] {
  const reserved = fields.text(...fixedFields.reserved).trim();
  const match = /^[EB]DF\+([CD])/.exec(reserved);
  if (match !== null) return match[1] === 'D' ? 'D' : 'C';
  if (/^[EB]DF\+/.test(reserved)) {
    fields.tell('reserved', fixedFields.reserved[0], reserved, "'EDF+C' or 'EDF+D'");
    return 'C';
  }
  return 'plain';
}

/** The header is ASCII by the format; µ and the like are read as Latin-1. */
function tellForeignBytes(bytes: Uint8Array, fields: HeaderFields): void {
  for (let at = 8; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 32 && byte < 127) continue;
    const expected = 'printable ASCII; read as Latin-1';
    fields.problem({ field: 'header', at, unit: 'byte', found: `byte ${byte}`, expected });
    return; // one is enough to say
  }
}

type SignalContext = { file: string; fields: HeaderFields; count: number; duration: Decimal; sampleBytes: number };

function readSignals({ file, fields, count, duration, sampleBytes }: SignalContext): EdfSignal[] {
  const starts = signalFieldStarts(count);
  const signals: EdfSignal[] = [];
  let offsetInRecord = 0;
  for (let index = 0; index < count; index += 1) {
    const at = (field: keyof typeof signalFields): [number, number] => [starts[field] + index * signalFields[field], signalFields[field]];
    const text = (field: keyof typeof signalFields) => fields.text(...at(field)).trim();
    const name = `signal ${index + 1} of ${count}`;
    const samplesPerRecord = fields.whole(`${name}, samples per record`, ...at('samplesPerRecord'));
    if (samplesPerRecord === null || samplesPerRecord < 0 || samplesPerRecord > MAX_SAMPLES_PER_RECORD) {
      throw new DatasetError('DATA_FILE_MALFORMED', {
        file,
        at: at('samplesPerRecord')[0],
        unit: 'byte',
        field: `${name}, samples per record`,
        found: quoted(text('samplesPerRecord')),
        expected: `a whole number from 0 to ${MAX_SAMPLES_PER_RECORD}`,
      });
    }
    const label = text('label');
    const isAnnotations = label === 'EDF Annotations' || label === 'BDF Annotations';
    const hasRate = !isAnnotations && samplesPerRecord > 0;
    signals.push({
      isAnnotations,
      scale: isAnnotations ? { ...wholeRange(sampleBytes), label, unit: '', reference: '' } : readScale(fields, name, at, sampleBytes),
      transducer: text('transducer'),
      prefilter: text('prefilter'),
      samplesPerRecord,
      offsetInRecord,
      rate: hasRate ? signalRate(fields, name, samplesPerRecord, duration, at('samplesPerRecord')[0]) : null,
    });
    offsetInRecord += samplesPerRecord * sampleBytes;
  }
  return signals;
}

/** Far above any recording; keeps every offset a safe integer. */
const MAX_SAMPLES_PER_RECORD = 99_999_999;

function signalRate(fields: HeaderFields, name: string, samples: number, duration: Decimal, at: number): Rate | null {
  if (duration.units === 0n) {
    fields.problem({
      field: `${name}, rate`,
      at: fixedFields.recordDuration[0],
      unit: 'byte',
      found: 'samples in records that last 0 seconds; the signal is left out',
      expected: 'a record duration above 0',
    });
    return null;
  }
  const { rate, exact } = rateOf(BigInt(samples) * 10n ** BigInt(duration.scale), duration.units);
  if (!exact)
    fields.tell(`${name}, rate`, at, `${samples} in ${toNumber(duration)} s`, `a simpler fraction; read as ${rate.num}/${rate.den}`);
  return rate;
}

type FieldPlace = (field: keyof typeof signalFields) => [number, number];

/** The line between digital and physical values. Where the header gives none, counts are shown as they are, without a unit. */
function readScale(fields: HeaderFields, name: string, at: FieldPlace, sampleBytes: number): ChannelScale {
  const label = fields.text(...at('label')).trim();
  const numbers = (['digitalMin', 'digitalMax', 'physicalMin', 'physicalMax'] as const).map((field) => {
    const expected = field.startsWith('digital') ? 'a whole number' : 'a number';
    const value = fields.decimal(`${name}, ${fieldNames[field]}`, ...at(field), expected);
    return value === null ? null : toNumber(value);
  });
  const [digitalMin, digitalMax, physicalMin, physicalMax] = numbers;
  const unit = plainUnit(fields.text(...at('unit')).trim());
  if (digitalMin == null || digitalMax == null || physicalMin == null || physicalMax == null) {
    return { ...wholeRange(sampleBytes), label, unit: '', reference: '' };
  }
  const usable = Number.isSafeInteger(digitalMin) && Number.isSafeInteger(digitalMax) && digitalMin !== digitalMax;
  if (!usable || physicalMin === physicalMax) {
    const field = usable ? 'physicalMax' : 'digitalMax';
    const found = `${fieldNames[field]} ${fields.text(...at(field)).trim()} with a minimum of ${usable ? physicalMin : digitalMin}`;
    fields.problem({
      field: `${name}, scale`,
      at: at(field)[0],
      unit: 'byte',
      found: `${found}; read as counts`,
      expected: 'two different whole digital and two different physical values',
    });
    return { ...wholeRange(sampleBytes), label, unit: '', reference: '' };
  }
  if (digitalMin < digitalMax) return { label, unit, digitalMin, digitalMax, physicalMin, physicalMax, reference: '' };
  fields.tell(`${name}, digital minimum`, at('digitalMin')[0], String(digitalMin), `less than the digital maximum ${digitalMax}`);
  // The same line, written the other way round.
  const swapped = { digitalMin: digitalMax, digitalMax: digitalMin, physicalMin: physicalMax, physicalMax: physicalMin };
  return { label, unit, ...swapped, reference: '' };
}

const fieldNames = {
  digitalMin: 'digital minimum',
  digitalMax: 'digital maximum',
  physicalMin: 'physical minimum',
  physicalMax: 'physical maximum',
} as const;

function wholeRange(sampleBytes: number) {
  const max = 2 ** (sampleBytes * 8 - 1) - 1;
  return { digitalMin: -max - 1, digitalMax: max, physicalMin: -max - 1, physicalMax: max };
}

/** The micro sign in its spellings (Latin-1, the Greek letter, UTF-8 bytes read as Latin-1) is u, as everywhere in this system. */
export function plainUnit(unit: string): string {
  return unit.replace(/^(?:Â?µ|μ|Î¼)/, 'u');
}
