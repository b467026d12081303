import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { DatasetError } from '../dataset-error.ts';
import { memorySource } from '../memory-source.ts';
import { shortName } from '../short-name.ts';
import type { SignalSource, SourceAnnotation } from '../signal-source.ts';
import { type BonnSet, bonnRate, bonnScale, bonnSets, parseBonnText, readBonnSegment, segmentName } from './segments.ts';

/** A segment as the collection publishes it: a text file of 4097 integers, one per line. What it shows is not in the file. */
export async function openBonnText(path: string): Promise<SignalSource> {
  const file = basename(path);
  return segmentSource(shortName(file), parseBonnText(await readFile(path), file), []);
}

/** One segment of the collection on this machine; all of a segment of set S is a seizure. */
function bonnSegmentSource(set: BonnSet, number: number): SignalSource {
  const samples = readBonnSegment(set, number);
  const durationUs = Math.round((samples.length * bonnRate.den * 1e6) / bonnRate.num);
  const seizure: SourceAnnotation = { onsetUs: 0, durationUs, type: 'seizure', text: 'seizure', channels: [] };
  return segmentSource(`bonn:${segmentName(set, number)}`, samples, set === 'S' ? [seizure] : []);
}

/** `bonn:S065`: the name under which a segment is opened like a file. */
export function openBonnSegment(name: string): SignalSource {
  const match = /^bonn:([A-Z])(\d{1,3})$/.exec(name);
  const set = bonnSets.find((one) => one === match?.[1]);
  if (set === undefined)
    throw new DatasetError('SEGMENT_UNKNOWN', `'${name}'; give bonn: with a set (${bonnSets.join(' ')}) and a number, such as bonn:S065`);
  return bonnSegmentSource(set, Number(match?.[2]));
}

function segmentSource(name: string, samples: Int16Array, annotations: readonly SourceAnnotation[]): SignalSource {
  const channels = [{ ...bonnScale, reference: '' }];
  return memorySource({ name, groups: [{ rate: bonnRate, channels, samples: [Int32Array.from(samples)] }], annotations });
}
