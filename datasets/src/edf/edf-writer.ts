import type { FileHandle } from 'node:fs/promises';
import { DatasetError } from '../dataset-error.ts';
import { toNumber } from '../decimal.ts';
import type { SignalGroup, SignalSource } from '../signal-source.ts';
import { writeWhole } from '../whole-file.ts';
import { writtenScale } from './header-text.ts';
import { headerBytesFor, type WrittenSignal } from './header-writer.ts';
import { maxSignals } from './layout.ts';
import { paddingText } from './padding.ts';
import { type PlannedRun, planRecords, type RecordPlan } from './record-plan.ts';
import { annotationTals, type PackedTals, packTals } from './tal-writer.ts';

export type WriteEdfOptions = {
  /** EDF+ (16 bit) or BDF+ (24 bit); the narrowest that holds the source's samples when not given. */
  readonly format?: 'edf' | 'bdf';
  readonly signal?: AbortSignal;
};

/** What was written, and what is not exactly as it was in the source. */
export type WrittenFile = {
  readonly format: 'EDF+C' | 'EDF+D' | 'BDF+C' | 'BDF+D';
  readonly records: number;
  readonly notes: readonly string[];
};

/** About so many bytes of records are put together before they are written. */
const BLOCK_BYTES = 1024 * 1024;

const LONGEST_SAFE_DATE = Date.UTC(2085, 0, 1) * 1000;

/**
 * Writes a source as EDF+ or BDF+ with its annotations: continuous, or D where it has gaps. It reads back identically: samples, scales, times, annotations.
 * The file appears under its name only when it is whole.
 */
export async function writeEdf(path: string, source: SignalSource, options: WriteEdfOptions = {}): Promise<WrittenFile> {
  const wide = options.format === undefined ? source.groups.some(({ sampleBits }) => sampleBits === 24) : options.format === 'bdf';
  const plan = await planFile(source, wide);
  await writeWhole(path, async (handle) => {
    await handle.write(plan.header);
    await writeRecords(handle, source, plan, options.signal);
  });
  return { format: `${wide ? 'BDF' : 'EDF'}+${plan.interrupted ? 'D' : 'C'}`, records: plan.tals.perRecord.length, notes: plan.notes };
}

type FilePlan = {
  readonly header: Uint8Array;
  readonly records: RecordPlan;
  readonly tals: PackedTals;
  readonly sampleBytes: 2 | 3;
  readonly interrupted: boolean;
  readonly notes: readonly string[];
};

async function planFile(source: SignalSource, wide: boolean): Promise<FilePlan> {
  const { groups, name } = source;
  const sampleBytes = wide ? 3 : 2;
  const count = groups.reduce((sum, { channels }) => sum + channels.length, 0);
  if (count >= maxSignals) throw new DatasetError('UNWRITABLE', `${name} as EDF or BDF: ${count} channels, more than ${maxSignals - 1}`);
  const annotations = await source.annotations();
  // Only annotations: one record that lasts no time.
  const records =
    count === 0 ? { duration: { units: 0n, scale: 0 }, samplesPerRecord: [], runs: [] } : planRecords(name, groups, sampleBytes);
  const runs: readonly PlannedRun[] = count === 0 ? [{ onsetUs: 0, records: 1, paddingFromUs: null }] : records.runs;
  if (runs.length === 0) throw new DatasetError('UNWRITABLE', `${name} as EDF or BDF: it has no samples`);
  const { startUs, shiftUs } = headerStart(source, runs[0]?.onsetUs ?? 0);
  const recordUs = toNumber(records.duration) * 1e6;
  const onsets = runs.flatMap((run) => Array.from({ length: run.records }, (_, at) => Math.round(run.onsetUs + at * recordUs) + shiftUs));
  const marks = runs.flatMap(({ paddingFromUs }) =>
    paddingFromUs === null
      ? []
      : [{ onsetUs: paddingFromUs, durationUs: null, type: 'annotation' as const, text: paddingText, channels: [] }],
  );
  const lists = [...annotations, ...marks]
    .sort((a, b) => a.onsetUs - b.onsetUs)
    .flatMap((one) => annotationTals(one, shiftUs).map((tal) => ({ onsetUs: one.onsetUs + shiftUs, tal })));
  const tals = packTals(onsets, lists);
  const { signals, notes } = describeSignals(source, wide, records.samplesPerRecord);
  const annotationSignal: WrittenSignal = {
    label: `${wide ? 'BDF' : 'EDF'} Annotations`,
    unit: '',
    digitalMin: wide ? '-8388608' : '-32768',
    digitalMax: wide ? '8388607' : '32767',
    physicalMin: '-1',
    physicalMax: '1',
    samplesPerRecord: Math.ceil(tals.areaBytes / sampleBytes),
  };
  const interrupted = runs.length > 1;
  const header = headerBytesFor({
    format: wide ? 'BDF' : 'EDF',
    kind: interrupted ? 'D' : 'C',
    startUs,
    synthetic: source.synthetic,
    records: onsets.length,
    duration: records.duration,
    signals: [...signals, annotationSignal],
  });
  return { header, records, tals, sampleBytes, interrupted, notes };
}

