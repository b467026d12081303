import { type Decimal, decimalText } from '../decimal.ts';
import type { WrittenScale } from './header-text.ts';
import { fixedFields, fixedHeaderBytes, signalFieldStarts, signalFields, signalHeaderBytes } from './layout.ts';
import { longDateText } from './start-time.ts';

export type WrittenSignal = WrittenScale & { readonly samplesPerRecord: number };

export type WrittenHeader = {
  readonly format: 'EDF' | 'BDF';
  readonly kind: 'C' | 'D';
  readonly startUs: number | null; // whole seconds
  readonly synthetic: boolean; // stands where EDF+ names the equipment
  readonly records: number;
  readonly duration: Decimal;
  readonly signals: readonly WrittenSignal[];
};

/** What an anonymous recording has instead of a date. */
const NO_DATE = '01.01.85';

/** The header of an EDF+ or BDF+ file. Nobody is named in it: patient and technician are X, which means anonymous. */
export function headerBytesFor(header: WrittenHeader): Uint8Array {
  const count = header.signals.length;
  const bytes = new Uint8Array(fixedHeaderBytes + count * signalHeaderBytes).fill(0x20);
  const put = (offset: number, length: number, text: string) => {
    if (text.length > length) throw new RangeError(`'${text}' does not fit into ${length} characters`);
    for (let at = 0; at < text.length; at += 1) bytes[offset + at] = text.charCodeAt(at) & 0xff;
  };
  const fixed = (field: keyof typeof fixedFields, text: string) => put(fixedFields[field][0], fixedFields[field][1], text);
  fixed('version', header.format === 'BDF' ? '\xffBIOSEMI' : '0');
  fixed('patient', 'X X X X');
  const start = header.startUs === null ? null : new Date(header.startUs / 1000);
  fixed('recording', `Startdate ${start === null ? 'X' : longDateText(start)} X X ${header.synthetic ? 'synthetic' : 'X'}`);
  const [day = '', clock = ''] = start === null ? [] : start.toISOString().split('T');
  fixed('startDate', start === null ? NO_DATE : `${day.slice(8, 10)}.${day.slice(5, 7)}.${day.slice(2, 4)}`);
  fixed('startTime', start === null ? '00.00.00' : clock.slice(0, 8).replaceAll(':', '.'));
  fixed('headerBytes', String(bytes.length));
  fixed('reserved', `${header.format}+${header.kind}`);
  fixed('records', String(header.records));
  fixed('recordDuration', decimalText(header.duration));
  fixed('signals', String(count));
  const starts = signalFieldStarts(count);
  for (const [index, signal] of header.signals.entries()) {
    const texts = { ...signal, samplesPerRecord: String(signal.samplesPerRecord) };
    for (const [field, text] of Object.entries(texts)) {
      const name = field as keyof typeof texts;
      put(starts[name] + index * signalFields[name], signalFields[name], text);
    }
  }
  return bytes;
}
