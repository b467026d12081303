import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { MirrorServer, tempDir } from '@vitalwire/testkit';
import { afterEach, beforeEach } from 'vitest';
import { builtInDatasets } from './built-in.ts';
import { type FetchOptions, fetchDataset } from './fetch-dataset.ts';

export let mirror: MirrorServer;
export let directory: string;
export const root = tempDir('vw-fetch-');
export const quick = { attempts: 4, baseMs: 1, maxMs: 5 };

export const big = randomBytes(300_000);
export const files: Readonly<Record<string, Buffer>> = {
  'chb01/chb01_01.edf': big,
  'chb01/chb01_02+.edf': randomBytes(50_000),
  'chb01/chb01-summary.txt': Buffer.from('File Name: chb01_01.edf\n'),
  RECORDS: Buffer.from('chb01/chb01_01.edf\n'),
};

beforeEach(async () => {
  mirror = await MirrorServer.start();
  directory = mkdtempSync(join(root, 'set-'));
  publish(mirror);
});

afterEach(async () => {
  await mirror.stop();
});

export function fetchAll(options: Partial<FetchOptions> = {}) {
  const dataset = builtInDatasets.find(({ name }) => name === 'chb-mit');
  if (dataset === undefined) throw new Error('chb-mit');
  return fetchDataset({
    dataset,
    directory,
    from: options.dataset === undefined ? mirror.url : undefined,
    env: {},
    signal: new AbortController().signal,
    retry: quick,
    silenceMs: 5_000,
    ...options,
  });
}

export function publish(server: MirrorServer): void {
  for (const [path, bytes] of Object.entries(files)) server.files.set(path, bytes);
  publishListing(server);
}

export function publishListing(server: MirrorServer): void {
  const lines = [...server.files].filter(([path]) => path !== 'SHA256SUMS.txt').map(([path, bytes]) => `${sha256(bytes)} ${path}\n`);
  server.files.set('SHA256SUMS.txt', Buffer.from(lines.join('')));
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
