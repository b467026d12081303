import { defineConfig } from 'vitest/config';

// Tests run the source, never dist: the packages' exports name it under the condition `source`.
const source = { resolve: { conditions: ['source'] }, ssr: { resolve: { conditions: ['source'], externalConditions: ['source'] } } };

export default defineConfig({
  test: {
    pool: 'forks',
    // Two cores are what continuous integration has; most of what takes long waits for processes, clocks and disks.
    maxWorkers: 2,
    execArgv: ['--conditions=source'],
    projects: [
      {
        ...source,
        test: {
          name: 'unit',
          include: ['**/src/**/*.test.ts'],
          exclude: ['**/*.int.test.ts', '**/*.slow.test.ts', '**/node_modules/**', '**/dist/**'],
          testTimeout: 20_000,
        },
      },
      {
        ...source,
        test: {
          name: 'int',
          include: ['**/src/**/*.int.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // What takes minutes, whole: `npm run test:slow` only. `npm test` runs the same promises shortened.
        ...source,
        test: {
          name: 'slow',
          include: ['**/src/**/*.slow.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          testTimeout: 3_600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
