import { createLog, HttpClient, systemClock } from '@vitalwire/runtime';
import { hasMariaDb, removeTempDir, startMariaDb, type TestPki, tempDir } from '@vitalwire/testkit';
import { writerGrants } from '../commit/index.ts';
import { StorageConfig } from './config.ts';
import { createStorage, type Storage } from './storage.ts';

const log = createLog({ name: 'test', level: 'silent' });
export const testToken = 'the-token-of-this-test';

/** A storage service on a free port, and a client of it. */
export async function startService(
  pki: TestPki,
  database: string,
  more: Partial<StorageConfig> = {},
): Promise<{ service: Storage; client: HttpClient; probeUrl: string }> {
  const identity = await pki.service('storage');
  const config = StorageConfig.parse({
    database,
    port: 0,
    token: testToken,
    certPath: identity.certPath,
    keyPath: identity.keyPath,
    caPath: identity.caPath,
    ...more,
  });
  const service = createStorage(config, { log, clock: systemClock });
  await service.start(new AbortController().signal);
  const { storageUrl, probePort } = service.addresses();
  const client = new HttpClient({ baseUrl: String(storageUrl), token: testToken, caPath: pki.caPath, timeoutMs: 20_000 });
  return { service, client, probeUrl: `http://127.0.0.1:${probePort}` };
}

/** Every database the service runs on, each fresh: `admin` may do everything, `writer` only what the front door may. */
export const databaseKinds = [
  {
    name: 'SQLite',
    skip: false,
    make: async () => {
      const dir = tempDir();
      return { admin: `sqlite:${dir}`, writer: async () => `sqlite:${dir}`, stop: async () => removeTempDir(dir) };
    },
  },
  {
    name: 'MariaDB',
    skip: !hasMariaDb(),
    make: async () => {
      const server = await startMariaDb();
      const writer = (): Promise<string> => server.createUser('writer', writerGrants('writer@%', server.database));
      return { admin: server.adminUrl, writer, stop: () => server.stop() };
    },
  },
];
