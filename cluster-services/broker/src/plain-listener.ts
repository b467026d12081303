import { createServer, type Server, type Socket } from 'node:net';

/** Listens without TLS, so that a measurement can tell what TLS costs. Only `TestOnly.plainTcpAs` leads here. */
export class PlainListener {
  readonly #host: string;
  readonly #port: number;
  readonly #onSocket: (socket: Socket) => void;
  #server: Server | null = null;

  constructor({ host, port, onSocket }: { host: string; port: number; onSocket: (socket: Socket) => void }) {
    this.#host = host;
    this.#port = port;
    this.#onSocket = onSocket;
  }

  /** The port in use; 0 while closed. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async open(): Promise<void> {
    const server = createServer(this.#onSocket);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, resolve);
    });
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** There is no certificate to look at. */
  async reload(): Promise<void> {}
}
