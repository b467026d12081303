/** Who may import whom: DESIGN's table, as data. `storage/commit` is a place of its own: the one library two services share. */
export const importTable: Readonly<Record<string, { readonly may: readonly string[]; readonly dynamically?: readonly string[] }>> = {
  contract: { may: [] },
  runtime: { may: ['contract'] },
  vitals: { may: ['contract'] },
  datasets: { may: ['contract'] },
  detector: { may: ['contract', 'vitals'] },
  outbox: { may: ['contract', 'runtime'] },
  broker: { may: ['contract', 'runtime'] },
  storage: { may: ['contract', 'runtime'] },
  client: { may: ['contract', 'runtime'] },
  ingest: { may: ['contract', 'runtime', 'broker', 'storage/commit'] },
  prediction: { may: ['contract', 'runtime', 'vitals', 'detector'] },
  alarms: { may: ['contract', 'runtime', 'vitals', 'outbox'] },
  web: { may: ['contract', 'runtime', 'vitals'] },
  'edge-agent': { may: ['contract', 'runtime', 'vitals', 'outbox'], dynamically: ['detector'] },
  tui: { may: ['contract', 'client', 'vitals'] },
  cli: {
    may: ['contract', 'runtime', 'client', 'datasets', 'vitals'],
    dynamically: ['edge-agent', 'detector', 'tui', 'storage', 'ingest', 'prediction', 'alarms', 'web'],
  },
};

/** Packages for tests and measurement: they may import anything, and nothing else imports them. */
export const testOnly: readonly string[] = ['testkit', 'e2e', 'bench'];

/** Drivers and engines that belong to one place, so that what they cost and how they fail is known in one place. */
export const ownedLibraries: Readonly<Record<string, readonly string[]>> = {
  mysql2: ['storage'],
  'better-sqlite3': ['storage', 'outbox'],
  aedes: ['broker'],
  '@tensorflow': ['detector'],
};
