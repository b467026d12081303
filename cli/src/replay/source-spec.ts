import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { assembleBonnPatients, openSource, openSyntheticPatient, type SignalSource } from '@vitalwire/datasets';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { bonnSource } from './bonn-source.ts';

const Seed = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** What a synthetic patient is made of; its other settings have their defaults. */
export const SynthSettings = z.strictObject({
  seed: Seed,
  durationS: z.number().positive(),
  channels: z.union([z.int().min(1).max(256), z.literal('chb-mit'), z.array(z.string()).min(1).max(256)]).optional(),
  rate: z.strictObject({ num: z.int().min(1), den: z.int().min(1) }).optional(),
  bits: z.union([z.literal(16), z.literal(24)]).optional(),
  seizures: z
    .union([
      z.number().min(0).max(60), // an hour
      z.array(z.strictObject({ onsetS: z.number(), durationS: z.number(), focus: z.string().optional() })).max(1_000),
    ])
    .optional(),
  artefacts: z.enum(['usual', 'none']).optional(),
  mainsHz: z.union([z.literal(50), z.literal(60)]).optional(),
});
export type SynthSettings = z.infer<typeof SynthSettings>;

/** Where a virtual patient's signals come from: all that is needed to make every sample again. */
export const SourceSpec = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('bonn'),
    seed: Seed,
    patients: z.int().min(1),
    index: z.int().min(0),
    heart: z.enum(['mitdb', 'synthetic']).default('mitdb'), // whose heart beats beside it: those of another person, or nobody's
  }),
  z.strictObject({ kind: z.literal('synth'), settings: SynthSettings }),
  z.strictObject({ kind: z.literal('file'), path: z.string(), bytes: z.int().min(0), sha256: z.string().length(64) }),
]);
export type SourceSpec = z.infer<typeof SourceSpec>;

export const sourceKinds = ['bonn', 'synth', 'file'] as const;
export type SourceKind = (typeof sourceKinds)[number];

const HASHED_AT_ONCE = 256 * 1024;

/** Opens what a specification names. */
export async function openSpec(spec: SourceSpec): Promise<SignalSource> {
  switch (spec.kind) {
    case 'file':
      return openSource(spec.path);
    case 'synth':
      return openSyntheticPatient(defined(spec.settings));
    case 'bonn': {
      const patient = assembleBonnPatients({ patients: spec.patients, seed: spec.seed })[spec.index];
      if (patient === undefined) throw new CliError('NOTHING_TO_VERIFY', `there is no Bonn patient ${spec.index} of ${spec.patients}`);
      return bonnSource(patient, spec);
    }
  }
}

/** The specification of a file: with its checksum, so that a changed file is never taken for what was sent. */
export async function fileSpec(file: string): Promise<SourceSpec> {
  const absolute = path.resolve(file);
  try {
    const { size } = await stat(absolute);
    return { kind: 'file', path: absolute, bytes: size, sha256: await sha256Of(absolute) };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CliError('WRONG_ARGUMENT', `${file} cannot be read (${code === 'ENOENT' ? 'there is no such file' : code})`, { cause });
  }
}

/** Refuses a file that is not the one that was replayed. */
export async function checkUnchanged(spec: SourceSpec): Promise<void> {
  if (spec.kind !== 'file') return;
  const now = await fileSpec(spec.path).catch((cause: unknown) => {
    throw new CliError('NOTHING_TO_VERIFY', `${spec.path}, which was replayed, cannot be read; put it back where it was`, { cause });
  });
  if (now.kind === 'file' && now.sha256 !== spec.sha256)
    throw new CliError(
      'NOTHING_TO_VERIFY',
      `${spec.path} is not the file that was replayed: its SHA-256 is ${now.sha256}, then it was ${spec.sha256}; put that one back`,
    );
}

// Into one buffer again and again: a stream would leave as much garbage as the file is long.
async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(HASHED_AT_ONCE);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

function defined<T extends object>(settings: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as never;
}