/** The header tells whole seconds; the rest, always less than a second, is the time of the first record. */
function headerStart({ startedAtUs, name }: SignalSource, firstOnsetUs: number): { startUs: number | null; shiftUs: number } {
  const begunUs = (startedAtUs ?? 0) + firstOnsetUs;
  const wholeUs = Math.floor(begunUs / 1e6) * 1e6;
  if (startedAtUs === null) return { startUs: null, shiftUs: -wholeUs };
  const earliest = Date.UTC(1985, 0, 1) * 1000;
  if (wholeUs < earliest || wholeUs >= LONGEST_SAFE_DATE) {
    throw new DatasetError(
      'UNWRITABLE',
      `${name} as EDF or BDF: it began in ${new Date(wholeUs / 1000).getUTCFullYear()}, expected 1985 to 2084`,
    );
  }
  return { startUs: wholeUs, shiftUs: startedAtUs - wholeUs };
}

function describeSignals(source: SignalSource, wide: boolean, perRecord: readonly number[]): { signals: WrittenSignal[]; notes: string[] } {
  const notes: string[] = [];
  const signals = source.groups.flatMap(({ channels }, group) =>
    channels.map((scale): WrittenSignal => {
      const result = writtenScale(scale, wide ? 24 : 16);
      if (result === null) {
        throw new DatasetError(
          'UNWRITABLE',
          `${source.name} as EDF or BDF: the physical range of '${scale.label}' does not fit into 8 characters`,
        );
      }
      notes.push(...result.notes);
      return { ...result.written, samplesPerRecord: perRecord[group] ?? 0 };
    }),
  );
  return { signals, notes };
}

async function writeRecords(handle: FileHandle, source: SignalSource, plan: FilePlan, signal?: AbortSignal): Promise<void> {
  const { records, tals, sampleBytes } = plan;
  const areaBytes = Math.ceil(tals.areaBytes / sampleBytes) * sampleBytes;
  const samplesBytes =
    source.groups.reduce((sum, { channels }, group) => sum + channels.length * (records.samplesPerRecord[group] ?? 0), 0) * sampleBytes;
  const recordBytes = samplesBytes + areaBytes;
  const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / recordBytes));
  const runs = records.runs.length === 0 ? [{ records: tals.perRecord.length }] : records.runs;
  let record = 0;
  for (const [index, run] of runs.entries()) {
    for (let first = 0; first < run.records; first += perBlock) {
      signal?.throwIfAborted();
      const count = Math.min(perBlock, run.records - first);
      const block = new Uint8Array(count * recordBytes);
      let offset = 0;
      for (const [group, one] of source.groups.entries()) {
        const perRecord = records.samplesPerRecord[group] ?? 0;
        await fillGroup({ block, offset, recordBytes, sampleBytes, perRecord, first, count, stretch: index }, source, group, one);
        offset += one.channels.length * perRecord * sampleBytes;
      }
      for (let at = 0; at < count; at += 1, record += 1) {
        let to = at * recordBytes + samplesBytes;
        for (const tal of tals.perRecord[record] ?? []) {
          block.set(tal, to);
          to += tal.length;
        }
      }
      await handle.write(block);
    }
  }
}

type Filling = {
  readonly block: Uint8Array;
  readonly offset: number; // of the group in a record
  readonly recordBytes: number;
  readonly sampleBytes: 2 | 3;
  readonly perRecord: number;
  readonly first: number; // record of the stretch
  readonly count: number; // records
  readonly stretch: number;
};

/** Puts the samples of one group into its places; behind the last sample of a stretch that value is repeated. */
async function fillGroup(filling: Filling, source: SignalSource, group: number, { stretches, channels }: SignalGroup): Promise<void> {
  const { block, offset, recordBytes, sampleBytes, perRecord, first, count } = filling;
  const stretch = stretches[filling.stretch] ?? { firstSample: 0, samples: 0 };
  const from = first * perRecord;
  const there = Math.max(0, Math.min(count * perRecord, stretch.samples - from));
  const arrays = await source.read(group, stretch.firstSample + from, there);
  const limit = 2 ** (8 * sampleBytes - 1);
  for (const [channel, values] of arrays.entries()) {
    let value = 0;
    for (let at = 0; at < count * perRecord; at += 1) {
      value = values[at] ?? value;
      if (value < -limit || value >= limit) {
        const label = channels[channel]?.label ?? '';
        const where = `sample ${stretch.firstSample + from + at} of '${label}' is ${value}`;
        throw new DatasetError('UNWRITABLE', `${source.name} as EDF: ${where}, which needs 24 bits; write it as BDF`);
      }
      const record = Math.floor(at / perRecord);
      let to = record * recordBytes + offset + (channel * perRecord + (at - record * perRecord)) * sampleBytes;
      for (let byte = 0; byte < sampleBytes; byte += 1, to += 1) block[to] = (value >> (8 * byte)) & 0xff;
    }
  }
}
