import { expect, test, vi } from 'vitest';
import { resolveDataDir } from './data-dir.ts';

// A user whose number has no entry, without HOME: what Node says then.
vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  homedir: () => {
    throw Object.assign(new Error('A system error occurred: uv_os_homedir returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  },
}));

test('without a home directory a data directory has to be named', () => {
  expect(() => resolveDataDir(undefined, {})).toThrow(
    'this user has no home directory: name a data directory with --data or VITALWIRE_DATA',
  );
  expect(resolveDataDir(undefined, { VITALWIRE_DATA: '/srv/ward' }).root).toBe('/srv/ward');
  expect(resolveDataDir('/srv/ward', {}).root).toBe('/srv/ward');
});
