import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MirrorServer, tempDir } from '@vitalwire/testkit';
import { afterAll, expect, test } from 'vitest';
import type { Dataset } from './entry.ts';
import { fetchDataset } from './fetch-dataset.ts';

const disk = join(tempDir('vw-full-'), 'disk');
const mounted = mount();
if (!mounted) console.warn('SKIPPED: the full-disk tests of fetch mount a small tmpfs, which needs root (CAP_SYS_ADMIN)');
afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', disk]);
});

// Where nothing may be skipped the tests run, and say themselves what is missing.
test.skipIf(!mounted && process.env['CI'] !== 'true')(
  'a full disk is said, before it is full where the size is known; what is there is kept and continued',
  async () => {
    const mirror = await MirrorServer.start();
    const bytes = randomBytes(2_500_000);
    mirror.files.set('night.edf', bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const dataset: Dataset = {
      name: 'mine',
      title: 'Mine',
      licence: 'x',
      citation: 'y',
      about: '',
      url: mirror.url,
      files: [{ path: 'night.edf', sha256 }],
      origin: 'own',
      definedIn: 'x.yaml',
    };
    const fetching = () =>
      fetchDataset({
        dataset,
        directory: join(disk, 'set'),
        env: {},
        signal: new AbortController().signal,
        retry: { attempts: 2, baseMs: 1, maxMs: 2 },
      });
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, Buffer.alloc(1_000_000, 1));

    await expect(fetching()).rejects.toThrow(
      /^the disk is full: .*night\.edf needs \d+ bytes more than are free; free some space, or choose another place with --to/,
    );
    expect(existsSync(join(disk, 'set/night.edf.part'))).toBe(false);

    mirror.fault('night.edf', { kind: 'no-length' });
    await expect(fetching()).rejects.toThrow(/^the disk is full: .*night\.edf; what is there is kept: free some space and run it again/);
    const kept = statSync(join(disk, 'set/night.edf.part')).size;
    expect(kept).toBeGreaterThan(500_000);
    expect(existsSync(join(disk, 'set/night.edf'))).toBe(false);

    rmSync(ballast);
    expect((await fetching()).fetched).toEqual(['night.edf']);
    expect(mirror.asked('night.edf').at(-1)?.range).toBe(`bytes=${kept}-`);
    expect(readFileSync(join(disk, 'set/night.edf'))).toEqual(bytes);
    await mirror.stop();
  },
);

function mount(): boolean {
  mkdirSync(disk, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', disk], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}
