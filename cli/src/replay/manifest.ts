import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { numericStreams } from '@vitalwire/contract';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { type DataDir, writeWhole } from '../stack/data-dir.ts';
import { FaultScript } from './faults/fault-script.ts';
import { SourceSpec } from './source-spec.ts';

const VERSION = 2;
const Range = z.object({ from: z.number(), to: z.number() }); // readings `from` to `to` (not included)

/** How a source is played. Times are µs. */
export const Play = z.object({
  startUs: z.number(),
  durationUs: z.number().nullable(), // null = to the end
  loop: z.boolean(),
  channels: z.array(z.string()).nullable(), // null = all
  staggerUs: z.number(),
  faults: FaultScript.nullable(),
  name: z.string().optional(), // what the readings say they come from, instead of the file's name
});
export type Play = z.infer<typeof Play>;

/** An unbroken run of a replay at one speed; a change of speed, a seek or a pause ends it. */
export const Take = z.object({
  index: z.number(),
  speed: z.number().nullable(), // null = as fast as possible
  fromUs: z.number(), // line time at its beginning: µs since the window's start, through all rounds
  baseUs: z.number(), // what the devices' clocks said then
  opening: z.object({ type: z.string(), text: z.string() }).nullable(), // the event that told of it
});
export type Take = z.infer<typeof Take>;

/** What a replay sends. */
export const streams = ['eeg', ...numericStreams, 'event'] as const;

const CaptureRecord = z.object({
  patient: z.string(),
  device: z.string(),
  stream: z.enum(streams),
  group: z.number(), // of the source; 0 for numbers and events
  take: z.number(),
  leg: z.number(),
  captureId: z.string(),
  answered: z.array(Range), // readings that were answered with a 2xx, numbered as in the capture
  late: z.boolean(), // they were overtaken by later ones and sent as a capture of their own
  ended: z.boolean(),
});
export type CaptureRecord = z.infer<typeof CaptureRecord>;

/** What one replay has sent: enough to make every reading again and to compare it with what is stored. */
export const Manifest = z.object({
  manifest: z.literal(VERSION),
  id: z.string(),
  startedAtUs: z.number(),
  finished: z.boolean(),
  play: Play,
  patients: z.array(z.object({ id: z.string(), source: SourceSpec })),
  takes: z.array(Take),
  captures: z.array(CaptureRecord),
});
export type Manifest = z.infer<typeof Manifest>;

export function manifestPath(dirs: DataDir, id: string): string {
  return path.join(dirs.replays, `${id}.json`);
}

export async function writeManifest(file: string, manifest: Manifest): Promise<void> {
  await writeWhole(file, `${JSON.stringify(manifest, null, 1)}\n`);
}

export function readManifest(file: string): Manifest {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('NOTHING_TO_VERIFY', `${file} cannot be read; 'vitalwire replay' writes one into the data directory`, { cause });
  }
  const value = parseOrNull(text);
  const checked = Manifest.safeParse(value);
  if (checked.success) return checked.data;
  const found = z.object({ manifest: z.number(), id: z.string() }).safeParse(value);
  if (found.success && found.data.manifest !== VERSION) {
    throw new CliError(
      'NOTHING_TO_VERIFY',
      `${file} has version ${found.data.manifest}, this release reads ${VERSION}: compare with the release that made it, or name other manifests with --manifest`,
    );
  }
  const { path: at = [], message = '' } = checked.error.issues[0] ?? {};
  throw new CliError(
    'NOTHING_TO_VERIFY',
    `${file} is not the manifest of a replay (${at.map(String).join('.') || 'as a whole'}: ${message})`,
  );
}

/** Every replay this data directory knows of, oldest first. */
export function listManifests(dirs: DataDir): string[] {
  try {
    return readdirSync(dirs.replays)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => path.join(dirs.replays, name));
  } catch {
    return [];
  }
}

export function countOf(ranges: readonly { readonly from: number; readonly to: number }[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
