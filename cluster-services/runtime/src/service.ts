import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** What a service is given besides its configuration. */
export type ServiceEnv = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly clock: Clock;
};

const Manifest = z.object({ version: z.string() });

/** The version of Vitalwire that is running. */
export const version: string = Manifest.parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))).version;
