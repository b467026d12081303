import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { type DataDir, writeWhole } from '../stack/data-dir.ts';

/** What one replay has sent: enough to make every sample again and to compare it with what is stored. */
export const Manifest = z.object({
  manifest: z.literal(1),
  id: z.string(),
  source: z.literal('bonn'),
  seed: z.number(),
  speed: z.number().nullable(), // null = as fast as possible
  patients: z.number(),
  startedAtUs: z.number(),
  finished: z.boolean(),
  captures: z.array(
    z.object({
      index: z.number(), // of the patient, from 0
      patient: z.string(),
      device: z.string(),
      stream: z.enum(['eeg', 'heart-rate', 'event']),
      captureId: z.string(),
      answered: z.number(), // readings 0 to this one (not included) were answered with a 2xx
      ended: z.boolean(),
    }),
  ),
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
  const checked = Manifest.safeParse(parseOrNull(text));
  if (!checked.success) throw new CliError('NOTHING_TO_VERIFY', `${file} is not the manifest of a replay`);
  return checked.data;
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

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
