import { createServer } from 'node:net';

const given = new Set<number>();

/** A TCP port on 127.0.0.1 that is free now and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = await askSystem();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
  throw new Error('no free port after 100 attempts');
}

function askSystem(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
